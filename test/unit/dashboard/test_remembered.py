# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What alert_node publishes of its memory, and what the page makes of it."""

from __future__ import annotations

import math

from fcrn_depth_ros.alert.memory import RememberedPoints
from fcrn_depth_ros.dashboard.remembered import remembered
from fcrn_depth_ros.errors import FrameError
from fcrn_depth_ros.ros.memory_points import memory_points_message, read_memory_points
import numpy as np
import pytest
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header


def cloud(*xy_m: tuple[float, float], age_s: float = 2.0) -> PointCloud2:
    count = len(xy_m)
    places = np.array(xy_m, np.float64).reshape(count, 2)
    doubt_m, swing_m, ages_s = (np.full(count, value) for value in (0.1, 0.05, age_s))
    return memory_points_message(Header(), RememberedPoints(places, doubt_m, swing_m, ages_s))


def test_what_was_written_is_read() -> None:
    points = read_memory_points(cloud((1.0, 0.5), (0.3, -0.2)))
    assert points == pytest.approx(np.array([[1.0, 0.5, 2.0, 0.15], [0.3, -0.2, 2.0, 0.15]]))
    swapped = cloud((1.0, 0.5))
    swapped.data = np.frombuffer(bytes(swapped.data), '<f4').astype('>f4').tobytes()
    swapped.is_bigendian = True
    assert read_memory_points(swapped)[0, :2].tolist() == [1.0, 0.5]


@pytest.mark.parametrize('change', ['fields', 'step', 'data', 'type'])
def test_another_cloud_is_refused_and_named(change: str) -> None:
    message = cloud((1.0, 0.5))
    if change == 'fields':
        message.fields = message.fields[:3]
    elif change == 'step':
        message.point_step = 24
    elif change == 'data':
        message.data = message.data[:-1]
    else:
        message.fields[3].datatype = 8
    with pytest.raises(FrameError, match='proximity/memory must hold x, y, z, age, doubt'):
        read_memory_points(message)
    assert list(remembered(message, (0.0, 0.0, 0.0))) == ['problem']


@pytest.mark.parametrize(
    ('camera', 'place'),
    [
        ((0.0, 0.0, 0.0), [1.0, 0.5]),
        ((0.25, 0.0, 0.0), [0.75, 0.5]),
        ((0.0, 0.5, 0.0), [1.0, 0.0]),
        # The camera looks to the left: what is ahead of the robot is on its right.
        ((0.0, 0.0, 90.0), [0.5, -1.0]),
        ((None, None, 'x'), [1.0, 0.5]),
        ((math.nan, 0.0, 0.0), [1.0, 0.5]),
    ],
)
def test_it_is_placed_around_the_camera(camera: tuple[object, ...], place: list[float]) -> None:
    points = remembered(cloud((1.0, 0.5)), camera)['points']
    assert points == [[*place, 2.0, 0.15]]


def test_the_nearest_come_first_and_not_too_many() -> None:
    many = [(0.01 * number, 0.0) for number in range(400, 0, -1)]
    points = remembered(cloud(*many, (math.nan, 1.0)), (0.0, 0.0, 0.0))['points']
    assert len(points) == 300
    assert points[0][0] == 0.01 and points[-1][0] == 3.0


def test_nothing_remembered_is_no_points() -> None:
    assert remembered(cloud(), (0.1, 0.0, 5.0)) == {'points': []}
