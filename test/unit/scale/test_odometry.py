# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Odometry to camera poses: the place on the robot, the time between messages, hostile input."""

from __future__ import annotations

import math

from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.odometry import OdometryReading, planar_odometry
from fcrn_depth_ros.scale.odometry import (
    angle_of,
    CameraPlace,
    MAX_AHEAD_S,
    OdometryTrack,
    rotation_by,
)
import numpy as np
import pytest

NS = 1_000_000_000


def straight(count: int = 10, speed_mps: float = 0.5, period_s: float = 0.05) -> OdometryTrack:
    track = OdometryTrack()
    for index in range(count):
        time_s = index * period_s
        track.add(planar_odometry(NS + round(time_s * NS), speed_mps * time_s, 0.0, 0.0))
    return track


def test_a_pose_lies_between_its_messages() -> None:
    track = OdometryTrack()
    track.add(planar_odometry(NS, 0.0, 0.0, 0.0))
    track.add(planar_odometry(NS + NS // 10, 0.1, 0.0, 0.2))
    pose = track.at(NS + NS // 20)
    assert pose is not None
    assert pose.position_m == pytest.approx([0.05, 0.0, 0.0])
    assert angle_of(pose.rotation) == pytest.approx(0.1)


def test_motion_is_carried_on_for_a_moment_and_no_longer() -> None:
    track = straight()
    newest_ns = NS + round(9 * 0.05 * NS)
    ahead = track.at(newest_ns + round(0.1 * NS))
    assert ahead is not None
    assert ahead.position_m[0] == pytest.approx(0.5 * (0.45 + 0.1))
    assert track.at(newest_ns + round(MAX_AHEAD_S * NS)) is not None
    assert track.at(newest_ns + round((MAX_AHEAD_S + 0.001) * NS)) is None
    assert track.at(NS - 1) is None
    assert OdometryTrack().at(NS) is None


@pytest.mark.parametrize(
    ('stamp_s', 'x_m', 'quaternion', 'fault'),
    [
        (0.46, math.nan, (0.0, 0.0, 0.0, 1.0), 'position'),
        (0.46, 0.23, (0.0, 0.0, 0.0, 0.0), 'orientation'),
        (0.46, 0.23, (math.nan, 0.0, 0.0, 1.0), 'orientation'),
        (0.40, 0.23, (0.0, 0.0, 0.0, 1.0), 'time went back'),
        (0.46, 2.0, (0.0, 0.0, 0.0, 1.0), 'jumped'),
        (0.46, 0.23, (0.0, 0.0, 1.0, 0.0), 'jumped'),
        (5.0, 0.23, (0.0, 0.0, 0.0, 1.0), 'no message'),
        (-2.0, 0.23, (0.0, 0.0, 0.0, 1.0), 'stamp'),
    ],
)
def test_what_cannot_be_true_begins_a_new_epoch(
    stamp_s: float, x_m: float, quaternion: tuple[float, float, float, float], fault: str
) -> None:
    track = straight()
    before = track.at(NS + NS // 4)
    stamp_ns = NS + round(stamp_s * NS)
    track.add(OdometryReading(stamp_ns, (x_m, 0.0, 0.0), quaternion))
    assert fault in track.fault
    assert track.at(stamp_ns) is None
    for index in range(1, 4):
        track.add(planar_odometry(stamp_ns + 10 * NS + index * NS // 20, 0.0, 0.0, 0.0))
    after = track.at(stamp_ns + 10 * NS + NS // 10)
    assert before is not None and after is not None
    assert after.epoch != before.epoch


def test_the_same_message_twice_is_no_fault() -> None:
    track = straight()
    track.add(planar_odometry(NS + round(0.45 * NS), 0.225, 0.0, 0.0))
    assert not track.fault
    assert track.at(NS + NS // 4) is not None


def test_the_camera_of_a_turning_robot_moves_sideways() -> None:
    track = OdometryTrack()
    track.add(planar_odometry(NS, 0.0, 0.0, 0.0))
    track.add(planar_odometry(NS + NS // 10, 0.0, 0.0, 0.1))
    place = CameraPlace.stated(CameraMounting(0.3), x_m=0.2)
    first, last = track.at(NS), track.at(NS + NS // 10)
    assert first is not None and last is not None
    rotation, translation = place.pose(last).seen_from(place.pose(first))
    # It turned to the left and moved to the left: what stands still goes to the right.
    assert translation == pytest.approx([0.2 * math.sin(0.1), 0.0, 0.2 * (math.cos(0.1) - 1)])
    assert (rotation @ [0.0, 0.0, 1.0])[0] == pytest.approx(math.sin(0.1))


@pytest.mark.parametrize('pitch_deg', [-20.0, 0.0, 30.0])
@pytest.mark.parametrize('yaw_deg', [0.0, 90.0, 180.0])
def test_driving_ahead_shows_pitch_and_yaw(pitch_deg: float, yaw_deg: float) -> None:
    place = CameraPlace.stated(CameraMounting(0.3, pitch_deg), yaw_deg=yaw_deg)
    track = straight()
    first, last = track.at(NS), track.at(NS + round(0.4 * NS))
    assert first is not None and last is not None
    _, translation = place.pose(last).seen_from(place.pose(first))
    pitch, yaw = math.radians(pitch_deg), math.radians(yaw_deg)
    ahead = [math.sin(yaw), -math.sin(pitch) * math.cos(yaw), math.cos(pitch) * math.cos(yaw)]
    assert translation == pytest.approx(-0.2 * np.array(ahead), abs=1e-9)


def test_a_level_camera_is_assumed_with_a_large_uncertainty() -> None:
    unknown, known = CameraPlace.stated(None), CameraPlace.stated(CameraMounting(0.3))
    assert unknown.rotation == pytest.approx(known.rotation)
    assert unknown.axis_sigma_rad > 5 * known.axis_sigma_rad


@pytest.mark.parametrize('vector', [(0.0, 0.0, 0.0), (0.1, -0.2, 0.3), (0.0, 3.0, 0.0)])
def test_a_rotation_has_the_angle_of_its_vector(vector: tuple[float, float, float]) -> None:
    rotation = rotation_by(np.array(vector))
    assert rotation @ rotation.T == pytest.approx(np.eye(3))
    assert angle_of(rotation) == pytest.approx(math.hypot(*vector))
