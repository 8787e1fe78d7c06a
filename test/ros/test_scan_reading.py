# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A scan out of sensor_msgs/LaserScan, and what is remembered into sensor_msgs/PointCloud2."""

from __future__ import annotations

from builtin_interfaces.msg import Time
from fcrn_depth_ros.alert.memory import RememberedPoints
from fcrn_depth_ros.ros.memory_points import memory_points_message
from fcrn_depth_ros.wire.scan_reading import scan_reading
from hypothesis import given, settings
import numpy as np
from random_messages import messages
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Header


def test_every_field_is_read() -> None:
    message = LaserScan(angle_min=-0.5, angle_increment=0.25, range_min=0.125, range_max=8.0)
    message.header.stamp = Time(sec=5, nanosec=7)
    message.ranges = [1.0, float('inf'), 0.5]
    scan = scan_reading(message)
    assert scan.stamp_ns == 5_000_000_007 and scan.flaw() == ''
    assert (scan.angle_min_rad, scan.angle_increment_rad) == (-0.5, 0.25)
    assert (scan.range_min_m, scan.range_max_m) == (0.125, 8.0)
    assert scan.ranges_m.tolist() == [1.0, float('inf'), 0.5]


def test_a_malformed_stamp_is_a_flaw() -> None:
    message = LaserScan(angle_min=-0.5, angle_increment=0.25, range_min=0.125, range_max=8.0)
    message.header.stamp = Time(sec=5, nanosec=1_000_000_000)
    assert 'stamp' in scan_reading(message).flaw()


@settings(max_examples=60, deadline=None)
@given(messages(LaserScan))
def test_no_message_is_an_error(message: LaserScan) -> None:
    scan_reading(message).flaw()


def test_points_carry_their_age_and_doubt() -> None:
    points = RememberedPoints(
        np.array([[1.0, -0.5], [0.25, 2.0]]),
        np.array([0.125, 0.0]),
        np.array([0.25, 0.0]),
        np.array([3.0, 0.0]),
    )
    message = memory_points_message(Header(frame_id='base_link'), points)
    assert [field.name for field in message.fields] == ['x', 'y', 'z', 'age', 'doubt']
    assert (message.width, message.height, message.point_step) == (2, 1, 20)
    assert message.row_step == len(message.data) == 40
    values = np.frombuffer(bytes(message.data), np.float32).reshape(-1, 5)
    assert values.tolist() == [[1.0, -0.5, 0.0, 3.0, 0.375], [0.25, 2.0, 0.0, 0.0, 0.0]]
    empty = RememberedPoints(np.zeros((0, 2)), *(np.zeros(0) for _ in range(3)))
    assert memory_points_message(Header(), empty).width == 0
