# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import numpy as np
import pytest
from simulation.scenarios import (
    CORRIDOR_WIDTH_M,
    draw_scenario,
    FLOOR_SEEN_FROM_M,
    FREE_DRIVE_M,
    HEIGHT_PX,
    KIND_SHARES,
    OVERHEAD_M,
    random_mounting,
    WIDTH_PX,
)
from simulation.world import DriveWorld


def test_equal_seeds_give_equal_scenarios() -> None:
    first, second = (draw_scenario('toward', np.random.default_rng(2)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize('seed', range(20))
def test_camera_sees_the_floor_before_the_robot_and_the_horizon(seed: int) -> None:
    mounting = random_mounting(np.random.default_rng(seed))
    half = math.degrees(
        math.atan(math.tan(math.radians(mounting.horizontal_view_deg / 2)) * HEIGHT_PX / WIDTH_PX)
    )
    lowest_ray = math.radians(mounting.pitch_deg + half)
    assert mounting.height_m / math.tan(lowest_ray) < FLOOR_SEEN_FROM_M
    assert half - mounting.pitch_deg > 4.9


@pytest.mark.parametrize('kind', KIND_SHARES)
def test_start_fits_the_kind(kind: str) -> None:
    scenario = draw_scenario(kind, np.random.default_rng(4))
    world: DriveWorld = scenario.build()
    assert world.clearance_m() >= 0.1
    assert scenario.must_stop == (kind in ('toward', 'appears'))
    if kind == 'toward':
        assert 1.6 <= world.free_path_m() < 2.6
    else:
        assert world.free_path_m(CORRIDOR_WIDTH_M / 2) > FREE_DRIVE_M + 1.0
    if kind == 'past':
        assert world.free_path_m(0.7, overhead_m=OVERHEAD_M) < FREE_DRIVE_M
