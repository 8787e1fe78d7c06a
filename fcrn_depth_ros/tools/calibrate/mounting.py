# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Where the camera sits above the floor: from pictures of it and a tape, or from motion."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .calibration_file import mounting_parameters, PICTURE_NAME, write_calibration, YAML_NAME
from .distance import pipeline_name
from .motion import poses_of
from .pictures import observe, read_pictures, uncalibrated_pipeline, UsedCamera
from ..model_arguments import open_model
from ...camera.intrinsics import CameraIntrinsics
from ...camera.mounting import CameraMounting, fit_floor, inverse_floor_depth
from ...errors import ToolInputError
from ...report.chart import measurement_sheet
from ...report.drawing import Picture, text_width, write
from ...report.output_files import check_outputs, write_png
from ...scale.landmarks import LandmarkFinder
from ...scale.level_lines import find_lines, middle_direction, upright
from ...scale.motion import MotionPoints

MOST_SPREAD_DEG = 3.0
# Straight lines count where they speak in so many of the pictures, and as many of them agree.
_LEAST_SPEAK, _LEAST_AGREE = 0.5, 0.6
# By how much lines and the floor's shape differ before it is said.
_MOST_APART_DEG = 5.0
# Below this angle under the horizon, a distance on the floor says little about the height.
_LEAST_SLOPE = math.tan(math.radians(5.0))
# Points of all pictures, gathered in so many cells across.
_CELLS = 80
# A network draws a floor this much less flat than a sensor measures it.
_SLACK = 0.03
_SURE_FLOOR = 0.5
_LINES_M = (0.25, 0.5, 1.0, 2.0, 4.0)
_PANELS = 8


def height_from_distance(
    down: NDArray[np.floating], ray: NDArray[np.floating], distance_m: float
) -> float:
    """
    Find the height of a camera from one distance along the floor.

    Parameters
    ----------
    down : ndarray of float, shape (3,)
        Unit vector toward the floor, in the optical frame.
    ray : ndarray of float, shape (3,)
        Toward the point on the floor to which was measured.
    distance_m : float
        From the point of the floor below the lens.

    Returns
    -------
    float
        Metres.

    Raises
    ------
    ToolInputError
        The point is not below the horizon, or hardly.

    """
    toward = float(ray @ down)
    across = float(np.linalg.norm(ray - toward * down))
    if toward < _LEAST_SLOPE * across:
        raise ToolInputError(
            'the measured point must lie on the floor, 5 degrees and more below the horizon, got '
            f'{math.degrees(math.atan2(toward, across)):.1f} degrees; choose a nearer one (--mark)'
        )
    return distance_m * toward / across


def pooled_depth(
    points: Sequence[MotionPoints], intrinsics: CameraIntrinsics
) -> tuple[NDArray[np.float32], CameraIntrinsics]:
    """
    Gather the points of several pictures of one camera in one sparse depth map.

    Parameters
    ----------
    points : sequence of MotionPoints
        Of pictures taken with the same mounting.
    intrinsics : CameraIntrinsics
        Of these pictures.

    Returns
    -------
    tuple of ndarray of float32, shape (h, w), and CameraIntrinsics
        Median depth of each cell, NaN where there is none; and the camera of that map.

    """
    width = min(_CELLS, intrinsics.width_px)
    camera = intrinsics.scaled_to(
        width, max(1, round(width * intrinsics.height_px / intrinsics.width_px))
    )
    rays = np.concatenate([each.rays for each in points])
    depth = np.concatenate([each.depth_m for each in points])
    columns = (rays[:, 0] * camera.fx_px + camera.cx_px).round().astype(int)
    rows = (rays[:, 1] * camera.fy_px + camera.cy_px).round().astype(int)
    cells = rows.clip(0, camera.height_px - 1) * width + columns.clip(0, width - 1)
    sparse = np.full(camera.height_px * width, np.nan, np.float32)
    for cell in np.unique(cells):
        sparse[cell] = np.median(depth[cells == cell])
    return sparse.reshape(camera.height_px, width), camera


def calibrate_mounting(arguments: argparse.Namespace, camera: UsedCamera) -> None:
    """
    Run `calibrate --mounting`.

    Parameters
    ----------
    arguments : argparse.Namespace
        Of the command.
    camera : UsedCamera
        Whose mounting is looked for.

    Raises
    ------
    ToolInputError
        Options are wrong, or no floor is found.

    """
    places = [place for group in arguments.images for place in group]
    if not places:
        raise ToolInputError('--mounting must have pictures, got none; give --images PLACE')
    measured = [arguments.distance is not None, arguments.camera_height is not None]
    if sum(measured) + bool(arguments.motion) != 1:
        raise ToolInputError(
            '--mounting must be given with one of --distance M (along the floor), --camera-height '
            f'M and --motion, got {sum(measured) + bool(arguments.motion)} of them; give one'
        )
    outputs = [arguments.out / YAML_NAME, arguments.out / PICTURE_NAME]
    read = [*(Path(place) for place in places), *camera.path]
    check_outputs(outputs, read, arguments.overwrite)
    if arguments.motion:
        mounting, account, pictures = _from_motion(arguments, camera, places)
    else:
        mounting, account, pictures = _from_floor(arguments, camera, places)
    result = f'camera {mounting.height_m:.3f} m high, pitch {mounting.pitch_deg:.1f} deg, roll '
    result += f'{mounting.roll_deg:.1f} deg'
    print('\n'.join([result, *account]))
    write_calibration(
        arguments.out,
        '--mounting' + (' --motion' if arguments.motion else ''),
        [
            f'{result[0].upper()}{result[1:]}.',
            *(f'{line[0].upper()}{line[1:]}.' for line in account),
            f'Network {pipeline_name(arguments)}.',
        ],
        mounting_parameters(mounting),
    )
    chosen = np.linspace(0, len(pictures) - 1, min(_PANELS, len(pictures))).round().astype(int)
    panels = [
        (name, draw_floor(image_rgb, intrinsics, mounting))
        for name, image_rgb, intrinsics in (pictures[index] for index in chosen)
    ]
    sheet = measurement_sheet('fcrn-depth calibrate --mounting', result, panels, [])
    write_png(arguments.out / PICTURE_NAME, sheet)


_Seen = list[tuple[str, Picture, CameraIntrinsics]]


def _from_floor(
    arguments: argparse.Namespace, camera: UsedCamera, places: list[str]
) -> tuple[CameraMounting, list[str], _Seen]:
    pipeline = uncalibrated_pipeline(open_model(arguments))
    by_shape: list[NDArray[np.float64]] = []
    by_lines: list[NDArray[np.float64]] = []
    pictures: _Seen = []
    quarters = 0 if camera.mounting is None else round(camera.mounting.roll_deg / 90.0)
    for picture in read_pictures(places, camera, arguments.image_topic):
        if picture.calibration is None:
            raise ToolInputError(
                f'the lens of {picture.name} must be known, got no calibration; give --camera-info'
            )
        # Without a mounting: the one that is looked for must not decide.
        seen = observe(pipeline, picture, None)
        depth_m = seen.estimate.depth_m
        if seen.estimate.floor is not None:
            depth_m = np.where(seen.estimate.floor >= _SURE_FLOOR, depth_m, np.float32(np.nan))
        found = fit_floor(depth_m, seen.intrinsics, max_height_m=10.0, slack=_SLACK)
        lines = find_lines(seen.image_rgb, picture.calibration.intrinsics)
        shown = upright(lines, quarters) if seen.quality.usable else None
        if found is None and shown is None:
            reason = seen.quality.reason or 'no floor and no upright edges found'
            print(f'{picture.name}: left out, {reason}')
            continue
        if found is not None:
            by_shape.append(found.down_vector())
        if shown is not None:
            by_lines.append(shown)
        pictures.append((picture.name, seen.image_rgb, picture.calibration.intrinsics))
    down, account = _joined_angles(by_lines, by_shape, len(pictures))
    if arguments.camera_height is not None:
        height_m, how = arguments.camera_height, 'height as measured'
    else:
        if len(arguments.distance) != 1 or not arguments.distance[0] > 0.0:
            raise ToolInputError(
                f'--distance must be one distance along the floor, got {arguments.distance}'
            )
        height_m, how = _measured_height(arguments, down, pictures[0][2])
    return CameraMounting.from_down_vector(down, height_m), [how, *account], pictures


def _joined_angles(
    by_lines: Sequence[NDArray[np.float64]],
    by_shape: Sequence[NDArray[np.float64]],
    picture_count: int,
) -> tuple[NDArray[np.float64], list[str]]:
    """Return down, and how it was found: straight lines are surer than the floor's shape."""
    lines = shape = None
    if by_lines and len(by_lines) >= _LEAST_SPEAK * picture_count:
        lines = middle_direction(by_lines)
        if np.mean(_apart_deg(by_lines, lines) <= MOST_SPREAD_DEG) < _LEAST_AGREE:
            lines = None
    if by_shape:
        shape = middle_direction(by_shape)
    down, said, name = (lines, by_lines, 'straight lines')
    if down is None:
        down, said, name = (shape, by_shape, "the floor's shape")
    if down is None:
        raise ToolInputError(
            '--images must show empty floor, or edges of walls and furniture, got none that does; '
            'point the camera at more floor'
        )
    spread_deg = float(np.quantile(_apart_deg(said, down), 0.9))
    account = [
        f'pitch and roll from {name} in {len(said)} of {picture_count} pictures, nine in ten '
        f'within {spread_deg:.1f} deg of their middle'
    ]
    if spread_deg > MOST_SPREAD_DEG:
        account.append(
            f'warning: the pictures differ by more than {MOST_SPREAD_DEG:g} deg; is the floor '
            'empty, and did the camera keep still?'
        )
    if lines is not None and shape is not None:
        (apart_deg,) = _apart_deg([shape], lines)
        if apart_deg > _MOST_APART_DEG:
            other = CameraMounting.from_down_vector(shape, 1.0)
            account.append(
                f"the floor's shape in {len(by_shape)} pictures, which is less sure, says pitch "
                f'{other.pitch_deg:.1f} and roll {other.roll_deg:.1f} deg: compare with the '
                f'horizon in {PICTURE_NAME}'
            )
    return down, account


def _apart_deg(
    downs: Sequence[NDArray[np.float64]], middle: NDArray[np.float64]
) -> NDArray[np.float64]:
    apart: NDArray[np.float64] = np.degrees(np.arccos(np.clip(np.array(downs) @ middle, -1, 1)))
    return apart


def _measured_height(
    arguments: argparse.Namespace, down: NDArray[np.float64], camera: CameraIntrinsics
) -> tuple[float, str]:
    x, y = arguments.mark or (camera.width_px / 2 - 0.5, camera.height_px - 1.0)
    ray = np.array([(x - camera.cx_px) / camera.fx_px, (y - camera.cy_px) / camera.fy_px, 1.0])
    distance_m = arguments.distance[0]
    height_m = height_from_distance(down, ray, distance_m)
    if not 0.01 <= height_m <= 20.0:
        raise ToolInputError(
            f'height must be in 0.01..20 m, got {height_m:.3g} from {distance_m:g} m along the '
            'floor; check distance and mark'
        )
    return height_m, f'height from {distance_m:g} m along the floor to pixel {x:g}, {y:g}'


def _from_motion(
    arguments: argparse.Namespace, camera: UsedCamera, places: list[str]
) -> tuple[CameraMounting, list[str], _Seen]:
    pose_of = poses_of(arguments, camera, places)
    pipeline = uncalibrated_pipeline(open_model(arguments))
    finder = LandmarkFinder()
    points: list[MotionPoints] = []
    pictures: _Seen = []
    for index, picture in enumerate(read_pictures(places, camera, arguments.image_topic)):
        if picture.calibration is None:
            raise ToolInputError(
                f'the lens of {picture.name} must be known, got no calibration; give --camera-info'
            )
        pose = pose_of(index, picture)
        seen = observe(pipeline, picture, None)
        if pose is None:
            continue
        intrinsics = picture.calibration.intrinsics
        found = finder.look(seen.image_rgb, intrinsics, pose, seen.depth_m)
        pictures.append((picture.name, seen.image_rgb, intrinsics))
        if found is not None:
            points.append(found)
    mounting = None
    if points:
        mounting = fit_floor(*pooled_depth(points, pictures[0][2]))
    if mounting is None:
        count = sum(len(each.depth_m) for each in points)
        raise ToolInputError(
            f'--motion must show a floor with corners, got {count} points and no plane below the '
            'camera; drive half a metre over a floor with some texture'
        )
    count = sum(len(each.depth_m) for each in points)
    account = [f'from {count} points in {len(points)} of {len(pictures)} pictures']
    return mounting, account, pictures


def draw_floor(
    image_rgb: Picture, intrinsics: CameraIntrinsics, mounting: CameraMounting
) -> Picture:
    """Draw the horizon, and lines of equal depth on the floor, into a copy of a picture."""
    picture: Picture = image_rgb.copy()
    inverse = inverse_floor_depth(intrinsics, mounting)
    for depth_m in (math.inf, *_LINES_M):
        beyond = inverse <= 1.0 / depth_m
        edge = np.zeros_like(beyond)
        edge[1:] = beyond[1:] != beyond[:-1]
        edge[:-1] |= edge[1:]
        picture[edge] = (255, 255, 255) if math.isinf(depth_m) else (255, 214, 10)
        rows = np.flatnonzero(edge[:, edge.shape[1] // 2])
        if len(rows):
            text_px = max(8.0, picture.shape[0] / 30)
            label = 'horizon' if math.isinf(depth_m) else f'{depth_m:g} m'
            column = picture.shape[1] // 2 - text_width(label, text_px) // 2
            write(picture, label, (column, int(rows[0]) - 3), text_px, (255, 255, 255))
    return picture
