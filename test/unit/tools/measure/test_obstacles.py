# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What counts as an obstacle on a drawn floor, on both sides of every bound."""

from __future__ import annotations

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, inverse_floor_depth
from fcrn_depth_ros.tools.measure.obstacles import (
    count_obstacles,
    floor_truth,
    ObstacleCounts,
    sum_counts,
)
import numpy as np
import pytest

CAMERA = CameraIntrinsics(50.0, 50.0, 49.5, 19.5, 100, 40)
MOUNTING = CameraMounting(0.5, 20.0)
INVERSE = inverse_floor_depth(CAMERA, MOUNTING)
SLOPE = CAMERA.rays() @ MOUNTING.down_vector()


def surface(height_m: float) -> np.ndarray:
    """Return the depth of a level surface so high above the floor; NaN above its horizon."""
    with np.errstate(divide='ignore'):
        depth = (0.5 - height_m) / SLOPE
    return np.where(SLOPE > 0.05, depth, np.nan).astype(np.float32)


@pytest.mark.parametrize(
    ('height_m', 'obstacle', 'floor'),
    [
        (0.081, True, False),
        (0.079, False, False),
        (0.036, False, False),
        (0.034, False, True),
        (0.0, False, True),
        (-0.034, False, True),
        (-0.036, False, False),
    ],
)
def test_heights(height_m: float, obstacle: bool, floor: bool) -> None:
    depth = surface(height_m)
    truth = floor_truth(depth, CAMERA, MOUNTING)
    close = depth < 1.9
    assert truth.obstacle[close].all() == truth.obstacle[close].any() == obstacle
    assert truth.near_obstacle[close].all() == obstacle
    assert truth.floor[close].all() == truth.floor[close].any() == floor


def test_far_away_heights_are_less_sure() -> None:
    truth = floor_truth(surface(0.1), CAMERA, MOUNTING)
    depth = surface(0.1)
    grown = 0.08 * np.maximum(1, depth / 2.5)
    np.testing.assert_array_equal(truth.obstacle, grown < 0.1)
    low = floor_truth(surface(0.04), CAMERA, MOUNTING)
    assert low.floor[(surface(0.04) > 2.9) & (surface(0.04) < 3.9)].all()
    assert not low.floor[surface(0.04) < 2.5].any()


def test_distances() -> None:
    depth = surface(0.1)
    np.testing.assert_array_equal(floor_truth(depth, CAMERA, MOUNTING).near_obstacle, depth < 2.0)
    floor = surface(0.0)
    np.testing.assert_array_equal(floor_truth(floor, CAMERA, MOUNTING).floor, floor < 4.0)


def test_above_the_horizon_there_is_no_obstacle_to_find() -> None:
    wall = np.full((40, 100), 1.0, np.float32)
    truth = floor_truth(wall, CAMERA, MOUNTING)
    below = INVERSE > 0.02 / 0.5
    assert truth.obstacle[~below].all() and not truth.near_obstacle[~below].any()
    np.testing.assert_array_equal(truth.near_obstacle, truth.obstacle & below)


def test_the_foot_of_an_obstacle_is_neither() -> None:
    depth = surface(0.0)
    base_row = 34
    base_m = float(depth[base_row, 10])
    depth[: base_row + 1, :50] = base_m
    truth = floor_truth(depth, CAMERA, MOUNTING)
    top_of_foot = np.flatnonzero(truth.obstacle[:, 10]).max()
    assert base_row - top_of_foot >= 2 and not truth.near_obstacle[top_of_foot + 1 :, :50].any()
    assert not truth.floor[: base_row + 1, :50].any()
    assert truth.floor[38:, :50].all()  # in front of it
    assert truth.floor[base_row, 50:].all()  # beside it


@pytest.mark.parametrize('unknown', [np.nan, 0.0, -1.0, np.inf])
def test_what_is_not_measured_is_neither(unknown: float) -> None:
    truth = floor_truth(np.full((40, 100), unknown, np.float32), CAMERA, MOUNTING)
    assert not truth.obstacle.any() and not truth.floor.any()


def things(near: int, floor: int):
    """Return a truth with so many pixels of each, the obstacle first."""
    truth = floor_truth(np.full((40, 100), np.nan, np.float32), CAMERA, MOUNTING)
    truth.near_obstacle.ravel()[:near] = True
    truth.floor.ravel()[near : near + floor] = True
    return truth


@pytest.mark.parametrize(
    ('near', 'called', 'seen', 'missed'),
    [(7, 0, 0, 0), (8, 0, 1, 1), (100, 9, 1, 1), (100, 10, 1, 0)],
)
def test_pictures_in_which_an_obstacle_is_seen_and_missed(
    near: int, called: int, seen: int, missed: int
) -> None:
    mask = np.zeros((40, 100), np.bool_)
    mask.ravel()[:called] = True
    counts = count_obstacles(mask, things(near, 0))
    assert counts == ObstacleCounts(1, near, called, 0, 0, seen, missed)


def test_counts_add_up_to_shares() -> None:
    mask = np.zeros((40, 100), np.bool_)
    mask.ravel()[50:120] = True
    counts = count_obstacles(mask, things(100, 40))
    assert counts == ObstacleCounts(1, 100, 50, 40, 20, 1, 0)
    both = sum_counts([counts, ObstacleCounts(1, 100, 0, 10, 0, 1, 1), ObstacleCounts()])
    assert both.summary() == {
        'pictures': 2,
        'found_share': 0.25,
        'obstacle_pixels': 200,
        'floor_lost_share': 0.4,
        'floor_pixels': 50,
        'seen_pictures': 2,
        'missed_pictures': 1,
    }
    nothing = ObstacleCounts().summary()
    assert nothing['found_share'] is None and nothing['floor_lost_share'] is None
