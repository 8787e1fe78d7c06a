# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Render the bundled demo clip: a robot approaches an armchair, stops, backs off and turns away.

`python -m simulation.render_demo_clip --out DIR [--depth DIR]` writes
`DIR/<seconds>.<fraction>.jpg`, `DIR/camera.json` and, on request, the true depth as 16-bit
millimetre PNGs.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
import json
import math
from pathlib import Path

import cv2
from fcrn_depth_ros.camera.depth_encoding import to_millimetres
from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.report.output_files import add_overwrite_argument, check_outputs
import numpy as np
from tqdm import tqdm

from . import textures
from .camera_effects import apply_effects, CameraEffects
from .renderer import CameraPose, RoomRenderer
from .room_builder import Room, RoomBuilder
from .rooms import put_obstacle

WIDTH_PX, HEIGHT_PX = 640, 480
FX_PX = 480.0  # 67 degrees wide
CAMERA_HEIGHT_M, CAMERA_PITCH_DEG = 0.5, 8.0
FIRST_STAMP_S = 100.0  # so that all file names have equally many digits and sort by time
RATE_HZ = 10.0
DURATION_S = 12.4
_SEED = 25
_JPEG_QUALITY = 58
_EFFECTS = CameraEffects(auto_exposure=0.7, vignette=0.15, blur_px=0.85, noise=0.8)


@dataclass(frozen=True)
class DriveSegment:
    """
    A stretch of the drive; speed ramps up and down smoothly within it.

    Attributes
    ----------
    duration_s : float
        How long it takes.
    distance_m : float
        Way covered; negative backwards.
    turn_deg : float
        Change of heading; positive to the left.

    """

    duration_s: float
    distance_m: float = 0.0
    turn_deg: float = 0.0


DRIVE = (
    DriveSegment(0.8),
    DriveSegment(5.4, distance_m=2.97),
    DriveSegment(1.2),
    DriveSegment(1.8, distance_m=-0.95),
    DriveSegment(1.8, turn_deg=140.0),
    DriveSegment(1.4, distance_m=0.4),
)
_START_X_M, _START_Y_M = -2.0, 0.0


def demo_room() -> Room:
    """Build the living room of the clip."""
    room = RoomBuilder(np.random.default_rng(_SEED), 8.6, 5.2, 2.7)
    room.shell(floors=(textures.planks,), walls=(textures.plaster,), floor_repeat_m=1.1)
    put_obstacle(room, 'sofa', 1.75, 0.05, 176.0)
    put_obstacle(room, 'plant', 2.1, 1.5)
    put_obstacle(room, 'shelf', 4.0, -0.9, 180.0)
    put_obstacle(room, 'table', 2.6, -1.7, 80.0)
    put_obstacle(room, 'chair', 2.0, -1.5, 170.0)
    put_obstacle(room, 'cabinet', -0.2, 2.3, -90.0)
    put_obstacle(room, 'boxes', 0.4, -2.1, 20.0)
    put_obstacle(room, 'lamp', 3.6, 1.9)
    put_obstacle(room, 'bed', -3.0, -1.8, 2.0)
    put_obstacle(room, 'cabinet', -3.9, 1.6, 0.0)
    return room.finish(width_px=WIDTH_PX, height_px=HEIGHT_PX)


def camera_pose(time_s: float) -> CameraPose:
    """
    Tell where the camera is.

    Parameters
    ----------
    time_s : float
        Since the start of the clip.

    Returns
    -------
    CameraPose
        Pose in :func:`demo_room`.

    """
    x_m, y_m, yaw_deg = _START_X_M, _START_Y_M, 0.0
    for segment in DRIVE:
        share = min(1.0, max(0.0, time_s / segment.duration_s))
        eased = share - math.sin(2 * math.pi * share) / (2 * math.pi)
        yaw_deg += segment.turn_deg * eased
        x_m += segment.distance_m * eased * math.cos(math.radians(yaw_deg))
        y_m += segment.distance_m * eased * math.sin(math.radians(yaw_deg))
        time_s -= segment.duration_s
    return CameraPose(x_m, y_m, CAMERA_HEIGHT_M, yaw_deg, CAMERA_PITCH_DEG)


def render_clip(folder: Path, depth_folder: Path | None) -> None:
    """
    Render the clip.

    Parameters
    ----------
    folder : Path
        Gets the pictures and `camera.json`.
    depth_folder : Path or None
        Gets the true depth.

    """
    camera = {
        'fx': FX_PX, 'fy': FX_PX, 'cx': (WIDTH_PX - 1) / 2, 'cy': (HEIGHT_PX - 1) / 2,
        'width': WIDTH_PX, 'height': HEIGHT_PX,
        'height_m': CAMERA_HEIGHT_M, 'pitch_deg': CAMERA_PITCH_DEG, 'roll_deg': 0.0,
        'stamps': 'file name, seconds', 'licence': 'Apache-2.0, rendered by simulation/',
    }  # fmt: skip
    for target in filter(None, (folder, depth_folder)):
        target.mkdir(parents=True, exist_ok=True)
    (folder / 'camera.json').write_text(json.dumps(camera, indent=1) + '\n')
    rng = np.random.default_rng(_SEED)
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    with RoomRenderer(demo_room(), WIDTH_PX, HEIGHT_PX, FX_PX) as renderer:
        for index in tqdm(range(round(DURATION_S * RATE_HZ)), unit='frame'):
            view = renderer.render(camera_pose(index / RATE_HZ))
            image = apply_effects(view.image_rgb, _EFFECTS, rng)
            stamp = f'{FIRST_STAMP_S + index / RATE_HZ:.6f}'
            cv2.imwrite(str(folder / f'{stamp}.jpg'), image[..., ::-1], quality)
            if depth_folder:
                cv2.imwrite(str(depth_folder / f'{stamp}.png'), to_millimetres(view.depth_m))


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog='python -m simulation.render_demo_clip',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--out', type=Path, required=True, help='folder to write to')
    parser.add_argument('--depth', type=Path, help='folder for the true depth')
    add_overwrite_argument(parser)
    options = parser.parse_args(arguments)
    try:
        check_outputs([options.out / 'camera.json'], [], options.overwrite)
    except ToolInputError as error:
        parser.error(str(error))
    render_clip(options.out, options.depth)


if __name__ == '__main__':
    main()
