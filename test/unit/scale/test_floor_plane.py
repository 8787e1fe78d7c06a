# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A floor is found by its shape, whatever the scale; a wall and a box are none."""

from __future__ import annotations

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, inverse_floor_depth
from fcrn_depth_ros.scale.floor_plane import find_floor, FloorWatch
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest

CAMERA = CameraIntrinsics(80.0, 80.0, 71.5, 55.5, 144, 112)


def room(mounting: CameraMounting, wall_m: float = 3.0, scale: float = 1.0) -> NDArray[np.float32]:
    """Draw a floor and a wall across the way, by a network whose depth is wrong by a factor."""
    floor_m = 1.0 / np.maximum(inverse_floor_depth(CAMERA, mounting), 1e-6)
    ahead_m = wall_depth(mounting, wall_m)
    noise = 1.0 + 0.02 * np.random.default_rng(0).standard_normal(floor_m.shape)
    return (scale * noise * np.minimum(floor_m, ahead_m)).astype(np.float32)


def wall_depth(mounting: CameraMounting, wall_m: float) -> NDArray[np.float64]:
    down = mounting.down_vector()
    axis = np.array([0.0, 0.0, 1.0])
    level = axis - down[2] * down
    toward = CAMERA.rays() @ (level / np.linalg.norm(level))
    depth: NDArray[np.float64] = wall_m / np.maximum(toward, 1e-6)
    return depth


@settings(max_examples=25, deadline=None)
# Looking up by more than this, the floor is a strip too thin to find.
@given(st.floats(0.1, 1.5), st.floats(-9.0, 35.0), st.floats(-10.0, 10.0), st.floats(0.4, 2.5))
def test_pitch_and_roll_need_no_scale(
    height_m: float, pitch_deg: float, roll_deg: float, scale: float
) -> None:
    plane = find_floor(
        room(CameraMounting(height_m, pitch_deg, roll_deg), 6.0 * height_m, scale), CAMERA
    )
    if not 0.06 < height_m * scale < 2.5:
        return
    assert plane is not None
    found = plane.mounting()
    assert found.pitch_deg == pytest.approx(pitch_deg, abs=2.0)
    assert found.roll_deg == pytest.approx(roll_deg, abs=2.0)
    assert found.height_m == pytest.approx(height_m * scale, rel=0.05)


@pytest.mark.parametrize('pitch_deg', [-25.0, -10.0, 0.0, 20.0, 35.0])
def test_a_wall_that_fills_the_view_is_no_floor(pitch_deg: float) -> None:
    depth = wall_depth(CameraMounting(0.3, pitch_deg), 0.4).astype(np.float32)
    assert find_floor(depth, CAMERA) is None


def test_a_table_with_the_room_below_it_is_no_floor() -> None:
    mounting = CameraMounting(1.2, 25.0)
    depth = room(mounting)
    table = np.zeros(depth.shape, bool)
    table[70:, 40:] = True
    top_m = 1.0 / inverse_floor_depth(CAMERA, CameraMounting(0.4, 25.0))[table]
    depth[table] = top_m
    plane = find_floor(depth, CAMERA)
    assert plane is None or plane.height_m > 1.0


def test_only_the_networks_floor_is_asked_where_it_gives_one() -> None:
    depth = room(CameraMounting(0.3, 10.0))
    assert find_floor(depth, CAMERA, np.zeros_like(depth)) is None
    assert find_floor(depth, CAMERA, np.ones_like(depth)) is not None


@pytest.mark.parametrize('value', [np.nan, np.inf, 0.0, -1.0])
def test_an_unknown_depth_has_no_floor(value: float) -> None:
    assert find_floor(np.full((112, 144), value, np.float32), CAMERA) is None


def test_a_floor_that_seems_to_rise_stands_on_the_floor() -> None:
    """A box whose top fills the view below is not what the robot drives on."""
    watch = FloorWatch()
    for step in range(10):
        assert watch.look(room(CameraMounting(0.5, 20.0)), CAMERA, None, 0.1 * step) is not None
    raised = watch.look(room(CameraMounting(0.15, 20.0)), CAMERA, None, 1.0)
    assert raised is None or raised.height_m >= 0.35


def test_a_turned_camera_is_followed_after_some_pictures() -> None:
    watch = FloorWatch()
    for step in range(10):
        watch.look(room(CameraMounting(0.5, 5.0)), CAMERA, None, 0.1 * step)
    planes = [
        watch.look(room(CameraMounting(0.5, 25.0)), CAMERA, None, 1.0 + 0.1 * step)
        for step in range(6)
    ]
    first, last = planes[0], planes[-1]
    assert first is None or first.mounting().pitch_deg < 15.0
    assert last is not None and last.mounting().pitch_deg == pytest.approx(25.0, abs=2.0)


def test_time_that_goes_back_forgets_the_floor() -> None:
    watch = FloorWatch()
    for step in range(10):
        watch.look(room(CameraMounting(0.5, 5.0)), CAMERA, None, 100.0 + 0.1 * step)
    plane = watch.look(room(CameraMounting(0.1, 25.0)), CAMERA, None, 1.0)
    assert plane is not None and plane.mounting().pitch_deg == pytest.approx(25.0, abs=2.0)


def bent(mounting: CameraMounting, wall_m: float = 3.0) -> NDArray[np.float32]:
    """Draw a room whose far part a network draws too near, as if the floor rose."""
    depth = room(mounting, wall_m)
    return (depth * (1.0 - 0.08 * np.clip(depth - 0.5, 0.0, 2.5))).astype(np.float32)


@pytest.mark.parametrize('pitch_deg', [5.0, 20.0])
def test_where_the_direction_is_known_only_the_height_is_looked_for(pitch_deg: float) -> None:
    true = CameraMounting(0.5, pitch_deg)
    watch = FloorWatch()
    by_shape = FloorWatch().look(bent(true), CAMERA, None, 1.0)
    assert by_shape is None or abs(by_shape.mounting().pitch_deg - pitch_deg) > 2.0
    plane = watch.look(bent(true), CAMERA, None, 1.0, true.down_vector())
    assert plane is not None
    assert plane.mounting().pitch_deg == pytest.approx(pitch_deg, abs=1e-6)
    assert plane.height_m == pytest.approx(0.5, rel=0.15)


@pytest.mark.parametrize('pitch_deg', [-10.0, 0.0, 20.0])
def test_a_wall_is_no_floor_in_a_known_direction_either(pitch_deg: float) -> None:
    mounting = CameraMounting(0.3, pitch_deg)
    depth = wall_depth(mounting, 0.4).astype(np.float32)
    assert FloorWatch().look(depth, CAMERA, None, 1.0, mounting.down_vector()) is None


def test_a_floor_in_a_known_direction_does_not_rise_either() -> None:
    down = CameraMounting(0.5, 20.0).down_vector()
    watch = FloorWatch()
    for step in range(10):
        watch.look(room(CameraMounting(0.5, 20.0)), CAMERA, None, 0.1 * step, down)
    raised = watch.look(room(CameraMounting(0.15, 20.0)), CAMERA, None, 1.0, down)
    assert raised is None or raised.height_m >= 0.35


@pytest.mark.parametrize('claim', ['floor', 'nothing', 'table'])
def test_in_a_known_direction_the_floor_is_what_is_claimed_for_it(claim: str) -> None:
    """A low table fills the left of the view."""
    mounting = CameraMounting(0.5, 20.0)
    is_table = np.broadcast_to(np.arange(144) < 56, (112, 144))
    depth = np.where(is_table, room(CameraMounting(0.2, 20.0)), room(mounting))
    claims = {'floor': ~is_table, 'nothing': is_table & ~is_table, 'table': is_table}[claim]
    plane = FloorWatch().look(
        depth, CAMERA, claims.astype(np.float32), 1.0, mounting.down_vector()
    )
    if claim == 'floor':
        assert plane is not None and plane.height_m == pytest.approx(0.5, rel=0.05)
    else:
        assert plane is None  # a floor with so much below it is none
