# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, inverse_floor_depth
from fcrn_depth_ros.errors import ConfigurationError
from fcrn_depth_ros.perception.scan import depth_to_points, depth_to_scan, ObstacleScan, ScanConfig
from fcrn_depth_ros.scale.floor_plane import FloorPlane
import numpy as np
import pytest

CAMERA = CameraIntrinsics(60.0, 60.0, 47.5, 31.5, 96, 64)
CONFIG = ScanConfig()


def flat_wall(depth_m: float) -> np.ndarray:
    return np.full((64, 96), depth_m, np.float32)


def range_at(scan: ObstacleScan, angle_rad: float) -> float:
    index = round((angle_rad - scan.angle_min_rad) / scan.angle_increment_rad)
    return float(scan.ranges_m[index])


def test_points_of_a_known_pixel() -> None:
    points = depth_to_points(flat_wall(2.0), CAMERA)
    assert points[31, 47].tolist() == pytest.approx([-0.5 / 60 * 2, -0.5 / 60 * 2, 2.0])
    assert points[0, 95].tolist() == pytest.approx([47.5 / 60 * 2, -31.5 / 60 * 2, 2.0])


@pytest.mark.parametrize('angle', [-0.5, -0.2, 0.0, 0.3, 0.6])
@pytest.mark.parametrize('mounting', [None, CameraMounting(0.5)])
def test_a_wall_ahead_is_at_its_distance(angle: float, mounting: CameraMounting | None) -> None:
    scan = depth_to_scan(flat_wall(3.0), CAMERA, CONFIG, mounting)
    assert range_at(scan, angle) == pytest.approx(3.0 / math.cos(angle), rel=0.02)
    assert not np.isnan(scan.ranges_m).any()


def test_left_is_positive() -> None:
    depth = flat_wall(6.0)
    depth[:, :10] = 1.0
    scan = depth_to_scan(depth, CAMERA, CONFIG)
    assert range_at(scan, 0.62) < 2.0 < range_at(scan, -0.62)


@pytest.mark.parametrize(('pitch_deg', 'roll_deg'), [(0, 0), (20, 0), (-10, 8), (35, -5)])
def test_the_floor_is_no_obstacle(pitch_deg: float, roll_deg: float) -> None:
    mounting = CameraMounting(0.4, pitch_deg, roll_deg)
    inverse = inverse_floor_depth(CAMERA, mounting)
    depth = np.where(inverse > 0.15, 1 / np.maximum(inverse, 0.15), np.nan).astype(np.float32)
    ranges = depth_to_scan(depth, CAMERA, CONFIG, mounting).ranges_m
    assert np.isinf(ranges[np.isfinite(ranges) | np.isinf(ranges)]).all()
    assert np.isinf(ranges).any()


@pytest.mark.parametrize(
    ('height_m', 'is_obstacle'),
    [
        (0.14, False),
        (0.16, True),
        (1.99, True),
        (2.01, False),
    ],
)
def test_heights_on_both_sides_of_the_bounds(height_m: float, is_obstacle: bool) -> None:
    depth = np.full((64, 96), np.nan, np.float32)
    distance = 2.0
    mounting = CameraMounting(1.0, pitch_deg=0.0)
    row = round(CAMERA.cy_px + (1.0 - height_m) / distance * CAMERA.fy_px)
    if not 0 <= row < 64:
        pytest.fail('the test camera must see this height')
    exact = (row - CAMERA.cy_px) / CAMERA.fy_px
    depth[row, 48] = (1.0 - height_m) / exact
    ranges = depth_to_scan(depth, CAMERA, CONFIG, mounting).ranges_m
    assert np.isfinite(ranges).any() == is_obstacle
    assert np.isinf(ranges).any() != is_obstacle


def test_too_near_is_an_obstacle_and_too_far_is_free() -> None:
    assert range_at(depth_to_scan(flat_wall(0.02), CAMERA, CONFIG), 0.0) == pytest.approx(0.1)
    assert range_at(depth_to_scan(flat_wall(8.1), CAMERA, CONFIG), 0.0) == math.inf


def test_unknown_is_nan() -> None:
    assert np.isnan(depth_to_scan(flat_wall(math.nan), CAMERA, CONFIG).ranges_m).all()


def test_rows_outside_the_band_do_not_count_without_a_mounting() -> None:
    depth = flat_wall(5.0)
    depth[40:] = 0.5
    assert range_at(depth_to_scan(depth, CAMERA, CONFIG), 0.0) == pytest.approx(5.0, rel=0.01)
    wide = ScanConfig(scan_band=1.0)
    assert range_at(depth_to_scan(depth, CAMERA, wide), 0.0) == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize(
    ('height_px', 'band', 'first', 'last'),
    [(64, 0.1, 29, 34), (64, 0.001, 31, 32), (65, 0.001, 32, 32), (64, 0.5, 16, 47)],
)
def test_the_band_is_centred_and_as_high_as_its_share(
    height_px: int, band: float, first: int, last: int
) -> None:
    camera = CameraIntrinsics(60.0, 60.0, 47.5, (height_px - 1) / 2, 96, height_px)
    config = ScanConfig(scan_band=band)
    counted = []
    for row in range(height_px):
        depth = np.full((height_px, 96), 5.0, np.float32)
        depth[row] = 1.0
        if range_at(depth_to_scan(depth, camera, config), 0.0) < 2.0:
            counted.append(row)
    assert counted == list(range(first, last + 1))


def test_one_step_is_the_angle_of_a_pixel_in_the_centre() -> None:
    scan = depth_to_scan(flat_wall(3.0), CAMERA, CONFIG)
    assert scan.angle_increment_rad == pytest.approx(1 / 60)
    assert scan.angle_min_rad == pytest.approx(-math.atan(47.5 / 60))
    assert scan.ranges_m.dtype == np.float32


@pytest.mark.parametrize(('range_m', 'free'), [(7.99, False), (8.01, True)])
def test_the_greatest_range_belongs_to_the_scan(range_m: float, free: bool) -> None:
    scan = depth_to_scan(flat_wall(range_m), CAMERA, CONFIG)
    assert math.isinf(range_at(scan, 0.0)) is free


# Powers of two keep every product exact, so that a bound can be met.
EXACT = CameraIntrinsics(64.0, 64.0, 47.0, 31.0, 96, 64)


@pytest.mark.parametrize(('row', 'counts'), [(47, True), (48, False), (15, True), (14, False)])
def test_the_bounds_of_the_height_belong_to_it(row: int, counts: bool) -> None:
    config = ScanConfig(scan_height_min_m=0.5, scan_height_max_m=1.5)
    depth = np.full((64, 96), np.nan, np.float32)
    depth[row] = 2.0
    scan = depth_to_scan(depth, EXACT, config, CameraMounting(1.0))
    assert math.isfinite(range_at(scan, 0.0)) is counts


def test_the_greatest_range_itself_is_an_obstacle() -> None:
    scan = depth_to_scan(flat_wall(8.0), EXACT, CONFIG)
    assert range_at(scan, 0.0) == 8.0


def test_a_bad_value_is_refused() -> None:
    with pytest.raises(ConfigurationError, match='scan_band'):
        ScanConfig(scan_band=0.0)


@pytest.mark.parametrize(
    ('values', 'reason'),
    [
        ({'scan_range_min_m': 8.0}, 'scan_range_min_m must be below scan_range_max_m'),
        ({'scan_range_min_m': 7.999}, ''),
        ({'scan_height_max_m': 0.15}, 'scan_height_min_m must be below scan_height_max_m'),
        ({'scan_height_max_m': 0.151}, ''),
    ],
)
def test_contradictions_name_both_values(values: dict[str, float], reason: str) -> None:
    found = ScanConfig(**values).contradiction()
    assert found.startswith(reason) and bool(found) == bool(reason)


@pytest.mark.parametrize('scale', [0.5, 1.0, 2.0])
def test_a_floor_of_any_scale_is_no_obstacle_and_a_thing_on_it_is(scale: float) -> None:
    mounting = CameraMounting(0.4, 20.0)
    inverse = inverse_floor_depth(CAMERA, mounting)
    depth = np.where(inverse > 0.2, 1 / np.maximum(inverse, 0.2), np.nan).astype(np.float32)
    plane = FloorPlane(mounting.down_vector(), 0.4, 0.5).scaled(scale)
    free = depth_to_scan(scale * depth, CAMERA, CONFIG, floor_plane=plane).ranges_m
    assert not np.isfinite(free).any() and np.isinf(free).any()
    depth[20:60, 40:56] = 0.6
    hit = depth_to_scan(scale * depth, CAMERA, CONFIG, floor_plane=plane)
    assert range_at(hit, 0.0) == pytest.approx(0.6 * scale, rel=0.15)
