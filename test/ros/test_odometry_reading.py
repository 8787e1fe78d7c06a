# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A pose out of nav_msgs/Odometry, whatever stands in the message."""

from __future__ import annotations

import math

from builtin_interfaces.msg import Time
from fcrn_depth_ros.odometry import OdometryReading, planar_odometry
from fcrn_depth_ros.wire.odometry_reading import odometry_reading
from hypothesis import given, settings
from nav_msgs.msg import Odometry
import pytest
from random_messages import messages


def test_every_field_is_read() -> None:
    message = Odometry()
    message.header.stamp = Time(sec=5, nanosec=7)
    pose = message.pose.pose
    pose.position.x, pose.position.y, pose.position.z = 1.0, 2.0, 3.0
    pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = (
        0.1, 0.2, 0.3, 0.4,
    )  # fmt: skip
    assert odometry_reading(message) == OdometryReading(
        5_000_000_007, (1.0, 2.0, 3.0), (0.1, 0.2, 0.3, 0.4)
    )


def test_a_malformed_stamp_is_none_and_a_flaw() -> None:
    message = Odometry()
    message.pose.pose.orientation.w = 1.0
    message.header.stamp = Time(sec=5, nanosec=1_000_000_000)
    assert odometry_reading(message).stamp_ns is None
    assert 'stamp' in odometry_reading(message).flaw()


@pytest.mark.parametrize('heading_rad', [0.0, 0.5, -3.0, math.pi / 2])
def test_the_heading_comes_back(heading_rad: float) -> None:
    reading = planar_odometry(1, 1.0, 2.0, heading_rad)
    assert reading.flaw() == ''
    assert reading.heading_rad == pytest.approx(heading_rad)


@pytest.mark.parametrize(
    ('position_m', 'quaternion', 'flaw'),
    [
        ((math.nan, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0), 'position'),
        ((0.0, math.inf, 0.0), (0.0, 0.0, 0.0, 1.0), 'position'),
        ((0.0, 0.0, 1.1e6), (0.0, 0.0, 0.0, 1.0), 'position'),
        ((0.0, 0.0, 1e6), (0.0, 0.0, 0.0, 1.0), ''),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0), 'orientation'),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.9), 'orientation'),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.91), ''),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, math.nan), 'orientation'),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.1), 'orientation'),
    ],
)
def test_flaws_are_named(
    position_m: tuple[float, float, float],
    quaternion: tuple[float, float, float, float],
    flaw: str,
) -> None:
    found = OdometryReading(1, position_m, quaternion).flaw()
    assert flaw in found and bool(flaw) == bool(found)


@pytest.mark.parametrize('stamp_ns', [None, 0, -5])
def test_no_time_is_a_flaw(stamp_ns: int | None) -> None:
    pose = planar_odometry(1, 0.0, 0.0, 0.0)
    assert 'stamp' in OdometryReading(stamp_ns, pose.position_m, pose.quaternion_xyzw).flaw()


@settings(max_examples=100, deadline=None)
@given(messages(Odometry))
def test_no_message_is_an_error(message: Odometry) -> None:
    reading = odometry_reading(message)
    if not reading.flaw():
        assert math.isfinite(reading.heading_rad)
