# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import itertools

from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.camera.orientation import level_axes
from fcrn_depth_ros.perception.scan_frame import (
    Quaternion,
    scan_frame_of,
    scan_rotation,
)
import numpy as np
import pytest

PITCHES_DEG = (-90.0, -45.0, -5.0, 0.0, 20.0, 60.0, 90.0)
ROLLS_DEG = (-180.0, -90.0, -30.0, 0.0, 5.0, 90.0, 180.0)
POSES_DEG = list(itertools.product(PITCHES_DEG, ROLLS_DEG))


def matrix_of(rotation: Quaternion) -> np.ndarray:
    x, y, z, w = rotation.x, rotation.y, rotation.z, rotation.w
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


@pytest.mark.parametrize(
    ('image_frame', 'scan_frame'),
    [
        ('camera_optical_frame', 'camera_scan'),
        ('camera_optical', 'camera_scan'),
        ('camera', 'camera_scan'),
        ('/camera_optical_frame', 'camera_scan'),
        ('robot1/camera_optical_frame', 'robot1/camera_scan'),
        ('', ''),
    ],
)
def test_the_scan_frame_is_named_after_the_image_frame(image_frame: str, scan_frame: str) -> None:
    assert scan_frame_of(image_frame) == scan_frame


@pytest.mark.parametrize('mounting', [None, CameraMounting(0.5)])
def test_an_upright_level_camera_looks_along_x(mounting: CameraMounting | None) -> None:
    ahead, left, up = level_axes(mounting)
    np.testing.assert_allclose(ahead, [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(left, [-1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(up, [0, -1, 0], atol=1e-12)


@pytest.mark.parametrize(('pitch_deg', 'roll_deg'), POSES_DEG)
def test_the_scan_frame_is_level_and_looks_where_the_camera_looks(
    pitch_deg: float, roll_deg: float
) -> None:
    mounting = CameraMounting(0.5, pitch_deg, roll_deg)
    matrix = matrix_of(scan_rotation(mounting))
    np.testing.assert_allclose(matrix, np.column_stack(level_axes(mounting)), atol=1e-9)
    np.testing.assert_allclose(matrix[:, 2], -mounting.down_vector(), atol=1e-9)  # z up
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(3), atol=1e-9)
    assert np.linalg.det(matrix) == pytest.approx(1.0)
    # The optical axis lies in the plane of x and z, pitched down from x.
    pitch = np.radians(pitch_deg)
    np.testing.assert_allclose(
        matrix.T @ [0.0, 0.0, 1.0], [np.cos(pitch), 0.0, -np.sin(pitch)], atol=1e-9
    )


def test_a_point_straight_ahead_of_a_pitched_and_rolled_camera_keeps_its_height() -> None:
    mounting = CameraMounting(1.0, pitch_deg=30.0, roll_deg=10.0)
    on_the_floor = 2.0 * np.array([0.0, 0.0, 1.0])  # where the axis of a 1 m high camera hits it
    x, y, z = matrix_of(scan_rotation(mounting)).T @ on_the_floor
    assert (x, y, z) == pytest.approx((np.sqrt(3.0), 0.0, -1.0))


@pytest.mark.parametrize('angle_deg', [0.0, 0.05, 1.0, 40.0])
def test_the_angle_between_two_rotations(angle_deg: float) -> None:
    first = scan_rotation(CameraMounting(0.5, 10.0, 3.0))
    second = scan_rotation(CameraMounting(0.5, 10.0 + angle_deg, 3.0))
    assert first.angle_to_deg(second) == pytest.approx(angle_deg, abs=1e-5)


@pytest.mark.parametrize(('pitch_deg', 'roll_deg'), POSES_DEG)
def test_the_quaternion_has_one_sign(pitch_deg: float, roll_deg: float) -> None:
    rotation = scan_rotation(CameraMounting(0.5, pitch_deg, roll_deg))
    assert rotation.w >= 0.0
    assert np.linalg.norm([rotation.x, rotation.y, rotation.z, rotation.w]) == pytest.approx(1.0)
