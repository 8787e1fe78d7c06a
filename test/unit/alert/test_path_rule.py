# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The whole decision where the body is known: the path of the command, and what is remembered."""

from __future__ import annotations

import math

from fcrn_depth_ros.alert.machine import (
    AlertConfig,
    AlertMachine,
    AlertState,
    RangeReading,
    Velocity,
    ZERO_VELOCITY,
)
from fcrn_depth_ros.alert.memory import RangeScan
from fcrn_depth_ros.odometry import planar_odometry
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

CLOCK_NS = 1_800_000_000 * 10**9
PERIOD_S = 0.1
FORWARD, BACK = Velocity(linear_x=0.3), Velocity(linear_x=-0.3)
LEFT, RIGHT = Velocity(angular_z=0.6), Velocity(angular_z=-0.6)
OUTLINE = '[[0.5, 0.2], [0.5, -0.2], [-0.1, -0.2], [-0.1, 0.2]]'
ROUND = AlertConfig(assume_scale_verified=True, footprint_radius_m=0.2)
BOX = AlertConfig(assume_scale_verified=True, footprint=OUTLINE)


class World:
    """A robot with odometry, a scan and a distance, all at 10 Hz."""

    def __init__(self, config: AlertConfig, odometry: bool = True) -> None:
        self.machine = AlertMachine(config)
        self.now_s = 0.0
        self.pose = (0.0, 0.0, 0.0)
        self._odometry = odometry

    def step(
        self,
        command: Velocity,
        nearest_m: float = 3.0,
        points: tuple[tuple[float, float], ...] = (),
        is_obeyed: bool = True,
    ) -> Velocity:
        """Let a tenth of a second pass; `points` stand in the frame of the start."""
        self.now_s += PERIOD_S
        clock_ns = CLOCK_NS + round(self.now_s * 1e9)
        if self._odometry:
            self.machine.hear_odometry(self.now_s, planar_odometry(clock_ns, *self.pose), clock_ns)
        self.machine.hear_scan(self.now_s, self._scan(points, clock_ns), clock_ns)
        if math.isfinite(nearest_m):
            reading = RangeReading(nearest_m, 0.0, 10.0, clock_ns, 0.1)
            self.machine.hear(self.now_s, reading, clock_ns)
        passed = self.machine.gate(self.now_s, command)
        if is_obeyed:
            x_m, y_m, heading = self.pose
            self.pose = (
                x_m + passed.linear_x * PERIOD_S * math.cos(heading),
                y_m + passed.linear_x * PERIOD_S * math.sin(heading),
                heading + passed.angular_z * PERIOD_S,
            )
        return passed

    def _scan(self, points: tuple[tuple[float, float], ...], clock_ns: int) -> RangeScan:
        ranges = np.full(61, np.inf)
        x_m, y_m, heading = self.pose
        for x, y in points:
            bearing = math.atan2(y - y_m, x - x_m) - heading
            index = round(math.degrees(math.remainder(bearing, 2 * math.pi))) + 30
            if 0 <= index <= 60:
                ranges[index] = min(ranges[index], math.hypot(x - x_m, y - y_m))
        return RangeScan(clock_ns, math.radians(-30.0), math.radians(1.0), 0.1, 8.0, ranges)

    def steps(self, count: int, *arguments: object) -> Velocity:
        passed = ZERO_VELOCITY
        for _ in range(count):
            passed = self.step(*arguments)  # type: ignore[arg-type]
        return passed

    @property
    def cause(self) -> str:
        return self.machine.decision.cause


CORNER = (0.62, 0.3)


def test_turning_on_the_spot_toward_a_remembered_corner_is_stopped() -> None:
    world = World(BOX)
    world.steps(8, ZERO_VELOCITY, 3.0, (CORNER,))
    world.steps(10, Velocity(linear_x=0.25, angular_z=0.0), 3.0, (CORNER,))  # beside it now
    assert world.pose[0] > 0.1
    before = world.pose[2]
    world.steps(20, LEFT)  # nothing is in the picture any more
    assert world.machine.decision.state is AlertState.STOP and world.cause == 'path'
    assert 'remembered' in world.machine.decision.reason
    assert world.pose[2] - before < 0.5
    turned = world.pose[2]
    world.steps(10, RIGHT)
    assert world.pose[2] < turned - 0.5  # away from it is free
    assert world.machine.decision.state is AlertState.CLEAR


def test_without_a_body_the_same_turn_passes() -> None:
    world = World(AlertConfig(assume_scale_verified=True))
    world.steps(8, ZERO_VELOCITY, 3.0, (CORNER,))
    assert world.steps(20, LEFT) == LEFT


def test_driving_into_what_left_the_picture_is_slowed_and_then_stopped() -> None:
    world = World(ROUND)
    post = (1.0, 0.18)
    world.steps(8, ZERO_VELOCITY, 3.0, (post,))
    speeds = []
    for _ in range(60):
        speeds.append(world.step(FORWARD).linear_x)  # the scan is empty within its blind zone
        if world.pose[0] < 0.4:
            world.step(FORWARD, 3.0, (post,))
    assert speeds[-1] == 0.0 and world.cause == 'path'
    assert any(0.0 < speed < 0.3 for speed in speeds)
    assert math.hypot(world.pose[0] - post[0], world.pose[1] - post[1]) > 0.2
    assert world.step(Velocity(linear_x=-0.2)) == Velocity(linear_x=-0.2)  # away is free


@pytest.mark.parametrize(
    ('degrees', 'slowest_mps', 'reason'),
    [
        (13, 0.0, 'something seen or remembered is in it'),  # 0.03 m beside the body
        (14, 0.1, 'something is less than 0.08 m beside the path'),  # 0.05 m
        (16, 0.3, ''),  # 0.09 m
    ],
)
def test_past_what_is_close_beside_the_path_the_robot_goes_slowly(
    degrees: int, slowest_mps: float, reason: str
) -> None:
    values = vars(ROUND) | {'memory_blind_m': 10.0}
    world = World(AlertConfig(**values))
    post = (1.0, math.tan(math.radians(degrees)))
    world.steps(8, ZERO_VELOCITY, 3.0, (post,))
    speeds, states, reasons = [], set(), set()
    for _ in range(95):  # it is remembered for longer
        speeds.append(world.step(FORWARD).linear_x)
        states.add(world.machine.decision.state)
        reasons.add(world.machine.decision.reason.rpartition(': ')[2])
    assert min(speeds) == pytest.approx(slowest_mps)
    assert not reason or reason in reasons
    is_passed = world.pose[0] > 1.5
    assert is_passed == (slowest_mps > 0.0)
    assert (AlertState.STOP in states) != is_passed
    if is_passed:
        assert speeds[-1] == 0.3  # beyond it


def test_backward_nothing_is_passed_with_less_room() -> None:
    values = {'memory_blind_m': 10.0, 'memory_s': 30.0}
    world = World(AlertConfig(**vars(ROUND) | values))
    world.steps(8, ZERO_VELOCITY, 3.0, ((1.0, math.tan(math.radians(15))),))
    world.steps(90, FORWARD)
    assert world.pose[0] > 1.4  # past it
    world.steps(50, BACK)
    assert world.pose[0] > 1.0
    assert world.machine.decision.state is AlertState.STOP and world.cause == 'path'


def test_a_slow_command_past_something_is_left_as_it_is() -> None:
    world = World(AlertConfig(**vars(ROUND) | {'memory_blind_m': 10.0}))
    world.steps(8, ZERO_VELOCITY, 3.0, ((1.0, math.tan(math.radians(14))),))
    slow = Velocity(linear_x=0.1)
    assert all(world.step(slow) == slow for _ in range(90))
    assert world.pose[0] > 0.8


def test_the_least_clearance_may_not_be_more_than_that_of_full_speed() -> None:
    assert AlertConfig(path_least_clearance_m=0.08).contradiction() == ''
    assert AlertConfig(path_least_clearance_m=0.09).contradiction() == (
        'path_least_clearance_m must be at most path_clearance_m (0.08), got 0.09; raise '
        'path_clearance_m or lower path_least_clearance_m'
    )


def test_reversing_into_what_was_seen_before_the_turn_is_stopped() -> None:
    wall = tuple((0.9, y / 10) for y in range(-4, 5))
    for config, touches in ((ROUND, False), (AlertConfig(assume_scale_verified=True), True)):
        world = World(config)
        world.steps(8, ZERO_VELOCITY, 3.0, wall)
        while world.pose[2] < math.pi:
            world.step(Velocity(angular_z=1.0), 3.0, wall)
        for _ in range(40):
            world.step(BACK, 3.0, wall)
        assert (0.9 - world.pose[0] < 0.2) == touches


@pytest.mark.parametrize('odometry', [True, False])
def test_a_robot_passes_what_is_beside_its_path(odometry: bool) -> None:
    world = World(ROUND, odometry)
    walls = tuple((x / 10, side) for x in range(50) for side in (-0.45, 0.45))
    world.steps(8, ZERO_VELOCITY, 3.0, walls)
    assert [world.step(FORWARD, 3.0, walls) for _ in range(100)] == [FORWARD] * 100


def test_a_remembered_thing_is_forgotten_in_the_end() -> None:
    world = World(ROUND)
    world.steps(8, ZERO_VELOCITY, 3.0, ((0.5, 0.0),))
    assert world.step(FORWARD) != FORWARD
    assert world.steps(120, FORWARD) == FORWARD


@pytest.mark.parametrize('odometry', [True, False])
def test_what_stops_a_round_robot_may_be_turned_away_from(odometry: bool) -> None:
    world = World(ROUND, odometry)
    world.steps(8, FORWARD)
    wall = tuple((world.pose[0] + 0.45, y / 10) for y in range(-4, 5))
    world.steps(3, FORWARD, 0.45, wall)
    assert world.machine.decision.state is AlertState.STOP
    assert world.step(FORWARD, 0.45, wall) == ZERO_VELOCITY
    assert world.step(LEFT, 0.45, wall) == LEFT
    assert world.step(Velocity(linear_x=0.1, angular_z=0.6), 0.45, wall) == ZERO_VELOCITY
    assert world.machine.decision.stop  # the lock stays


def test_what_stops_a_robot_may_be_left_the_way_it_came() -> None:
    for odometry in (True, False):
        world = World(ROUND, odometry)
        world.steps(20, FORWARD)
        wall = tuple((world.pose[0] + 0.45, y / 10) for y in range(-4, 5))
        world.steps(3, ZERO_VELOCITY, 0.45, wall)
        assert world.machine.decision.state is AlertState.STOP
        assert world.step(BACK, 0.45, wall) == (BACK if odometry else ZERO_VELOCITY)
    sideways = Velocity(linear_x=-0.3, angular_z=2.0)
    assert world.step(sideways, 0.45, wall) == ZERO_VELOCITY


def test_nobody_leaves_backward_beyond_where_the_robot_came_from() -> None:
    world = World(ROUND)
    world.steps(10, FORWARD)
    start_m = 0.0
    world.steps(60, BACK, 0.45)
    assert world.machine.decision.state is AlertState.STOP
    assert world.pose[0] > start_m - 0.1


@pytest.mark.parametrize('nearest_m', [math.nan, 12.0])
def test_nothing_leaves_while_the_distance_is_unknown(nearest_m: float) -> None:
    world = World(ROUND)
    world.steps(20, FORWARD)
    world.steps(8, FORWARD, nearest_m)
    assert world.machine.decision.stop
    assert world.step(LEFT, nearest_m) == ZERO_VELOCITY
    assert world.step(BACK, nearest_m) == ZERO_VELOCITY


def test_a_latch_holds_every_stop() -> None:
    world = World(AlertConfig(assume_scale_verified=True, footprint_radius_m=0.2, latch=True))
    world.steps(20, FORWARD)
    world.steps(3, FORWARD, 0.4)
    assert world.step(LEFT, 0.4) == ZERO_VELOCITY
    assert world.step(BACK, 0.4) == ZERO_VELOCITY


def test_a_box_may_not_turn_in_a_stop() -> None:
    world = World(BOX)
    world.steps(20, FORWARD)
    world.steps(3, FORWARD, 0.4)
    assert world.step(LEFT, 0.4) == ZERO_VELOCITY


def test_a_robot_whose_commands_go_elsewhere_is_stopped_by_the_way_ahead() -> None:
    machine = AlertMachine(ROUND)
    for step in range(1, 12):
        now_s, clock_ns = step * PERIOD_S, CLOCK_NS + round(step * PERIOD_S * 1e9)
        ranges = np.full(61, np.inf)
        ranges[30] = 0.3  # the distance does not see it
        scan = RangeScan(clock_ns, math.radians(-30), math.radians(1), 0.1, 8.0, ranges)
        machine.hear_scan(now_s, scan, clock_ns)
        machine.hear(now_s, RangeReading(3.0, 0.0, 10.0, clock_ns, 0.1), clock_ns)
    assert machine.decision.stop and machine.decision.cause == 'path'


def test_scans_that_are_old_or_broken_say_so_and_change_nothing() -> None:
    world = World(ROUND)
    world.steps(8, FORWARD)
    clock_ns = CLOCK_NS + round(world.now_s * 1e9)
    ranges = np.full(61, 0.3)
    good = RangeScan(clock_ns, math.radians(-30), math.radians(1), 0.1, 8.0, ranges)
    for age_ns, fault in ((2 * 10**9, 'old'), (-2 * 10**9, 'old'), (0, 'stamp went back')):
        world.machine.hear_scan(world.now_s, good, clock_ns + age_ns)
        assert fault in world.machine.path_fault
    broken = RangeScan(clock_ns + 1, math.nan, math.radians(1), 0.1, 8.0, ranges)
    world.machine.hear_scan(world.now_s, broken, clock_ns)
    assert 'angle_min' in world.machine.path_fault
    assert world.step(FORWARD) == FORWARD


floats = st.floats(allow_nan=True, allow_infinity=True)
event = st.one_of(
    st.tuples(
        st.just('scan'), st.lists(st.floats(0.0, 4.0) | floats, max_size=30), st.floats(-1, 1)
    ),
    st.tuples(st.just('odometry'), st.floats(-0.1, 0.1) | floats, st.floats(-0.3, 0.3) | floats),
    st.tuples(st.just('range'), st.floats(0.0, 3.0), st.just(0)),
    st.tuples(st.just('command'), st.floats(-0.6, 0.6), st.floats(-1.5, 1.5)),
    st.tuples(st.just('wait'), st.floats(0.0, 0.7), st.just(0)),
)


def _tell(machine: AlertMachine, now_s: float, one: tuple[object, ...], index: int) -> Velocity:
    clock_ns = CLOCK_NS + round(now_s * 1e9)
    kind, first, second = one
    if kind == 'scan':
        stamp_ns = clock_ns - index % 3 * 10**7
        scan = RangeScan(stamp_ns, -0.5, 0.04, 0.1, 8.0, np.array(first, float))
        machine.hear_scan(now_s, scan, clock_ns)
    elif kind == 'odometry':
        heading = float(second)  # type: ignore[arg-type]
        if not math.isfinite(heading):
            heading = 0.0
        machine.hear_odometry(
            now_s,
            planar_odometry(clock_ns, float(first) * index, 0.0, heading),
            clock_ns,  # type: ignore[arg-type]
        )
    elif kind == 'range':
        reading = RangeReading(float(first), 0.0, 10.0, clock_ns, 0.1)  # type: ignore[arg-type]
        machine.hear(now_s, reading, clock_ns)
    elif kind == 'command':
        command = Velocity(
            linear_x=float(first),  # type: ignore[arg-type]
            angular_z=float(second),  # type: ignore[arg-type]
        )
        return machine.gate(now_s, command)
    machine.advance(now_s)
    return ZERO_VELOCITY


@settings(max_examples=120, deadline=None)
@given(
    st.lists(event, max_size=30),
    st.sampled_from(['', OUTLINE]),
)
def test_memory_never_permits_more_than_the_distance_alone_but_for_leaving(
    events: list[tuple[object, ...]], outline: str
) -> None:
    plain = AlertMachine(AlertConfig(release_count=2))
    judged = AlertMachine(AlertConfig(release_count=2, footprint_radius_m=0.2, footprint=outline))
    now_s = 0.0
    for index, one in enumerate(events):
        now_s += 0.05 + (float(one[1]) if one[0] == 'wait' else 0.0)  # type: ignore[arg-type]
        usual, passed = (_tell(machine, now_s, one, index) for machine in (plain, judged))
        assert judged.decision.state >= plain.decision.state
        if usual == ZERO_VELOCITY and passed != ZERO_VELOCITY:
            # The exception: away from an obstacle that is seen well, within the robot's own
            # outline or over where it came from.
            assert plain.decision.state is AlertState.STOP
            assert plain.decision.cause in ('near', 'closing', 'waiting')
            assert passed.linear_x <= 0.0
            assert outline == '' or passed.linear_x < 0.0 or passed.angular_z != 0.0
        else:
            assert abs(passed.linear_x) <= abs(usual.linear_x) + 1e-12
            assert abs(passed.angular_z) <= abs(usual.angular_z) + 1e-12


@settings(max_examples=60, deadline=None)
@given(st.lists(event, max_size=30))
def test_without_a_body_scans_and_odometry_change_nothing(
    events: list[tuple[object, ...]],
) -> None:
    plain, told = AlertMachine(AlertConfig()), AlertMachine(AlertConfig())
    now_s = 0.0
    for index, one in enumerate(events):
        now_s += 0.05
        passed = _tell(told, now_s, one, index)
        if one[0] in ('scan', 'odometry'):
            plain.advance(now_s)
        else:
            assert _tell(plain, now_s, one, index) == passed
        assert repr(plain.decision) == repr(told.decision)
