# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, inverse_floor_depth
import numpy as np
import pytest
from training.labels import (
    FLOOR,
    floor_labels,
    height_above,
    IGNORED,
    is_floor,
    MEASURED,
    MOST_BELOW,
    NOT_FLOOR,
    RENDERED,
)

CAMERA = CameraIntrinsics.from_field(64.0, 64.0, 64, 48)
MOUNTING = CameraMounting(0.5, 20.0, 5.0)
PLANE = MOUNTING.down_vector() / MOUNTING.height_m


def depth_at(height_m: float) -> np.ndarray:
    """Return the depth of a plane so high above the floor."""
    inverse = inverse_floor_depth(CAMERA, CameraMounting(0.5 - height_m, 20.0, 5.0))
    return np.where(inverse > 0.05, 1 / np.maximum(inverse, 0.05), 0)


@pytest.mark.parametrize(
    ('band', 'height_m', 'label'),
    [
        (MEASURED, 0.0, FLOOR),
        (MEASURED, 0.034, FLOOR),
        (MEASURED, -0.034, FLOOR),
        (MEASURED, 0.036, IGNORED),
        (MEASURED, -0.036, IGNORED),
        (MEASURED, 0.069, IGNORED),
        (MEASURED, 0.071, NOT_FLOOR),
        (MEASURED, -0.3, IGNORED),
        (RENDERED, 0.011, FLOOR),
        (RENDERED, 0.013, IGNORED),
        (RENDERED, 0.026, NOT_FLOOR),
    ],
)
def test_label_of_a_height(band, height_m, label):
    depth = depth_at(height_m)
    near = (depth > 0) & (depth < 2.0)
    assert near.sum() > 500
    assert set(floor_labels(depth, CAMERA, PLANE, band)[near]) == {label}


def test_the_band_grows_with_the_errors_of_the_sensor():
    depth = depth_at(0.05)
    labels = floor_labels(depth, CAMERA, PLANE, MEASURED)
    assert set(labels[(depth > 0) & (depth < 2.4)]) == {IGNORED}
    assert (depth > 3.8).any() and set(labels[depth > 3.8]) == {FLOOR}


@pytest.mark.parametrize('depth_m', [0.0, np.nan])
def test_unknown_depth_is_ignored_below_the_horizon_and_no_floor_above_it(depth_m):
    level = CameraMounting(0.5)
    labels = floor_labels(
        np.full((48, 64), depth_m), CAMERA, level.down_vector() / level.height_m, MEASURED
    )
    assert set(labels[:20].ravel()) == {NOT_FLOOR}
    assert set(labels[22:].ravel()) == {IGNORED}


def test_height_above_the_floor():
    depth = depth_at(0.2)
    height = height_above(depth, CAMERA, PLANE)
    np.testing.assert_allclose(height[depth > 0], 0.2, atol=1e-4)
    assert np.isnan(height[depth == 0]).all()


@pytest.mark.parametrize(('height_m', 'is_one'), [(-0.068, True), (-0.072, False), (0.2, True)])
def test_next_to_nothing_lies_below_a_floor(height_m, is_one):
    depth = depth_at(0.0)
    on = (depth > 0) & (depth < 1.0)
    beside = np.flatnonzero((depth > 1.0) & (depth < 2.0))
    nothing = np.where(on, depth, 0)
    assert is_floor(nothing, CAMERA, PLANE)
    count = int(MOST_BELOW * on.sum())
    for more, expected in ((0, True), (1, is_one)):
        seen = nothing.copy()
        seen.flat[beside[: count + more]] = depth_at(height_m).flat[beside[: count + more]]
        assert is_floor(seen, CAMERA, PLANE) == expected
