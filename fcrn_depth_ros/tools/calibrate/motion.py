# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The scale of a recording in which the camera moved and its poses are known."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .calibration_file import (
    mounting_account,
    PICTURE_NAME,
    scale_parameters,
    write_calibration,
    YAML_NAME,
)
from .distance import pipeline_name
from .pictures import (
    is_bag,
    observe,
    read_pictures,
    SourcePicture,
    uncalibrated_pipeline,
    UsedCamera,
)
from ..image import PREVIEW_RANGE_M
from ..model_arguments import open_model
from ...archives.recording import ODOMETRY, Recording, require_rosbags
from ...camera.depth_encoding import to_millimetres
from ...errors import ToolInputError
from ...perception.observation import Observation
from ...report.chart import CHART_SIZE, draw_chart, measurement_sheet, Series
from ...report.drawing import colorize_depth, Picture
from ...report.output_files import check_outputs, write_npy, write_png
from ...scale.field import DepthField, FieldReport
from ...scale.landmarks import LandmarkFinder
from ...scale.motion import MotionPoints, robust_log_ratio
from ...scale.odometry import CameraPlace, CameraPose, RobotPose
from ...scale.poses import PoseRecording, read_tum_poses, recorded_poses
from ...wire.odometry_reading import odometry_reading

# Pictures with points that must agree before a factor is stated.
_LEAST_PICTURES = 3
_LEAST_SIGMA = 0.05
# The axes of a camera whose poses are its own are known.
_POSE_AXIS_SIGMA_RAD = math.radians(1.0)
_PANELS = 8

PoseOf = Callable[[int, SourcePicture], CameraPose | None]


@dataclass(frozen=True)
class MotionMoment:
    """
    What one picture of the recording says.

    Attributes
    ----------
    name : str
        Of the picture.
    log_factor : float
        Of its points in the middle; NaN without points.
    points : int
        How many.
    applied : float
        Factor that the corrected depth has, median over the picture.

    """

    name: str
    log_factor: float
    points: int
    applied: float


def calibrate_motion(arguments: argparse.Namespace, camera: UsedCamera) -> None:
    """
    Run `calibrate --motion`.

    Parameters
    ----------
    arguments : argparse.Namespace
        Of the command.
    camera : UsedCamera
        Whose scale is measured.

    Raises
    ------
    ToolInputError
        Options are wrong, or a picture has no calibration.

    """
    places = [place for group in arguments.images for place in group]
    if not places:
        raise ToolInputError('--motion must have pictures, got none; give --images PLACE')
    pose_of = poses_of(arguments, camera, places)
    names = [p.name for p in read_pictures(places, camera, arguments.image_topic)]
    outputs = [arguments.out / YAML_NAME, arguments.out / PICTURE_NAME]
    kinds = '.npy', '_depth.png', '_color.png'
    depths = [arguments.out / f'{name}{kind}' for name in names for kind in kinds]
    read = [*(Path(place) for place in places), *camera.path]
    read += [arguments.poses] if arguments.poses else []
    check_outputs([*outputs, *depths], read, arguments.overwrite)
    pipeline = uncalibrated_pipeline(open_model(arguments), 'input')
    finder, field = LandmarkFinder(), DepthField()
    moments: list[MotionMoment] = []
    panels: list[tuple[str, Picture]] = []
    shown = set(np.linspace(0, len(names) - 1, min(_PANELS, len(names))).round().astype(int))
    for index, picture in enumerate(read_pictures(places, camera, arguments.image_topic)):
        if picture.calibration is None:
            raise ToolInputError(
                f'the lens of {picture.name} must be known, got no calibration; give --camera-info'
            )
        seen = observe(pipeline, picture, camera.mounting)
        pose = pose_of(index, picture)
        points = None
        if pose is not None:
            intrinsics = picture.calibration.intrinsics
            points = finder.look(seen.image_rgb, intrinsics, pose, seen.depth_m)
        report = field.look(points, seen.depth_m, seen.intrinsics)
        corrected = seen.depth_m * np.exp(report.log_factor)
        moments.append(_moment(picture, report, points))
        _write_depth(arguments.out / picture.name, corrected)
        if index in shown:
            panels.append((_caption(moments[-1]), _panel(seen, points, corrected)))
    _write(arguments, camera, moments, panels)


def _moment(
    picture: SourcePicture, report: FieldReport, points: MotionPoints | None
) -> MotionMoment:
    known = points is not None and report.points > 0
    return MotionMoment(
        picture.name,
        robust_log_ratio(points)[0] if known and points is not None else math.nan,
        report.points,
        float(np.exp(np.median(report.log_factor))),
    )


def _write(
    arguments: argparse.Namespace,
    camera: UsedCamera,
    moments: list[MotionMoment],
    panels: list[tuple[str, Picture]],
) -> None:
    logs = np.array([m.log_factor for m in moments if math.isfinite(m.log_factor)])
    points = sum(m.points for m in moments)
    warnings = []
    if len(logs) < _LEAST_PICTURES:
        factor, sigma, spread = 1.0, 0.0, math.nan
        result = f'no factor: {points} points in {len(logs)} of {len(moments)} pictures'
        warnings.append(
            'the motion says nothing about the scale: the camera must move by 10 cm and more '
            'before things with corners, and not only turn'
        )
    else:
        log_factor = float(np.median(logs))
        spread = 1.4826 * float(np.median(np.abs(logs - log_factor)))
        factor, sigma = math.exp(log_factor), max(_LEAST_SIGMA, spread)
        result = (
            f'factor {factor:.3f}, spread {spread:.0%}, {points} points in {len(logs)} of '
            f'{len(moments)} pictures'
        )
    print(result)
    for warning in warnings:
        print(f'warning: {warning}')
    write_calibration(
        arguments.out,
        '--motion',
        [
            f'{result[0].upper()}{result[1:]}.',
            f'Network {pipeline_name(arguments)}. {mounting_account(camera.mounting)}',
            *(f'Warning: {warning}' for warning in warnings),
        ],
        scale_parameters(factor, sigma, camera.mounting),
    )
    sheet = measurement_sheet(
        'fcrn-depth calibrate --motion', result, panels, [_chart(moments, factor)]
    )
    write_png(arguments.out / PICTURE_NAME, sheet)


def poses_of(arguments: argparse.Namespace, camera: UsedCamera, places: list[str]) -> PoseOf:
    """Return what gives the pose of each picture, from a file or from odometry in the bags."""
    if arguments.poses is None:
        return _odometry(arguments, camera, places)
    recording = read_tum_poses(arguments.poses)

    def pose_of(index: int, picture: SourcePicture) -> CameraPose | None:
        if picture.stamp_ns is not None:
            return _camera_pose(recording.at(picture.stamp_ns))
        if index >= len(recording):
            raise ToolInputError(
                f'names of pictures must be their stamps in seconds, got {picture.name}, or '
                f'there must be a pose for each picture, got {len(recording)}'
            )
        return _camera_pose(recording.nth(index))

    return pose_of


def _camera_pose(pose: RobotPose | None) -> CameraPose | None:
    if pose is None:
        return None
    return CameraPose(pose.rotation, pose.position_m, 0, _POSE_AXIS_SIGMA_RAD)


def _odometry(arguments: argparse.Namespace, camera: UsedCamera, places: list[str]) -> PoseOf:
    """Return poses of the camera from the odometry of a robot, in the bags themselves."""
    rows = []
    for place in places:
        if not is_bag(place):
            raise ToolInputError(
                f'--poses must be given for {place}, got none; bags bring their odometry'
            )
        require_rosbags()
        with Recording(place) as recording:
            topics = recording.topics_of(ODOMETRY)
            topic = arguments.odom_topic or next(iter(topics), '')
            if topic not in topics or (len(topics) > 1 and not arguments.odom_topic):
                raise ToolInputError(
                    f'{place} must hold one topic of odometry, got {sorted(topics)}; name it with '
                    '--odom-topic, or give --poses'
                )
            for _, _, data in recording.messages([topic]):
                reading = odometry_reading(recording.decode(data, ODOMETRY))
                if not reading.flaw() and reading.stamp_ns is not None:
                    rows.append((reading.stamp_ns, reading.position_m, reading.quaternion_xyzw))
    if not rows:
        raise ToolInputError('odometry must hold poses, got none; give --poses')
    poses: PoseRecording = recorded_poses(rows)
    place_on_robot = CameraPlace.stated(
        camera.mounting, arguments.camera_x, arguments.camera_y, arguments.camera_yaw
    )

    def pose_of(index: int, picture: SourcePicture) -> CameraPose | None:
        pose = None if picture.stamp_ns is None else poses.at(picture.stamp_ns)
        return None if pose is None else place_on_robot.pose(pose)

    return pose_of


def _write_depth(stem: Path, depth_m: NDArray[np.float32]) -> None:
    write_npy(stem.with_name(f'{stem.name}.npy'), depth_m)
    write_png(stem.with_name(f'{stem.name}_depth.png'), to_millimetres(depth_m))
    preview = colorize_depth(depth_m, *PREVIEW_RANGE_M)
    write_png(stem.with_name(f'{stem.name}_color.png'), preview)


def _caption(moment: MotionMoment) -> str:
    return f'{moment.name}: {moment.points} points, factor {moment.applied:.2f}'


def _panel(
    seen: Observation, points: MotionPoints | None, corrected: NDArray[np.float32]
) -> Picture:
    picture = seen.image_rgb.copy()
    height = picture.shape[0]
    if points is not None:
        camera = seen.intrinsics.scaled_to(picture.shape[1], height)
        colors = colorize_depth(points.depth_m[None], *PREVIEW_RANGE_M)[0]
        for (x, y, _), color in zip(points.rays, colors, strict=True):
            at = round(x * camera.fx_px + camera.cx_px), round(y * camera.fy_px + camera.cy_px)
            picture[
                max(0, at[1] - height // 120) : at[1] + height // 120 + 1,
                max(0, at[0] - height // 120) : at[0] + height // 120 + 1,
            ] = color
    both: Picture = np.concatenate([picture, colorize_depth(corrected, *PREVIEW_RANGE_M)], axis=1)
    return both


def _chart(moments: list[MotionMoment], factor: float) -> Picture:
    last = max(1, len(moments) - 1)
    measured = [(float(i), math.exp(m.log_factor)) for i, m in enumerate(moments)]
    applied = [(float(i), m.applied) for i, m in enumerate(moments)]
    return draw_chart(
        CHART_SIZE,
        'picture',
        'factor',
        [
            Series('calibration', [(0.0, factor), (last, factor)], (110, 118, 129), is_line=True),
            Series('applied', applied, (255, 214, 10), is_line=True),
            Series('points of one picture', measured, (86, 180, 233)),
        ],
        x_range=(0.0, float(last)),
    )
