# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Draw where the model fails, for its model card.

`python -m simulation.render_failure_cases --out docs/images/failure_cases.jpg [--model FILE]`
renders glass, a mirror, a blank wall, night and outdoors, asks the model, and puts picture, true
depth and estimate side by side.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.estimation.depth_estimator import DepthEstimator, EstimationConfig
from fcrn_depth_ros.estimation.onnx_model import embedded_model_path, load_onnx_model
from fcrn_depth_ros.perception.quality import assess_image
from fcrn_depth_ros.report.drawing import colorize_depth, write
from fcrn_depth_ros.report.output_files import add_overwrite_argument, check_outputs
import numpy as np
from numpy.typing import NDArray

from . import textures
from .camera_effects import apply_effects, CameraEffects
from .renderer import CameraPose, RoomRenderer
from .room_builder import Room, RoomBuilder
from .rooms import put_obstacle

WIDTH_PX, HEIGHT_PX, FX_PX = 640, 480, 480.0
CAMERA_HEIGHT_M, CAMERA_PITCH_DEG = 0.5, 8.0
ROOM_LENGTH_M, ROOM_WIDTH_M = 6.0, 3.6
PANE_M = 1.0
WALL_M = 0.35
COLOR_RANGE_M = (0.3, 6.0)
_PANEL_WH = (208, 156)
_SEED = 4
_DAY = CameraEffects(auto_exposure=0.7, vignette=0.15, blur_px=0.7, noise=1.5)
_NIGHT = CameraEffects(exposure=0.05, blur_px=0.7, noise=12.0)
_SKY_M = 26.0


@dataclass(frozen=True)
class FailureCase:
    """
    A picture with its truth.

    Attributes
    ----------
    title : str
        What is hard about it.
    image_rgb : ndarray of uint8, shape (H, W, 3)
        What the camera delivers.
    depth_m : ndarray of float32, shape (H, W)
        What is really there; NaN for the sky.

    """

    title: str
    image_rgb: NDArray[np.uint8]
    depth_m: NDArray[np.float32]


def render_cases() -> list[FailureCase]:
    """Render every case; reproducible."""
    rng = np.random.default_rng(_SEED)
    pose = CameraPose(-1.5, 0.0, CAMERA_HEIGHT_M, 0.0, CAMERA_PITCH_DEG)
    at_wall = CameraPose(ROOM_LENGTH_M / 2 - WALL_M, 0.6, CAMERA_HEIGHT_M, 0.0, CAMERA_PITCH_DEG)
    room = _room()
    picture, depth = _render(room, pose)
    glass, _ = _render(_room(_pane('rgba="0.8 0.9 0.9 0.10"')), pose)
    _, pane_depth = _render(_room(_pane('rgba="1 1 1 1"')), pose)
    mirror, _ = _render(_room(_pane('material="mirror"')), pose)
    wall, wall_depth = _render(_room(decorated=False), at_wall)
    outside, outside_depth = _render(_street(), pose)
    day = [apply_effects(image, _DAY, rng) for image in (picture, glass, mirror, wall, outside)]
    return [
        FailureCase('for comparison: a plain room', day[0], depth),
        FailureCase(f'glass door {PANE_M:g} m ahead', day[1], pane_depth),
        FailureCase(f'mirror {PANE_M:g} m ahead', day[2], pane_depth),
        FailureCase(f'blank wall {WALL_M:g} m ahead', day[3], wall_depth),
        FailureCase('night', apply_effects(picture, _NIGHT, rng), depth),
        FailureCase('outdoors', day[4], outside_depth),
    ]


def draw_sheet(cases: Sequence[FailureCase], estimator: DepthEstimator) -> NDArray[np.uint8]:
    """Put picture, true depth and estimate of each case side by side, two cases a row."""
    tiles = [_draw_case(case, estimator) for case in cases]
    rows = [np.hstack(tiles[index : index + 2]) for index in range(0, len(tiles), 2)]
    return np.vstack(rows)


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog='simulation.render_failure_cases', description=__doc__)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--model', type=Path, default=embedded_model_path())
    add_overwrite_argument(parser)
    options = parser.parse_args(arguments)
    try:
        check_outputs([options.out], [options.model], options.overwrite)
    except ToolInputError as error:
        parser.error(str(error))
    estimator = DepthEstimator(
        load_onnx_model(options.model),
        EstimationConfig(depth_size='input'),
    )
    sheet = draw_sheet(render_cases(), estimator)
    cv2.imwrite(str(options.out), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


def _room(extra_xml: str = '', decorated: bool = True) -> Room:
    builder = RoomBuilder(np.random.default_rng(_SEED), ROOM_LENGTH_M, ROOM_WIDTH_M, 2.5)
    if decorated:
        builder.shell((textures.planks,), (textures.plaster,))
        put_obstacle(builder, 'sofa', 2.2, 0.6, 180.0)
        put_obstacle(builder, 'plant', 1.6, -1.2)
        put_obstacle(builder, 'box', 0.6, -0.9, 20.0)
        put_obstacle(builder, 'table', 0.9, 1.1)
    else:
        paint = builder.paint(np.array([200.0, 196.0, 188.0]))
        builder.box((0.1, 20.0, 20.0), (ROOM_LENGTH_M / 2 + 0.05, 0.0, 0.0), paint)
        builder.end_body()
    room = builder.finish(extra_xml, WIDTH_PX, HEIGHT_PX)
    mirror = '<asset><material name="mirror" rgba="0.9 0.92 0.93 1" reflectance="0.9"/></asset>'
    return Room(
        room.xml.replace('<worldbody>', f'{mirror}<worldbody>'),
        room.assets,
        room.length_m,
        room.width_m,
        room.height_m,
        room.obstacles,
    )


def _pane(look: str) -> str:
    """Return a pane from floor to ceiling across the room; a mirror shows on its +z side."""
    return (
        f'<geom type="box" size="{ROOM_WIDTH_M / 2} 1.25 0.005" '
        f'pos="{-1.5 + PANE_M + 0.005} 0 1.25" xyaxes="0 -1 0 0 0 1" {look}/>'
    )


def _street() -> Room:
    builder = RoomBuilder(np.random.default_rng(_SEED), 60.0, 60.0, 8.0)
    ground = builder.material(textures.speckle(builder.rng), 1.5)
    builder.geom('box', (30.0, 30.0, 0.05), (0, 0, -0.05), ground)
    bricks = builder.material(textures.bricks(builder.rng), 1.2)
    plaster = builder.material(textures.plaster(builder.rng), 2.0)
    for size, center, look in (
        ((9.0, 6.0, 5.0), (14.0, 8.0, 2.5), bricks),
        ((7.0, 8.0, 4.0), (19.0, -8.5, 2.0), plaster),
        ((0.4, 0.4, 3.0), (5.0, -2.0, 1.5), bricks),
    ):
        builder.box(size, center, look)
    sky = builder.material(np.full((8, 8, 3), (150, 190, 230), np.uint8), glow=1.0)
    builder.box((0.1, 59.0, 40.0), (_SKY_M + 1.0, 0.0, 19.0), sky)
    builder.end_body()
    return builder.finish('', WIDTH_PX, HEIGHT_PX)


def _render(room: Room, pose: CameraPose) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    with RoomRenderer(room, WIDTH_PX, HEIGHT_PX, FX_PX) as renderer:
        view = renderer.render(pose)
    depth = np.where(view.depth_m > _SKY_M - 3.0, np.float32(np.nan), view.depth_m)
    return view.image_rgb, depth


def _draw_case(case: FailureCase, estimator: DepthEstimator) -> NDArray[np.uint8]:
    centre = (WIDTH_PX - 1) / 2, (HEIGHT_PX - 1) / 2
    camera = CameraIntrinsics(FX_PX, FX_PX, *centre, WIDTH_PX, HEIGHT_PX)
    mounting = CameraMounting(CAMERA_HEIGHT_M, CAMERA_PITCH_DEG)
    depth = estimator.estimate(case.image_rgb, camera, mounting).depth_m
    # The gate is judged at its defaults; the estimate is drawn all the same.
    gated = assess_image(case.image_rgb).reason
    known = np.isfinite(case.depth_m) & np.isfinite(depth)
    error = float(np.mean(np.abs(depth[known] / case.depth_m[known] - 1.0)))
    verdict = f'refused: {gated}' if gated else 'not refused'
    panels = [
        cv2.resize(picture, _PANEL_WH, interpolation=cv2.INTER_AREA)
        for picture in (
            case.image_rgb,
            colorize_depth(case.depth_m, *COLOR_RANGE_M),
            colorize_depth(depth, *COLOR_RANGE_M),
        )
    ]
    row = np.hstack(panels)
    strip = np.full((26, row.shape[1], 3), 22, np.uint8)
    write(strip, f'{case.title}: AbsRel {error:.2f}, {verdict}', (8, 18), 10.0, (235, 235, 235))
    return np.pad(np.vstack([strip, row]), ((0, 6), (3, 3), (0, 0)), constant_values=22)


if __name__ == '__main__':
    main()
