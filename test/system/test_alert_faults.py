# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Real processes, real signals: whatever happens to the source, the robot stops and stays stopped.

No time is asserted here, a busy machine may be slow; `measure_alert.py` measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import os
import shutil
import signal
import subprocess
import sys
import time

from geometry_msgs.msg import Twist
import pytest
from rclpy.qos import QoSProfile
from robot import moves, RANGE_SOURCE, Robot, RosProcess
from rosgraph_msgs.msg import Clock as ClockMessage

HOUR_S = 3600.0


@pytest.fixture
def robot() -> Iterator[Robot]:
    """Give a robot, and end all its processes."""
    robot = Robot()
    yield robot
    robot.close()


def kill(source: RosProcess) -> None:
    source.send(signal.SIGKILL)


def suspend(source: RosProcess) -> None:
    source.send(signal.SIGSTOP)


def tell(word: str) -> Callable[[RosProcess], None]:
    def fault(source: RosProcess) -> None:
        source.tell(word)

    return fault


@pytest.mark.parametrize(
    ('fault', 'state'),
    [
        (kill, 'STALE: no distance for'),
        (suspend, 'STALE: no distance for'),
        (tell('silent'), 'STALE: no distance for'),
        (tell('frozen'), 'STALE: the same stamp for'),
        (tell('old'), 'STALE: stamp went back by 3.6e+03 s'),
        (tell('future'), 'STALE: stamp lies 3.6e+03 s in the future'),
        (tell('nan'), 'STOP: range nan m'),
        (tell('inf'), 'STOP: range inf m'),
        (tell('unknown'), 'STOP: the distance is unknown'),
        (tell('near'), 'STOP: 0.30 m away'),
    ],
    ids=[
        'kill -9',
        'SIGSTOP',
        'silent',
        'frozen',
        'old',
        'future',
        'nan',
        'inf',
        'unknown',
        'near',
    ],
)
def test_a_fault_of_the_source_stops_the_robot_until_it_is_over(
    robot: Robot, fault: Callable[[RosProcess], None], state: str
) -> None:
    robot.start_alert()
    source = robot.start_source()
    robot.wait_until_driving()
    fault_s = time.monotonic()
    fault(source)
    robot.wait_until_stopped(fault_s)
    assert robot.stops[-1].message.data
    said = [received.message.data for received in robot.states.since(fault_s)]
    assert any(text.startswith(state) for text in said), said
    if fault is kill:
        robot.start_source()
    elif fault is suspend:
        source.send(signal.SIGCONT)
    else:
        source.tell('good')
    robot.wait_until_driving()
    robot.wait_for(lambda: not robot.stops[-1].message.data, 'stop: false')


def test_without_a_source_nothing_ever_moves(robot: Robot) -> None:
    robot.start_alert()
    robot.wait_for(lambda: len(robot.velocities) > 40, 'answers to commands')
    assert not any(map(moves, robot.velocities))
    assert all(received.message.data for received in robot.stops)
    assert robot.state == 'STOP: no distance received yet'


def test_a_source_of_another_quality_of_service_is_no_source(robot: Robot) -> None:
    """The alert asks for reliable, the source offers best effort: DDS connects them not."""
    robot.start_alert(**{'qos_overrides./proximity/range.subscription.reliability': 'reliable'})
    robot.start_source()
    robot.wait_for(lambda: robot.node.count_publishers('proximity/range') > 0, 'the source')
    robot.wait_for(lambda: len(robot.velocities) > 40, 'answers to commands')
    assert not any(map(moves, robot.velocities))
    assert robot.state == 'STOP: no distance received yet'


@pytest.mark.parametrize('signal_number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sends_a_final_stop_and_then_silence(robot: Robot, signal_number: int) -> None:
    alert = robot.start_alert()
    robot.start_source()
    robot.wait_until_driving()
    alert.send(signal_number)
    assert alert.popen.wait(60) == 0
    robot.spin(0.5)
    assert robot.stops[-1].message.data
    assert robot.velocities[-1].message == Twist()
    assert robot.state == 'STOP: alert_node is no longer active'
    stops, velocities = len(robot.stops), len(robot.velocities)
    robot.spin(1.0)
    assert (len(robot.stops), len(robot.velocities)) == (stops, velocities)


def test_an_alert_that_was_suspended_does_not_trust_what_it_slept_through(robot: Robot) -> None:
    alert = robot.start_alert()
    source = robot.start_source()
    robot.wait_until_driving()
    alert.send(signal.SIGSTOP)
    robot.spin(1.0)
    source.send(signal.SIGKILL)
    robot.spin(2.0)
    asleep_s = time.monotonic()
    alert.send(signal.SIGCONT)
    robot.wait_for(lambda: len(robot.velocities.since(asleep_s)) > 20, 'answers to commands')
    assert not any(map(moves, robot.velocities.since(asleep_s)))


class SimulationTime:
    """Publishes /clock; can jump and stand still."""

    def __init__(self, robot: Robot) -> None:
        self.offset_s = 10_000.0
        self.frozen_s: float | None = None
        self._publisher = robot.node.create_publisher(ClockMessage, '/clock', QoSProfile(depth=1))
        self._begin_s = time.monotonic()
        robot.node.create_timer(0.02, self._publish)

    def _publish(self) -> None:
        now_s = self.frozen_s
        if now_s is None:
            now_s = self.offset_s + time.monotonic() - self._begin_s
        message = ClockMessage()
        message.clock.sec, message.clock.nanosec = divmod(int(now_s * 1e9), 10**9)
        self._publisher.publish(message)


@pytest.mark.parametrize('jump_s', [HOUR_S, -HOUR_S], ids=['forward', 'back'])
def test_a_clock_that_jumps_an_hour_stops_and_recovers(robot: Robot, jump_s: float) -> None:
    clock = SimulationTime(robot)
    robot.start_alert(use_sim_time=True)
    robot.start_source(use_sim_time=True)
    robot.wait_until_driving()
    jump_at_s = time.monotonic()
    clock.offset_s += jump_s
    robot.spin(1.0)
    robot.wait_until_driving()
    # Whether a reading straddles the jump forward is chance; going back is always seen.
    if jump_s < 0:
        said = [received.message.data for received in robot.states.since(jump_at_s)]
        assert any(text.startswith('STALE: stamp') for text in said), said


def test_a_clock_that_stands_still_stops_the_robot(robot: Robot) -> None:
    clock = SimulationTime(robot)
    robot.start_alert(use_sim_time=True)
    robot.start_source(use_sim_time=True)
    robot.wait_until_driving()
    fault_s = time.monotonic()
    clock.frozen_s = clock.offset_s + fault_s - clock._begin_s
    robot.wait_until_stopped(fault_s)
    assert robot.state.startswith('STALE: the same stamp for')
    clock.frozen_s = None
    robot.wait_until_driving()


@pytest.mark.parametrize('offset_s', [HOUR_S, -HOUR_S], ids=['ahead', 'behind'])
def test_clocks_that_disagree_by_an_hour_never_let_the_robot_go(
    robot: Robot, offset_s: float
) -> None:
    clock = SimulationTime(robot)
    clock.offset_s = time.time() + offset_s
    robot.start_alert(use_sim_time=True)
    robot.start_source()
    robot.wait_for(lambda: robot.state.startswith('STALE'), 'STALE')
    robot.spin(2.0)
    assert not any(map(moves, robot.velocities))


def test_settings_changed_while_driving_stop_first(robot: Robot) -> None:
    from rcl_interfaces.srv import SetParametersAtomically
    from rclpy.parameter import Parameter

    robot.start_alert()
    robot.start_source()
    robot.wait_until_driving()
    client = robot.node.create_client(
        SetParametersAtomically, '/alert_node/set_parameters_atomically'
    )
    robot.wait_for(client.service_is_ready, 'the parameter service')
    for distance_m, released in ((6.0, False), (0.4, True)):
        change_s = time.monotonic()
        future = client.call_async(
            SetParametersAtomically.Request(
                parameters=[
                    Parameter(name, value=value).to_parameter_msg()
                    for name, value in (
                        ('stop_distance_m', distance_m),
                        ('release_distance_m', distance_m + 0.1),
                        ('caution_distance_m', distance_m + 0.2),
                        ('caution_release_distance_m', distance_m + 0.3),
                    )
                ]
            )
        )
        robot.wait_for(future.done, 'the answer')
        assert future.result().result.successful, future.result().result.reason
        if released:
            robot.wait_until_driving()
        else:
            robot.wait_until_stopped(change_s)


@pytest.fixture
def cable() -> Iterator[tuple[str, str]]:
    """Give a network namespace, and the name of the interface on this side of its cable."""
    name = f'fcrn{os.getpid() % 10000}'
    setup = [
        f'ip netns add {name}',
        f'ip link add {name}a type veth peer name {name}b netns {name}',
        f'ip addr add 10.231.77.1/24 dev {name}a',
        f'ip link set {name}a up',
        f'ip -n {name} addr add 10.231.77.2/24 dev {name}b',
        f'ip -n {name} link set {name}b up',
        f'ip -n {name} link set lo up',
    ]
    if os.geteuid() != 0 or shutil.which('ip') is None:
        pytest.skip('needs root and iproute2')
    try:
        for command in setup:
            result = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if result.returncode:
                pytest.skip(f'no network namespaces here: {command}: {result.stderr.strip()}')
        yield name, f'{name}a'
    finally:
        for command in (f'ip link del {name}a', f'ip netns del {name}'):
            subprocess.run(command.split(), capture_output=True, check=False)


def test_a_network_that_is_cut_stops_the_robot(
    cable: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source on another machine; shared memory, which no cable carries, is off."""
    namespace, interface = cable
    monkeypatch.setenv('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')
    monkeypatch.delenv('ROS_LOCALHOST_ONLY', raising=False)
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')
    robot = Robot()
    try:
        robot.start_alert()
        robot.start(['ip', 'netns', 'exec', namespace, sys.executable, RANGE_SOURCE])
        robot.wait_until_driving()
        fault_s = time.monotonic()
        subprocess.run(['ip', 'link', 'set', interface, 'down'], check=True)
        robot.wait_until_stopped(fault_s)
        assert robot.state.startswith('STALE: no distance for')
        subprocess.run(['ip', 'link', 'set', interface, 'up'], check=True)
        robot.wait_until_driving()
    finally:
        robot.close()
