# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Render pictures with true depth for training and tests.

`python -m simulation.render_dataset --out DIR --scenes N --frames-per-scene K --seed S` writes
`DIR/rooms/<scene>/{rgb/NNNN.jpg, depth/NNNN.png, camera.json}` and `DIR/splits/{train,val}.txt`.
A scene is one room seen by one camera: its intrinsics and mounting stand in camera.json. Scenes
that are already there are kept, so that an interrupted command goes on where it stopped. With a
graphics card, `MUJOCO_GL=egl` renders on it; `--workers` then keeps it busy.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
import json
import math
import multiprocessing
from pathlib import Path
import shutil

import cv2
from fcrn_depth_ros.camera.depth_encoding import to_millimetres
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from .camera_effects import apply_effects, random_effects
from .renderer import CameraPose, RenderedView, RoomRenderer
from .room_builder import Room
from .rooms import random_room
from .textures import FLOORS, POOR_FLOORS

WIDTH_PX, HEIGHT_PX = 320, 240
_NEAR_SHARE = 0.65  # of the frames look at something 0.15-1.3 m away: an alarm's working range
_LOW_NEAR_SHARE = 0.35  # a low robot's way is free most of the time
_VAL_EVERY = 12  # one scene in so many is for validation


class Views(Enum):
    """What is rendered."""

    ROOMS = 'rooms'  # rooms from any height, something near in most pictures
    CLOSE_UPS = 'close_ups'  # the view filled by one thing near
    LOW_CAMERAS = 'low_cameras'  # as a low robot sees its way: much floor that shows little
    HARD_FLOORS = 'hard_floors'  # from any mounting, what is easily taken for floor, at the edges


@dataclass(frozen=True)
class RigCamera:
    """
    A camera as one robot carries it.

    Attributes
    ----------
    fx_px : float
        Focal length at WIDTH_PX.
    height_m, pitch_deg, roll_deg : float
        Mounting; see :class:`CameraPose`.

    """

    fx_px: float
    height_m: float
    pitch_deg: float
    roll_deg: float


def random_rig(rng: np.random.Generator) -> RigCamera:
    """Draw a camera: 50-95 degrees wide, 0.1-1.6 m high, low ones more often."""
    half_view = math.radians(rng.uniform(50.0, 95.0)) / 2
    height = rng.uniform(0.1, 0.7) if rng.random() < 0.6 else rng.uniform(0.1, 1.6)
    level = rng.random() < 0.25
    return RigCamera(
        fx_px=WIDTH_PX / 2 / math.tan(half_view),
        height_m=height,
        pitch_deg=0.0 if level else rng.uniform(-10.0, 35.0),
        roll_deg=0.0 if rng.random() < 0.4 else rng.uniform(-4.0, 4.0),
    )


def low_rig(rng: np.random.Generator) -> RigCamera:
    """Draw the camera of a low robot: 55-90 degrees wide, 0.1-0.35 m high."""
    half_view = math.radians(rng.uniform(55.0, 90.0)) / 2
    return RigCamera(
        fx_px=WIDTH_PX / 2 / math.tan(half_view),
        height_m=rng.uniform(0.1, 0.35),
        pitch_deg=rng.uniform(-3.0, 27.0),
        roll_deg=rng.uniform(-2.0, 2.0),
    )


def any_rig(rng: np.random.Generator) -> RigCamera:
    """Draw any camera: 40-110 degrees wide, pitched -30..60 and rolled up to 15 degrees."""
    half_view = math.radians(rng.uniform(40.0, 110.0)) / 2
    usual = rng.random() < 0.6
    return RigCamera(
        fx_px=WIDTH_PX / 2 / math.tan(half_view),
        height_m=math.exp(rng.uniform(math.log(0.1), math.log(1.7))),
        pitch_deg=rng.uniform(-5.0, 35.0) if usual else rng.uniform(-30.0, 60.0),
        roll_deg=rng.uniform(-4.0, 4.0) if rng.random() < 0.6 else rng.uniform(-15.0, 15.0),
    )


_RIGS = {Views.LOW_CAMERAS: low_rig, Views.HARD_FLOORS: any_rig}


def draw_room(views: Views, rng: np.random.Generator) -> Room:
    """Draw a room for the views wanted of it."""
    seed = int(rng.integers(2**62))
    if views is Views.HARD_FLOORS:
        floors = FLOORS if rng.random() < 0.6 else POOR_FLOORS
        return random_room(seed, WIDTH_PX, HEIGHT_PX, clutter=0.6, floors=floors, hard=True)
    if views is not Views.LOW_CAMERAS:
        return random_room(seed, WIDTH_PX, HEIGHT_PX)
    repeat_m = math.exp(rng.uniform(-0.3, 1.4))
    return random_room(
        seed, WIDTH_PX, HEIGHT_PX, least_length_m=4.0, clutter=0.45,
        floors=POOR_FLOORS, floor_repeat_m=repeat_m,
    )  # fmt: skip


def _draw_close_pose(room: Room, rig: RigCamera, rng: np.random.Generator) -> CameraPose:
    """Draw a pose right before a wall or an obstacle, as a robot that has driven up to it."""
    if not room.obstacles or rng.random() < 0.25:
        wall = rng.integers(4) * math.pi / 2
        size = np.array([room.length_m, room.width_m])
        facing = np.round([math.cos(wall), math.sin(wall)])
        target = rng.uniform(-0.4, 0.4, 2) * size * (1 - np.abs(facing)) + facing * size / 2
        place = target - facing * rng.uniform(0.18, 0.8)
    else:
        obstacle = room.obstacles[int(rng.integers(len(room.obstacles)))]
        target = np.array([obstacle.x_m, obstacle.y_m])
        around = rng.uniform(0.0, 2 * math.pi)
        away = obstacle.radius_m * rng.uniform(0.5, 0.95) + rng.uniform(0.08, 0.5)
        place = target + away * np.array([math.cos(around), math.sin(around)])
    yaw = math.degrees(math.atan2(*(target - place)[::-1])) + rng.normal(0.0, 12.0)
    x_m, y_m = place
    return CameraPose(x_m, y_m, rig.height_m, yaw, rig.pitch_deg, rig.roll_deg)


def _draw_edge_pose(room: Room, rig: RigCamera, rng: np.random.Generator) -> CameraPose:
    """Draw a pose from which an obstacle is cut by the left or right edge of the picture."""
    pose = _draw_pose(room, rig, True, rng)
    half_view = math.degrees(math.atan(WIDTH_PX / 2 / rig.fx_px))
    aside = rng.uniform(0.5, 1.15) * half_view * rng.choice((-1.0, 1.0))
    return replace(pose, yaw_deg=pose.yaw_deg + aside)


def _draw_pose(room: Room, rig: RigCamera, near: bool, rng: np.random.Generator) -> CameraPose:
    place = rng.uniform(-0.5, 0.5, 2) * (room.length_m - 0.3, room.width_m - 0.3)
    target = rng.uniform(-0.4, 0.4, 2) * (room.length_m, room.width_m)
    if near and room.obstacles and rng.random() < 0.85:
        obstacle = room.obstacles[int(rng.integers(len(room.obstacles)))]
        target = np.array([obstacle.x_m, obstacle.y_m])
        around = rng.uniform(0.0, 2 * math.pi)
        away = obstacle.radius_m * rng.uniform(0.6, 1.0) + math.exp(
            rng.uniform(math.log(0.15), math.log(1.3))
        )
        place = target + away * np.array([math.cos(around), math.sin(around)])
    yaw = math.degrees(math.atan2(*(target - place)[::-1])) + rng.normal(0.0, 14.0)
    x_m, y_m = place
    return CameraPose(x_m, y_m, rig.height_m, yaw, rig.pitch_deg, rig.roll_deg)


def _useful(view: RenderedView, near: bool, views: Views) -> bool:
    """Tell whether a view is neither stuck to a surface nor (if it must be near) without one."""
    if views is Views.LOW_CAMERAS:
        # The floor right before the camera is near too; only the upper half must be free.
        upper = view.depth_m[: view.depth_m.shape[0] // 2 : 4, ::4]
        return bool(np.nanpercentile(upper, 15) > (0.2 if near else 0.8))
    if views is Views.CLOSE_UPS:
        # Something near fills the view down to its lower edge, so that no floor is seen there.
        lower = view.depth_m[-view.depth_m.shape[0] // 4 :: 4, ::4]
        lowest, most = np.nanpercentile(view.depth_m[::4, ::4], (0, 60))
        return bool(lowest > 0.08 and most < 1.2 and np.nanpercentile(lower, 90) < 1.2)
    lowest, low, middle = np.nanpercentile(view.depth_m[::4, ::4], (0, 15, 50))
    if views is Views.HARD_FLOORS:
        return bool(lowest > 0.08 and middle > 0.3)
    if near:
        return bool(lowest > 0.1 and low < 1.5 and middle > 0.3)
    return bool(lowest > 0.12 and middle > 0.9)


def draw_view(
    renderer: RoomRenderer,
    room: Room,
    rig: RigCamera,
    near: bool,
    rng: np.random.Generator,
    views: Views = Views.ROOMS,
) -> RenderedView | None:
    """
    Look for a useful view of a room.

    Parameters
    ----------
    renderer : RoomRenderer
        Renders `room`.
    room : Room
        Its obstacles are looked at.
    rig : RigCamera
        The camera.
    near : bool
        Whether something must be near.
    rng : numpy.random.Generator
        Source of the poses.
    views : Views
        What is wanted.

    Returns
    -------
    RenderedView or None
        None when a few dozen poses gave nothing useful.

    """
    renders = 0
    close = views is Views.CLOSE_UPS
    edges = views is Views.HARD_FLOORS and near
    least_clearance_m = 0.06 if close else 0.12
    for _ in range(80):
        if close:
            pose = _draw_close_pose(room, rig, rng)
        elif edges:
            pose = _draw_edge_pose(room, rig, rng)
        else:
            pose = _draw_pose(room, rig, near, rng)
        inside = (
            abs(pose.x_m) < room.length_m / 2 - 0.15 and abs(pose.y_m) < room.width_m / 2 - 0.15
        )
        if (
            not inside
            or renderer.clearance_m(pose.x_m, pose.y_m, pose.height_m) < least_clearance_m
        ):
            continue
        view = renderer.render(pose)
        if _useful(view, near, views):
            return view
        renders += 1
        if renders == 6:
            break
    return None


def write_frame(
    folder: Path, index: int, image_rgb: NDArray[np.uint8], view: RenderedView, quality: int
) -> None:
    """
    Write one picture and its depth.

    Parameters
    ----------
    folder : Path
        Scene folder; `rgb` and `depth` are made in it.
    index : int
        Number in the file names.
    image_rgb : ndarray of uint8, shape (H, W, 3)
        What the camera delivered.
    view : RenderedView
        Its true depth.
    quality : int
        JPEG quality, 1..100.

    """
    for name in ('rgb', 'depth'):
        (folder / name).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(
        str(folder / 'rgb' / f'{index:04d}.jpg'),
        image_rgb[..., ::-1],
        [cv2.IMWRITE_JPEG_QUALITY, quality],
    )
    cv2.imwrite(str(folder / 'depth' / f'{index:04d}.png'), to_millimetres(view.depth_m))


def render_scene(
    folder: Path, seed: int, index: int, frame_count: int, views: Views = Views.ROOMS
) -> None:
    """
    Render one room through one camera.

    Parameters
    ----------
    folder : Path
        Scene folder; it appears only when it is complete.
    seed, index : int
        Together they determine everything in it.
    frame_count : int
        How many pictures are tried for.
    views : Views
        What is wanted.

    """
    rng = np.random.default_rng([seed, index])
    room = draw_room(views, rng)
    rig = _RIGS.get(views, random_rig)(rng)
    near_share = _LOW_NEAR_SHARE if views is Views.LOW_CAMERAS else _NEAR_SHARE
    draft = folder.with_name(f'.{folder.name}')
    shutil.rmtree(draft, ignore_errors=True)
    written = 0
    with RoomRenderer(room, WIDTH_PX, HEIGHT_PX, rig.fx_px) as renderer:
        for _ in range(frame_count):
            view = draw_view(renderer, room, rig, bool(rng.random() < near_share), rng, views)
            if view is not None:
                image = apply_effects(view.image_rgb, random_effects(rng), rng)
                write_frame(draft, written, image, view, int(rng.integers(70, 97)))
                written += 1
    if not written:
        return
    camera = {
        'fx': rig.fx_px, 'fy': rig.fx_px, 'cx': (WIDTH_PX - 1) / 2, 'cy': (HEIGHT_PX - 1) / 2,
        'width': WIDTH_PX, 'height': HEIGHT_PX, 'depth_unit': 'mm', 'depth_invalid': 0,
        'sensor': 'rendered with MuJoCo',
        'height_m': rig.height_m, 'pitch_deg': rig.pitch_deg, 'roll_deg': rig.roll_deg,
    }  # fmt: skip
    (draft / 'camera.json').write_text(json.dumps(camera, indent=1) + '\n')
    draft.rename(folder)


def _render_missing(out: Path, seed: int, frame_count: int, views: Views, index: int) -> str:
    """Render one room unless it is there, and return its name."""
    name = f'rooms/s{seed}_{index:05d}'
    if not (out / name).exists():
        render_scene(out / name, seed, index, frame_count, views)
    return name


def _drawn(draw: Callable[[int], str], scenes: int, workers: int) -> Iterator[str]:
    """Yield the names of the rooms in their order as they are complete."""
    if workers <= 1:
        yield from map(draw, range(scenes))
        return
    # A forked child cannot use the GL context of its parent.
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(draw, range(scenes))


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog='python -m simulation.render_dataset', description=__doc__
    )
    parser.add_argument('--out', type=Path, required=True, help='folder to write to')
    parser.add_argument('--scenes', type=int, default=500, help='number of rooms (default 500)')
    parser.add_argument(
        '--frames-per-scene', type=int, default=4, help='pictures of each (default 4)'
    )
    parser.add_argument('--seed', type=int, default=0, help='other seeds give other rooms')
    parser.add_argument(
        '--workers', type=int, default=1, help='rooms rendered at a time (default 1)'
    )
    parser.set_defaults(views=Views.ROOMS)
    wanted = parser.add_mutually_exclusive_group()
    for views, text in (
        (Views.CLOSE_UPS, 'only views that something near fills'),
        (Views.LOW_CAMERAS, 'the way of a low robot over plain, dark and large-tiled floors'),
        (Views.HARD_FLOORS, 'what is easily taken for floor, from any height, pitch and roll'),
    ):
        option = '--' + views.value.replace('_', '-')
        wanted.add_argument(option, dest='views', action='store_const', const=views, help=text)
    options = parser.parse_args(arguments)
    splits = {
        'train': options.out / 'splits' / 'train.txt',
        'val': options.out / 'splits' / 'val.txt',
    }
    splits['train'].parent.mkdir(parents=True, exist_ok=True)
    (options.out / 'rooms').mkdir(exist_ok=True)
    listed = {
        name: path.read_text().split() if path.exists() else [] for name, path in splits.items()
    }
    draw = partial(
        _render_missing, options.out, options.seed, options.frames_per_scene, options.views
    )
    for index, name in enumerate(
        tqdm(_drawn(draw, options.scenes, options.workers), total=options.scenes, unit='room')
    ):
        split = 'val' if index % _VAL_EVERY == _VAL_EVERY - 1 else 'train'
        if (options.out / name).exists() and name not in listed[split]:
            with splits[split].open('a') as file:
                file.write(name + '\n')


if __name__ == '__main__':
    main()
