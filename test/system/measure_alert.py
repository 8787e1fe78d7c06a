"""
Measure how soon the robot stops and goes on, and how steady the heartbeat is under full load.

    python test/system/measure_alert.py [--repeat N] [--crossings N] [--load-seconds S]
        [--ordinary] [--json F]

The reaction is the time from the fault to the first zero velocity; faults that silence the source
wait out `source_timeout_s` (0.5 s) first. A crossing is an obstacle that appears 0.45 m ahead and
leaves after 2 to 3 s, all readings with noise of 8 %: when did the robot stop and go on, what
share of the velocities in between was zero, did `stop` change twice within a second? The gaps of
the heartbeat are measured while two busy processes per core compete with everything. All times
are those at which DDS took a message from alert_node, as this other process is told them; it runs
with real-time priority where that is permitted, since what a starved observer misses says nothing
about the observed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
from pathlib import Path
import random
import signal
import statistics
import sys
import time

# As test/conftest.py does for tests: a DDS domain of its own, this machine only.
os.environ['ROS_DOMAIN_ID'] = str(random.SystemRandom().randint(10, 101))
os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')

from fcrn_depth_ros.nodes.real_time import ask_for_real_time
from robot import moves, Robot

FAULTS = ['kill -9', 'SIGSTOP', 'silent', 'frozen', 'old', 'future', 'nan', 'unknown', 'near']
CLEAR_VIEW, OBSTACLE_VIEW = 'at 3.0 0.08', 'at 0.45 0.08'


def burn() -> None:
    """Keep a core busy until killed."""
    while True:
        pass


def measure_reactions(robot: Robot, repeat: int) -> dict[str, list[float]]:
    """Give the seconds from fault to zero velocity, per fault."""
    reactions: dict[str, list[float]] = {}
    source = robot.start_source()
    for fault in FAULTS:
        for _ in range(repeat):
            robot.wait_until_driving()
            robot.spin(random.uniform(0.0, 0.05))  # the fault comes at any phase of the period
            fault_s = time.monotonic()
            if fault == 'kill -9':
                source.send(signal.SIGKILL)
            elif fault == 'SIGSTOP':
                source.send(signal.SIGSTOP)
            else:
                source.tell(fault)
            reactions.setdefault(fault, []).append(robot.wait_until_stopped(fault_s))
            if fault == 'kill -9':
                source = robot.start_source()
            elif fault == 'SIGSTOP':
                source.send(signal.SIGCONT)
            else:
                source.tell('good')
        print(f'{fault}: {max(reactions[fault]):.3f} s at most', flush=True)
    return reactions


def measure_crossings(robot: Robot, count: int) -> dict[str, float]:
    """Let a noisily seen obstacle appear and leave, many times."""
    source = robot.start_source()
    source.tell(CLEAR_VIEW)
    to_stop_s, to_resume_s, held, flickers = [], [], [], 0
    for number in range(count):
        robot.wait_until_driving()
        robot.spin(random.uniform(1.0, 1.5))  # a change of `stop` by itself would show here
        appeared_s = time.monotonic()
        source.tell(OBSTACLE_VIEW)
        robot.wait_for(
            lambda since_s=appeared_s: any(
                not moves(received) for received in robot.velocities.since(since_s)),
            'zero velocity')
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
            later.time_s for earlier, later in itertools.pairwise(stops)
            if earlier.message.data != later.message.data]
        flickers += any(b - a <= 1.0 for a, b in itertools.pairwise(changes_s))
        print(f'crossing {number + 1} of {count}\r', end='', flush=True)
    source.end()
    return {
        'runs': count, 'stop_median_s': statistics.median(to_stop_s), 'stop_max_s': max(to_stop_s),
        'resume_median_s': statistics.median(to_resume_s), 'resume_max_s': max(to_resume_s),
        'held_share_min': min(held), 'runs_with_flicker': flickers,
    }


def measure_heartbeat(robot: Robot, seconds: float) -> dict[str, float]:
    """Give the gaps between heartbeats while every core has two busy processes."""
    burners = [
        multiprocessing.Process(target=burn, daemon=True)
        for _ in range(2 * (os.cpu_count() or 1))]
    for burner in burners:
        burner.start()
    begin_s = time.monotonic()
    try:
        robot.spin(seconds)
    finally:
        for burner in burners:
            burner.kill()
    times_s = [received.time_s for received in robot.stops.since(begin_s)]
    gaps_s = [later - earlier for earlier, later in zip(times_s, times_s[1:], strict=False)]
    return {
        'beats': len(times_s), 'rate_hz': len(times_s) / seconds,
        'median_gap_s': statistics.median(gaps_s),
        'p99_gap_s': statistics.quantiles(gaps_s, n=100)[-1], 'longest_gap_s': max(gaps_s),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('--repeat', type=int, default=5)
    parser.add_argument('--crossings', type=int, default=20)
    parser.add_argument('--load-seconds', type=float, default=30.0)
    parser.add_argument('--ordinary', action='store_true', help='realtime_priority 0')
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args()
    robot = Robot()
    print(f'this process: {ask_for_real_time(30)}')
    try:
        robot.start_alert(realtime_priority=0 if arguments.ordinary else 20)
        crossings = measure_crossings(robot, arguments.crossings)
        reactions_s = measure_reactions(robot, arguments.repeat)
        robot.wait_until_driving()
        heartbeat = measure_heartbeat(robot, arguments.load_seconds)
    finally:
        robot.close()
    result = {
        'load_average_1min': os.getloadavg()[0], 'ordinary': arguments.ordinary,
        'source_timeout_s': 0.5, 'reaction_s': {
            fault: {'median': statistics.median(times_s), 'max': max(times_s)}
            for fault, times_s in reactions_s.items()},
        'crossings': crossings, 'heartbeat_under_load': heartbeat,
    }
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
