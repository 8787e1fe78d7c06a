# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Dead reckoning: good odometry, none, and odometry that lies in every way it can."""

from __future__ import annotations

import math

from fcrn_depth_ros.alert.robot_track import ODOMETRY_TIMEOUT_S, RobotTrack
from fcrn_depth_ros.alert.speed_limit import Velocity, ZERO_VELOCITY
from fcrn_depth_ros.odometry import OdometryReading, planar_odometry
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

CLOCK_NS = 1_800_000_000 * 10**9
PERIOD_S = 0.05
ANY = st.floats(allow_nan=True, allow_infinity=True)


def stamp(time_s: float) -> int:
    return CLOCK_NS + round(time_s * 1e9)


def hear(
    track: RobotTrack, time_s: float, x_m: float, y_m: float = 0.0, turn: float = 0.0
) -> None:
    track.hear(time_s, planar_odometry(stamp(time_s), x_m, y_m, turn), stamp(time_s))


def driven(speed_mps: float, turn_radps: float, steps: int, start: float = 0.0) -> RobotTrack:
    """Follow a robot that odometry places well, in a frame of any orientation."""
    track, x_m, y_m, heading = RobotTrack(), 5.0, -3.0, start
    for step in range(steps + 1):
        hear(track, step * PERIOD_S, x_m, y_m, heading)
        middle = heading + turn_radps * PERIOD_S / 2
        x_m += speed_mps * PERIOD_S * math.cos(middle)
        y_m += speed_mps * PERIOD_S * math.sin(middle)
        heading += turn_radps * PERIOD_S
    return track


@pytest.mark.parametrize('start', [0.0, 2.0, math.pi])
def test_odometry_is_followed_whatever_its_frame(start: float) -> None:
    pose = driven(0.5, 0.0, 20, start).at(1.0)
    assert (pose.x_m, pose.y_m, pose.heading_rad) == pytest.approx((0.5, 0.0, 0.0), abs=1e-6)
    assert pose.is_measured
    pose = driven(0.5, 1.0, 20, start).at(1.0)
    radius_m = 0.5
    assert pose.x_m == pytest.approx(radius_m * math.sin(1.0), abs=1e-3)
    assert pose.y_m == pytest.approx(radius_m * (1 - math.cos(1.0)), abs=1e-3)
    assert pose.heading_rad == pytest.approx(1.0)


def test_a_pose_between_two_readings_is_between_them() -> None:
    assert driven(0.5, 0.0, 20).at(0.525).x_m == pytest.approx(0.2625)


def test_the_drift_grows_with_the_way() -> None:
    track = driven(0.5, 0.0, 40)
    drifts = [track.at(time_s).drift_m for time_s in (0.0, 1.0, 2.0)]
    # Nothing was commanded: what odometry says beyond that is half believed.
    assert 0.02 < drifts[1] - drifts[0] < 0.2
    assert drifts[2] - drifts[1] == pytest.approx(drifts[1] - drifts[0], rel=0.1)


def test_without_odometry_the_command_is_followed_with_more_drift() -> None:
    track = RobotTrack()
    track.move(0.0, Velocity(linear_x=0.4, angular_z=0.0))
    pose = track.at(2.0)
    assert pose.x_m == pytest.approx(0.8) and not pose.is_measured
    assert pose.drift_m > 0.2
    track.move(2.0, ZERO_VELOCITY)
    assert track.at(10.0).x_m == pytest.approx(0.8)
    assert track.at(10.0).drift_m == pytest.approx(pose.drift_m)


def test_odometry_that_falls_silent_gives_way_to_the_command() -> None:
    track = driven(0.5, 0.0, 20)
    track.move(1.0, Velocity(linear_x=0.5))
    track.advance(1.0 + ODOMETRY_TIMEOUT_S - 0.01)
    assert track.is_measured(1.0 + ODOMETRY_TIMEOUT_S - 0.01)
    track.advance(2.0)
    assert not track.is_measured(2.0)
    assert track.at(2.0).x_m == pytest.approx(1.0)
    # It comes back, elsewhere: that is no motion.
    for step in range(20):
        hear(track, 2.0 + step * PERIOD_S, 100.0)
    assert track.is_measured(2.95)
    assert track.at(2.0).x_m == pytest.approx(1.0, abs=0.05)
    assert track.at(2.95).x_m == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ('reading', 'fault'),
    [
        (planar_odometry(stamp(1.05), math.nan, 0.0, 0.0), 'position'),
        (OdometryReading(None, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)), 'stamp'),
        (planar_odometry(stamp(1.05), 50.0, -3.0, 0.0), 'jumped'),
        (planar_odometry(stamp(0.9), 5.5, -3.0, 0.0), 'time went back'),
        (planar_odometry(stamp(1.05 - 0.6), 5.5, -3.0, 0.0), 'old'),
    ],
)
def test_what_cannot_be_true_moves_nothing(reading: OdometryReading, fault: str) -> None:
    track = driven(0.5, 0.0, 20)
    track.hear(1.05, reading, stamp(1.05))
    assert fault in track.fault
    assert track.at(1.05).x_m == pytest.approx(0.5)
    assert track.at(1.05).y_m == pytest.approx(0.0)


def test_odometry_that_stands_still_while_the_robot_is_told_to_move_is_doubted() -> None:
    track, honest = RobotTrack(), RobotTrack()
    for one, speed_mps in ((track, 0.0), (honest, 0.5)):
        one.move(0.0, Velocity(linear_x=0.5))
        for step in range(41):
            hear(one, step * PERIOD_S, speed_mps * step * PERIOD_S)
    assert track.at(2.0).drift_m > 0.15
    assert honest.at(2.0).drift_m < 0.1


def test_nothing_says_how_it_moves_before_anything_came() -> None:
    track = RobotTrack()
    assert not track.is_known(0.0)
    track.move(0.0, ZERO_VELOCITY)
    assert track.is_known(0.0)
    assert driven(0.1, 0.0, 3).is_known(0.15)


def test_the_trail_ends_where_odometry_began() -> None:
    track = RobotTrack()
    track.move(0.0, Velocity(linear_x=1.0))
    track.advance(1.0)
    for step in range(21):
        hear(track, 1.0 + step * PERIOD_S, 0.5 * step * PERIOD_S)
    trail = track.trail(2.0, 30.0)
    assert trail[:, 0].min() >= 1.0 - 1e-9 and trail[:, 0].max() == pytest.approx(1.5)
    assert track.trail(2.0, 0.2)[:, 0].min() >= 1.38
    assert len(RobotTrack().trail(0.0, 1.0)) == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(-1.0, 1.0),
            ANY,
            ANY,
            ANY,
            st.integers(-(2**62), 2**62) | st.none(),
            st.floats(-3.0, 3.0),
        ),
        max_size=12,
    )
)
def test_hostile_odometry_never_moves_the_robot_faster_than_anything_drives(
    events: list[tuple[float, float, float, float, int | None, float]],
) -> None:
    track, now_s = RobotTrack(), 0.0
    before = track.at(0.0)
    for passed_s, x_m, y_m, heading, stamp_ns, speed_mps in events:
        step_s = max(0.0, passed_s)
        now_s += step_s
        quaternion = (
            (0.0, 0.0, math.sin(heading / 2), math.cos(heading / 2))
            if math.isfinite(heading)
            else (0.0, 0.0, heading, 1.0)
        )
        reading = OdometryReading(
            stamp_ns if stamp_ns is None or stamp_ns % 2 else stamp(now_s),
            (x_m, y_m, 0.0),
            quaternion,
        )
        track.hear(now_s, reading, stamp(now_s))
        track.move(now_s, Velocity(linear_x=speed_mps))
        pose = track.at(now_s)
        assert all(map(math.isfinite, (pose.x_m, pose.y_m, pose.heading_rad)))
        assert pose.drift_m >= 0.0 and pose.drift_rad >= 0.0
        moved_m = math.hypot(pose.x_m - before.x_m, pose.y_m - before.y_m)
        assert moved_m <= 5.0 * (step_s + 1.0) + 0.1
        before = pose
