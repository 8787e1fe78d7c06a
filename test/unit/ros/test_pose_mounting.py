# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The mounting of each image, from stamped poses."""

from __future__ import annotations

import math

from builtin_interfaces.msg import Time
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.ros.pose_mounting import pose_of_mounting
from fcrn_depth_ros.wire.pose_mounting import mounting_of_pose, NEAR_NS, PoseMounting
from geometry_msgs.msg import Pose, PoseStamped
import pytest


@pytest.mark.parametrize('height_m', [0.1, 1.3])
@pytest.mark.parametrize('pitch_deg', [-89.0, -30.0, 0.0, 8.0, 45.0, 89.0])
@pytest.mark.parametrize('roll_deg', [-179.0, -90.0, -3.0, 0.0, 90.0, 170.0])
def test_a_mounting_comes_back_from_its_pose(
    height_m: float, pitch_deg: float, roll_deg: float
) -> None:
    back = mounting_of_pose(pose_of_mounting(CameraMounting(height_m, pitch_deg, roll_deg)))
    assert back is not None
    assert back.height_m == height_m
    assert back.pitch_deg == pytest.approx(pitch_deg, abs=1e-4)
    assert back.roll_deg == pytest.approx(roll_deg, abs=1e-3)


@pytest.mark.parametrize('pitch_deg', [-90.0, 90.0])
def test_straight_down_and_up(pitch_deg: float) -> None:
    back = mounting_of_pose(pose_of_mounting(CameraMounting(1.0, pitch_deg)))
    assert back is not None and back.pitch_deg == pytest.approx(pitch_deg, abs=1e-4)


def pose(**changes: float) -> Pose:
    good = pose_of_mounting(CameraMounting(1.0, 10.0))
    for name, value in changes.items():
        part = good.position if name == 'height' else good.orientation
        setattr(part, 'z' if name == 'height' else name, value)
    return good


@pytest.mark.parametrize(
    'changes',
    [
        {'height': 0.0},
        {'height': -1.0},
        {'height': 101.0},
        {'height': math.nan},
        {'x': math.inf},
        {'w': 3.0},
        {'x': 0.0, 'y': 0.0, 'z': 0.0, 'w': 0.0},
    ],
)
def test_what_is_no_pose_above_the_floor_is_unknown(changes: dict[str, float]) -> None:
    assert mounting_of_pose(pose(**changes)) is None


def stamped(stamp_ns: int, height_m: float) -> PoseStamped:
    message = PoseStamped(pose=pose(height=height_m))
    message.header.stamp = Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return message


def test_the_nearest_pose_counts_and_only_where_it_is_near() -> None:
    poses = PoseMounting()
    assert poses.look_up(0) is None
    poses.take(stamped(10**9, 1.0))
    poses.take(stamped(10**9 + NEAR_NS, 2.0))
    found = [poses.look_up(10**9 + offset) for offset in (0, NEAR_NS // 2 + 1, 2 * NEAR_NS)]
    assert [mounting and mounting.height_m for mounting in found] == [1.0, 2.0, 2.0]
    assert poses.look_up(10**9 + 2 * NEAR_NS + 1) is None
    assert poses.look_up(10**9 - NEAR_NS) is not None
    assert poses.look_up(10**9 - NEAR_NS - 1) is None


def test_a_bad_pose_makes_its_moment_unknown() -> None:
    poses = PoseMounting()
    poses.take(stamped(10**9, 1.0))
    poses.take(stamped(10**9, -1.0))
    assert poses.look_up(10**9) is None


def test_only_the_latest_are_kept() -> None:
    poses = PoseMounting()
    for number in range(40):
        poses.take(stamped(number * 10**9, 1.0))
    assert poses.look_up(9 * 10**9) is None
    assert poses.look_up(10 * 10**9) is not None
