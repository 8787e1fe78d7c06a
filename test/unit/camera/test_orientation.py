# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.camera.orientation import (
    lateral_slope,
    level_axes,
    quarter_turns,
    turn_intrinsics,
    turn_mounting,
    turn_picture,
)
import numpy as np
import pytest

CAMERA = CameraIntrinsics(30.0, 40.0, 10.0, 25.0, 64, 48)


@pytest.mark.parametrize(
    ('roll_deg', 'turns'),
    [
        (0.0, 0),
        (44.9, 0),
        (45.1, 1),
        (90.0, 1),
        (-90.0, 3),
        (-44.9, 0),
        (180.0, 2),
        (-180.0, 2),
        (136.0, 2),
        (-134.0, 3),
    ],
)
def test_the_nearest_quarter_is_undone(roll_deg: float, turns: int) -> None:
    assert quarter_turns(CameraMounting(1.0, 0.0, roll_deg)) == turns
    left = turn_mounting(CameraMounting(1.0, 7.0, roll_deg), turns)
    assert abs(left.roll_deg) <= 45.0
    assert (left.height_m, left.pitch_deg) == (1.0, 7.0)


@pytest.mark.parametrize('turns', [-1, 0, 1, 2, 3])
def test_pixels_rays_and_gravity_turn_together(turns: int) -> None:
    mounting = CameraMounting(1.0, 10.0, 20.0)
    toward_floor = CAMERA.rays() @ mounting.down_vector()
    turned_camera = turn_intrinsics(CAMERA, turns)
    turned = turned_camera.rays() @ turn_mounting(mounting, turns).down_vector()
    np.testing.assert_allclose(turned, turn_picture(toward_floor, turns), atol=1e-5)
    assert turn_intrinsics(turned_camera, -turns) == CAMERA


def test_one_turn_is_clockwise() -> None:
    assert turn_picture(np.array([[1, 2], [3, 4]]), 1).tolist() == [[3, 1], [4, 2]]
    assert turn_picture(np.array([[1, 2], [3, 4]]), -1).tolist() == [[2, 4], [1, 3]]


@pytest.mark.parametrize(
    ('pitch_deg', 'roll_deg'), [(0, 0), (25, 0), (-30, 0), (10, 15), (20, -90), (5, 180)]
)
def test_level_axes_are_level_and_right_handed(pitch_deg: float, roll_deg: float) -> None:
    mounting = CameraMounting(1.0, pitch_deg, roll_deg)
    ahead, left, up = level_axes(mounting)
    np.testing.assert_allclose(up, -mounting.down_vector(), atol=1e-6)
    np.testing.assert_allclose(np.cross(ahead, left), up, atol=1e-6)
    assert ahead[2] > 0 and abs(left[2]) < 1e-6


def test_without_a_mounting_the_optical_axis_is_level() -> None:
    np.testing.assert_allclose(level_axes(None), [[0, 0, 1], [-1, 0, 0], [0, -1, 0]], atol=1e-7)


def test_left_is_where_the_roll_puts_it() -> None:
    upright = lateral_slope(CAMERA)
    assert upright.shape == (48, 64)
    np.testing.assert_allclose(upright[0], (10.0 - np.arange(64)) / 30.0, atol=1e-6)
    # Rolled clockwise by 90 degrees, the right edge of the image is down and its top is right.
    rolled = lateral_slope(CAMERA, CameraMounting(1.0, 0.0, 90.0))
    np.testing.assert_allclose(rolled[:, 0], (np.arange(48) - 25.0) / 40.0, atol=1e-6)
