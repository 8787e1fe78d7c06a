# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Measure how soon the robot stops and goes on, and how steady the heartbeat is under full load.

    PYTHONPATH=.:test/unit python test/system/measure_alert.py [--repeat N] [--crossings N]
        [--load-seconds S] [--busy-per-core N] [--ordinary] [--json F]

The reaction is the time from a fault to the first zero velocity; faults that silence the source
wait out `source_timeout_s` (0.5 s) first. First come the faults of a whole chain (a camera,
depth_node with a network of one constant, alert_node). A crossing is an obstacle that appears
0.45 m ahead and leaves after 2 to 3 s, all readings with noise of 8 %: when did the robot stop
and go on, what share of the velocities in between was zero, did `stop` change twice within a
second? At last, while two busy processes per core compete with everything, come the faults of a
distance source, and the gaps of the heartbeat.

All times are those at which DDS took a message from alert_node, as this other process is told
them. It and the distance source run with real-time priority where that is permitted: what a
starved observer misses, or a starved source delays, says nothing about the observed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import itertools
import json
import multiprocessing
import os
from pathlib import Path
import random
import signal
import statistics
import sys
import tempfile
import time

from fcrn_depth_ros.ros.real_time import ask_for_real_time
import numpy as np
from robot import moves, Robot, RosProcess
from tiny_models import write_model

# As test/conftest.py does for tests: a DDS domain of its own, this machine only.
os.environ['ROS_DOMAIN_ID'] = str(random.SystemRandom().randint(10, 101))
os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')

OBSERVER_PRIORITY, SOURCE_PRIORITY = 30, 25
CLEAR_VIEW, OBSTACLE_VIEW = 'at 3.0 0.08', 'at 0.45 0.08'


@dataclass(frozen=True)
class Fault:
    """What is done to whom: a signal is sent, a word is told."""

    victim: str
    what: signal.Signals | str

    @property
    def name(self) -> str:
        """Return how the table calls it."""
        return f'{self.victim}: {getattr(self.what, "name", self.what)}'


DEATHS = (signal.SIGKILL, signal.SIGSTOP)
CHAIN_FAULTS = (
    *(Fault(victim, death) for victim in ('depth_node', 'camera') for death in DEATHS),
    *(Fault('camera', word) for word in ('frozen', 'covered', 'old', 'future')),
)
SOURCE_FAULTS = (
    *(Fault('source', death) for death in DEATHS),
    *(
        Fault('source', word)
        for word in ('silent', 'frozen', 'old', 'future', 'nan', 'unknown', 'near')
    ),
)


def burn() -> None:
    """Keep a core busy until killed."""
    while True:
        pass


@contextmanager
def full_load(per_core: int) -> Iterator[None]:
    """Give every core so many processes that never rest."""
    burners = [
        multiprocessing.Process(target=burn, daemon=True)
        for _ in range(per_core * (os.cpu_count() or 1))
    ]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()


def start_source(robot: Robot) -> RosProcess:
    """Start the distance source, ahead of what competes."""
    return robot.start_source(realtime_priority=SOURCE_PRIORITY)


def measure_reactions(
    robot: Robot,
    start: Mapping[str, Callable[[], RosProcess]],
    faults: Sequence[Fault],
    repeat: int,
) -> dict[str, list[float]]:
    """Give the seconds from fault to zero velocity, per fault."""
    reactions: dict[str, list[float]] = {}
    processes = {name: begin() for name, begin in start.items()}
    for fault in faults:
        for _ in range(repeat):
            robot.wait_until_driving()
            robot.spin(random.uniform(0.0, 0.05))  # the fault comes at any phase of the period
            fault_s = time.monotonic()
            victim = processes[fault.victim]
            if isinstance(fault.what, signal.Signals):
                victim.send(fault.what)
            else:
                victim.tell(fault.what)
            reactions.setdefault(fault.name, []).append(robot.wait_until_stopped(fault_s))
            if fault.what is signal.SIGKILL:
                processes[fault.victim] = start[fault.victim]()
            elif fault.what is signal.SIGSTOP:
                victim.send(signal.SIGCONT)
            else:
                victim.tell('good')
        print(f'{fault.name}: {max(reactions[fault.name]):.3f} s at most', flush=True)
    for process in processes.values():
        process.end()
    return reactions


def measure_chain(robot: Robot, repeat: int) -> dict[str, list[float]]:
    """Give the reactions to the faults of a camera and of depth_node."""
    with tempfile.TemporaryDirectory() as folder:
        model = write_model(
            Path(folder) / 'tiny.onnx', output=np.full((1, 1, 24, 32), 3.0, np.float32)
        )
        return measure_reactions(
            robot,
            {
                'depth_node': lambda: robot.start_node('depth_node', {'model_file': model}),
                'camera': robot.start_camera,
            },
            CHAIN_FAULTS,
            repeat,
        )


def measure_crossings(robot: Robot, count: int) -> dict[str, float]:
    """Let a noisily seen obstacle appear and leave, many times."""
    source = start_source(robot)
    source.tell(CLEAR_VIEW)
    to_stop_s, to_resume_s, held, flickers = [], [], [], 0
    for number in range(count):
        robot.wait_until_driving()
        robot.spin(random.uniform(1.0, 1.5))  # a change of `stop` by itself would show here
        appeared_s = time.monotonic()
        source.tell(OBSTACLE_VIEW)
        robot.wait_for(
            lambda since_s=appeared_s: any(
                not moves(received) for received in robot.velocities.since(since_s)
            ),
            'zero velocity',
        )
        robot.spin(random.uniform(2.0, 3.0))
        left_s = time.monotonic()
        source.tell(CLEAR_VIEW)
        robot.wait_until_driving()
        after = robot.velocities.since(appeared_s)
        first_zero_s = next(each.time_s for each in after if not moves(each))
        while_there = [each for each in after if first_zero_s <= each.time_s < left_s]
        held.append(statistics.mean(not moves(each) for each in while_there))
        to_stop_s.append(first_zero_s - appeared_s)
        goes_on_s = next(e.time_s for e in after if moves(e) and e.time_s > left_s)
        to_resume_s.append(goes_on_s - left_s)
        stops = robot.stops.since(appeared_s - 1.0)
        changes_s = [
            later.time_s
            for earlier, later in itertools.pairwise(stops)
            if earlier.message.data != later.message.data
        ]
        flickers += any(b - a <= 1.0 for a, b in itertools.pairwise(changes_s))
        print(f'crossing {number + 1} of {count}\r', end='', flush=True)
    source.end()
    return {
        'runs': count,
        'stop_median_s': statistics.median(to_stop_s),
        'stop_max_s': max(to_stop_s),
        'resume_median_s': statistics.median(to_resume_s),
        'resume_max_s': max(to_resume_s),
        'held_share_min': min(held),
        'runs_with_flicker': flickers,
    }


def measure_heartbeat(robot: Robot, seconds: float) -> dict[str, float]:
    """Give the gaps between heartbeats while the robot drives."""
    source = start_source(robot)
    robot.wait_until_driving()
    begin_s = time.monotonic()
    robot.spin(seconds)
    source.end()
    times_s = [received.time_s for received in robot.stops.since(begin_s)]
    gaps_s = [later - earlier for earlier, later in zip(times_s, times_s[1:], strict=False)]
    return {
        'beats': len(times_s),
        'rate_hz': len(times_s) / seconds,
        'median_gap_s': statistics.median(gaps_s),
        'p99_gap_s': statistics.quantiles(gaps_s, n=100)[-1],
        'longest_gap_s': max(gaps_s),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('--repeat', type=int, default=5, help='times for each fault')
    parser.add_argument('--crossings', type=int, default=20)
    parser.add_argument('--load-seconds', type=float, default=30.0, help='of the heartbeat')
    parser.add_argument('--busy-per-core', type=int, default=2, help='competing processes')
    parser.add_argument('--ordinary', action='store_true', help='realtime_priority 0')
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args()
    robot = Robot()
    print(f'this process: {ask_for_real_time(OBSERVER_PRIORITY)}')
    result = {
        'load_average_before': os.getloadavg()[0],
        'ordinary': arguments.ordinary,
        'busy_per_core': arguments.busy_per_core,
        'source_timeout_s': 0.5,
    }
    try:
        robot.start_alert(realtime_priority=0 if arguments.ordinary else 20)
        reactions_s = measure_chain(robot, arguments.repeat) if arguments.repeat else {}
        if arguments.crossings:
            result['crossings'] = measure_crossings(robot, arguments.crossings)
        with full_load(arguments.busy_per_core):
            if arguments.repeat:
                reactions_s |= measure_reactions(
                    robot, {'source': lambda: start_source(robot)}, SOURCE_FAULTS, arguments.repeat
                )
            result['heartbeat'] = measure_heartbeat(robot, arguments.load_seconds)
    finally:
        robot.close()
    result['reaction_s'] = {
        fault: {'median': statistics.median(times_s), 'max': max(times_s)}
        for fault, times_s in reactions_s.items()
    }
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
