# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Iterator

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, inverse_floor_depth
import numpy as np
import pytest
import simulation
from simulation.renderer import CameraPose, RoomRenderer, shade_corners
from simulation.room_builder import RoomBuilder

pytestmark = pytest.mark.skipif(
    not simulation.CAN_RENDER, reason='rendering needs libegl1 or libosmesa6'
)

WIDTH, HEIGHT, FX = 160, 120, 110.0


@pytest.fixture(scope='module')
def renderer() -> Iterator[RoomRenderer]:
    """Render a 6 x 4 m room with a box of 1 m in front of its far wall."""
    builder = RoomBuilder(np.random.default_rng(0), 6.0, 4.0, 2.5, max_texture_px=32)
    plain = builder.paint(np.array([200.0, 180.0, 160.0]))
    builder.box((7, 5, 0.1), (0, 0, -0.05), plain)
    builder.panel(4.0, 2.5, (3.0, 0.0, 1.25), 180, plain, 0.1)
    builder.box((1.0, 1.0, 1.0), (2.5, 0.0, 0.5), plain)
    builder.end_body()
    with RoomRenderer(builder.finish(), WIDTH, HEIGHT, FX) as made:
        yield made


def test_depth_of_walls_is_metric_along_the_optical_axis(renderer: RoomRenderer) -> None:
    depth = renderer.render(CameraPose(0.0, 0.0, 0.8, 0.0)).depth_m
    assert depth[60, 80] == pytest.approx(2.0, abs=1e-3)  # front of the box
    # A wall across the axis has one depth over the whole picture, unlike range.
    assert depth[5, [30, 80, 130]] == pytest.approx([3.0] * 3, abs=1e-3)


@pytest.mark.parametrize(
    ('height', 'pitch', 'roll'), [(0.5, 10.0, 3.0), (0.2, 5.0, -4.0), (1.4, 30.0, 2.0)]
)
def test_floor_lies_where_the_mounting_says(
    renderer: RoomRenderer, height: float, pitch: float, roll: float
) -> None:
    pose = CameraPose(-1.5, -1.0, height, 20.0, pitch, roll)
    view = renderer.render(pose)
    intrinsics = CameraIntrinsics(FX, FX, (WIDTH - 1) / 2, (HEIGHT - 1) / 2, WIDTH, HEIGHT)
    floor = inverse_floor_depth(intrinsics, CameraMounting(height, pitch, roll))
    on_floor = view.depth_m[-8:] * floor[-8:]
    assert np.abs(on_floor - 1.0).max() < 1e-3


def test_rotation_columns_are_right_down_forward() -> None:
    level = CameraPose(0, 0, 1, 0.0).rotation()
    assert level == pytest.approx(np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]]), abs=1e-12)
    rolled = CameraPose(0, 0, 1, 0.0, roll_deg=10.0).rotation()
    assert rolled[2, 0] < 0.0  # clockwise from behind: the right side goes down
    assert CameraPose(0, 0, 1, 0.0, pitch_deg=10.0).rotation()[2, 2] < 0.0


@pytest.mark.parametrize(
    ('x_m', 'expected'), [(0.0, 0.7), (1.4, 0.6), (1.9, 0.1)], ids=['floor', 'far', 'near']
)
def test_clearance_to_the_nearest_surface(
    renderer: RoomRenderer, x_m: float, expected: float
) -> None:
    assert renderer.clearance_m(x_m, 0.0, 0.7) == pytest.approx(expected, abs=0.01)


def test_clearance_is_negative_inside_the_box(renderer: RoomRenderer) -> None:
    assert renderer.clearance_m(2.1, 0.0, 0.7) < 0.0


def test_corner_is_shaded_and_plane_is_not() -> None:
    rows, columns = np.indices((HEIGHT, WIDTH), dtype=np.float32)
    plane = 1.0 / (0.4 + 0.001 * columns + 0.002 * rows)
    white = np.full((HEIGHT, WIDTH, 3), 250, np.uint8)
    assert shade_corners(white, plane, FX)[30:-30, 30:-30].min() >= 249
    corner = 1.0 / (0.4 + 0.003 * np.abs(columns - WIDTH / 2))
    shaded = shade_corners(white, corner.astype(np.float32), FX)
    assert shaded[60, WIDTH // 2, 0] < 240
    assert shaded[60, WIDTH // 4, 0] >= 249
