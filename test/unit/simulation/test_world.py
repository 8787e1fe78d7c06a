# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import numpy as np
import pytest
from simulation.room_builder import Room, RoomBuilder
from simulation.world import DriveWorld, Mounting, ROBOT_RADIUS_M, robot_xml

MOUNTING = Mounting(height_m=0.4, pitch_deg=10.0, roll_deg=0.0, horizontal_view_deg=70.0)


def _room(*boxes: tuple[tuple[float, float, float], tuple[float, float, float]]) -> Room:
    builder = RoomBuilder(np.random.default_rng(0), 6.0, 4.0, 2.5, max_texture_px=16)
    plain = builder.paint(np.array([200.0, 180.0, 160.0]))
    builder.geom('box', (3.0, 2.0, 0.05), (0, 0, -0.05), plain, name='floor')
    for size, center in boxes:
        builder.box(size, center, plain)
    builder.end_body()
    return builder.finish(robot_xml(MOUNTING))


def _world(*boxes: tuple[tuple[float, float, float], tuple[float, float, float]]) -> DriveWorld:
    return DriveWorld(_room(*boxes), MOUNTING, 64, 48)


def test_clearance_and_free_path_to_a_box_ahead() -> None:
    world = _world(((1.0, 1.0, 1.0), (2.0, 0.0, 0.5)))  # its front is at x = 1.5
    for x_m in (0.0, 1.0):
        world.place(x_m, 0.0, 0.0)
        assert world.clearance_m() == pytest.approx(1.5 - x_m - ROBOT_RADIUS_M, abs=1e-3)
        assert world.free_path_m() == pytest.approx(1.5 - x_m - ROBOT_RADIUS_M, abs=1e-3)
    world.place(1.4, 0.0, 0.0)
    assert world.clearance_m() <= 0.0


@pytest.mark.parametrize(
    ('side_m', 'hit'), [(ROBOT_RADIUS_M - 0.02, True), (ROBOT_RADIUS_M + 0.02, False)]
)
def test_path_is_as_wide_as_the_robot(side_m: float, hit: bool) -> None:
    world = _world(((0.1, 0.2, 1.0), (1.0, side_m + 0.1, 0.5)))
    assert math.isfinite(world.free_path_m()) == hit
    assert math.isfinite(world.free_path_m(half_width_m=side_m + 0.03))


@pytest.mark.parametrize(
    ('bottom_m', 'hit'), [(MOUNTING.height_m - 0.05, True), (MOUNTING.height_m + 0.05, False)]
)
def test_robot_passes_under_what_is_higher_than_its_camera(bottom_m: float, hit: bool) -> None:
    world = _world(((0.5, 1.0, 0.1), (1.0, 0.0, bottom_m + 0.05)))
    assert math.isfinite(world.free_path_m()) == hit
    assert math.isfinite(world.free_path_m(overhead_m=0.3))
    world.place(1.0, 0.0, 0.0)
    assert (world.clearance_m() <= 0.0) == hit


def test_low_things_count_only_when_asked_for() -> None:
    world = _world(((0.2, 1.0, 0.1), (1.0, 0.0, 0.05)))
    assert math.isfinite(world.free_path_m())
    assert math.isinf(world.free_path_m(lowest_m=0.12))


def test_intruder_stands_before_the_camera() -> None:
    world = _world()
    world.place(-1.0, 0.5, math.pi / 3)
    assert math.isinf(world.free_path_m())
    world.show_intruder(0.5)
    assert world.free_path_m() == pytest.approx(0.5, abs=1e-3)


def test_robot_speeds_up_and_brakes_at_its_own_rate() -> None:
    world = _world()
    for _ in range(100):
        world.step(0.02, 0.5, 0.0)
    assert world.speed_mps == pytest.approx(0.5)
    assert world.y_m == 0.0
    before_m = world.x_m
    steps = 0
    while world.speed_mps > 0.0:
        world.step(0.02, 0.0, 0.0)
        steps += 1
    assert steps * 0.02 == pytest.approx(0.5 / 1.2, abs=0.021)
    assert world.x_m - before_m == pytest.approx(0.5**2 / (2 * 1.2), abs=0.01)


def test_turning_to_the_left_raises_the_heading() -> None:
    world = _world()
    for _ in range(50):
        world.step(0.02, 0.2, 1.0)
    assert 0.7 < world.heading_rad < 1.0
    assert world.y_m > 0.0
