# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Mounting: geometry of the floor, and finding it in depth maps that are known exactly."""

from __future__ import annotations

import math

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import (
    CameraMounting,
    fit_floor,
    floor_scale,
    inverse_floor_depth,
)
from fcrn_depth_ros.errors import ConfigurationError, DepthShapeError
import numpy as np
import pytest

CAMERA = CameraIntrinsics(130.0, 130.0, 79.5, 59.5, 160, 120)


def room(mounting: CameraMounting, wall_m: float = 4.0) -> np.ndarray:
    """Return the depth of an empty floor that ends at a wall across the optical axis."""
    with np.errstate(divide='ignore'):
        return np.minimum(1.0 / inverse_floor_depth(CAMERA, mounting), wall_m)


def test_level_camera_sees_the_floor_below_the_horizon():
    inverse = inverse_floor_depth(CAMERA, CameraMounting(1.5))
    assert inverse.shape == (120, 160)
    assert inverse.dtype == np.float32
    assert not inverse[:60].any()
    # 59.5 px below the centre: 59.5 / 130 down per metre forward.
    assert inverse[119] == pytest.approx(59.5 / 130 / 1.5, rel=1e-5)


def test_pitch_is_positive_downward():
    camera = CameraIntrinsics(100.0, 100.0, 50.0, 50.0, 101, 101)
    inverse = inverse_floor_depth(camera, CameraMounting(1.0, pitch_deg=30.0))
    # Along the optical axis the floor is 1 / sin(30 deg) away.
    assert 1.0 / inverse[50, 50] == pytest.approx(2.0, rel=1e-5)


def test_roll_is_positive_clockwise_seen_from_behind():
    # Clockwise: the camera's right side sinks, so the right of the image looks at the floor.
    inverse = inverse_floor_depth(CAMERA, CameraMounting(1.0, roll_deg=10.0))
    assert inverse[60, 159] > 0.0
    assert inverse[60, 0] == 0.0


@pytest.mark.parametrize('mounting', [(0.3, 10.0, 5.0), (1.4, -20.0, -30.0), (1.0, 89.0, 0.0)])
def test_down_vector_and_back(mounting):
    original = CameraMounting(*mounting)
    down = original.down_vector()
    assert np.linalg.norm(down) == pytest.approx(1.0)
    again = CameraMounting.from_down_vector(3.0 * down, original.height_m)
    assert again.pitch_deg == pytest.approx(original.pitch_deg)
    assert again.roll_deg == pytest.approx(original.roll_deg, abs=1e-9)


@pytest.mark.parametrize(
    ('values', 'name'),
    [
        ((0.0, 0.0, 0.0), 'height'),
        ((-1.0, 0.0, 0.0), 'height'),
        ((math.nan, 0.0, 0.0), 'height'),
        ((100.1, 0.0, 0.0), 'height'),
        ((1.0, 90.1, 0.0), 'pitch'),
        ((1.0, math.nan, 0.0), 'pitch'),
        ((1.0, 0.0, -180.1), 'roll'),
    ],
)
def test_impossible_mountings_are_refused(values, name):
    with pytest.raises(ConfigurationError, match=name):
        CameraMounting(*values)


def test_bounds_of_a_mounting_are_allowed():
    CameraMounting(100.0, -90.0, 180.0)


@pytest.mark.parametrize(
    'mounting',
    [
        CameraMounting(1.4, 12.0, 0.0),
        CameraMounting(0.6, 5.0, -8.0),
        CameraMounting(0.15, 0.0, 3.0),
        CameraMounting(1.0, 60.0, 0.0),
    ],
)
def test_floor_is_found_with_noise_clutter_and_holes(mounting):
    random = np.random.default_rng(1)
    depth = room(mounting)
    depth = depth + random.normal(0.0, 0.003, depth.shape) * depth**2
    # A box that stands in the way, holes, and some points that cannot be.
    depth[40:100, 50:90] = np.minimum(depth[40:100, 50:90], 0.8)
    depth[random.random(depth.shape) < 0.2] = np.nan
    depth[random.random(depth.shape) < 0.01] = 0.0
    found = fit_floor(depth, CAMERA)
    assert found is not None
    assert found.height_m == pytest.approx(mounting.height_m, rel=0.05)
    assert found.pitch_deg == pytest.approx(mounting.pitch_deg, abs=1.0)
    assert found.roll_deg == pytest.approx(mounting.roll_deg, abs=1.0)


def test_table_above_a_visible_floor_is_not_the_floor():
    depth = room(CameraMounting(1.4, 25.0))
    table = 1.0 / np.maximum(inverse_floor_depth(CAMERA, CameraMounting(0.6, 25.0)), 1e-6)
    depth[60:120, :90] = table[60:120, :90]
    found = fit_floor(depth, CAMERA)
    assert found is not None
    assert found.height_m == pytest.approx(1.4, rel=0.03)


@pytest.mark.parametrize(
    'depth',
    [
        np.full((120, 160), 2.0),
        np.full((120, 160), np.nan),
        np.zeros((120, 160)),
        np.where(np.arange(19200).reshape(120, 160) < 90, 1.0, np.nan),
        1.0 / np.maximum(inverse_floor_depth(CAMERA, CameraMounting(3.0, 20.0)), 1e-3),
    ],
    ids=['wall', 'all NaN', 'all zero', 'few pixels', 'higher than allowed'],
)
def test_no_floor(depth):
    assert fit_floor(depth, CAMERA) is None


def test_fit_is_reproducible_and_bounded_by_what_is_asked():
    depth = room(CameraMounting(1.4, 12.0))
    assert fit_floor(depth, CAMERA, seed=5) == fit_floor(depth, CAMERA, seed=5)
    assert fit_floor(depth, CAMERA, max_height_m=1.3) is None
    assert fit_floor(depth, CAMERA, max_pitch_deg=10.0) is None
    assert fit_floor(depth, CAMERA, min_share=0.99) is None


@pytest.mark.parametrize('factor', [0.5, 1.0, 3.0])
def test_floor_scale_brings_the_floor_to_its_height(factor):
    mounting = CameraMounting(0.6, 10.0)
    scale = floor_scale(room(mounting) * factor, CAMERA, mounting)
    assert scale == pytest.approx(1.0 / factor, rel=0.03)


@pytest.mark.parametrize(
    ('depth', 'mounting'),
    [
        (np.full((120, 160), np.nan), CameraMounting(0.6, 10.0)),
        (np.full((120, 160), 2.0), CameraMounting(0.6, -60.0)),
        (room(CameraMounting(0.6, 10.0)) * 100.0, CameraMounting(0.6, 10.0)),
        (np.geomspace(0.1, 50.0, 19200).reshape(160, 120).T, CameraMounting(0.6, 10.0)),
    ],
    ids=['all NaN', 'looks up', 'factor too large', 'no floor'],
)
def test_floor_scale_is_unknown_rather_than_wrong(depth, mounting):
    assert floor_scale(depth, CAMERA, mounting) is None


def test_depth_of_another_size_is_refused():
    with pytest.raises(DepthShapeError, match='120, 160'):
        fit_floor(np.ones((10, 10)), CAMERA)
