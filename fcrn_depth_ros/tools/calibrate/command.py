# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""``calibrate``: parameters of a robot's own camera, measured."""

from __future__ import annotations

import argparse
from pathlib import Path

from .distance import calibrate_distance
from .motion import calibrate_motion
from .mounting import calibrate_mounting
from .pictures import read_camera
from .thresholds import calibrate_thresholds
from ..model_arguments import add_model_arguments
from ..mounting_arguments import add_mounting_arguments
from ...errors import ToolInputError
from ...report.output_files import add_overwrite_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    modes = parser.add_argument_group('what is measured')
    modes.add_argument(
        '--distance',
        type=float,
        action='append',
        metavar='M',
        help='the scale: metres between the lens and a wall that fills the middle of the pictures '
        'which the next --images names; once for each distance',
    )
    modes.add_argument(
        '--motion',
        action='store_true',
        help='the scale, from a recording of a camera that moved and whose poses are known: '
        'pictures and --poses, or a bag with odometry. Also writes the corrected depth of every '
        'picture (STEM.npy, STEM_depth.png, STEM_color.png as the command image does), for which '
        'only earlier pictures are used',
    )
    modes.add_argument(
        '--mounting',
        action='store_true',
        help='height, pitch and roll of the camera: from pictures of empty floor and a --distance '
        'along it (or a measured --camera-height), or, with --motion, from floor that passes by',
    )
    parser.add_argument(
        '--mark',
        type=float,
        nargs=2,
        metavar=('X', 'Y'),
        help='with --mounting: pixel of the point on the floor to which --distance was measured '
        'from below the lens (default: the middle of the lower edge)',
    )
    modes.add_argument(
        '--labels',
        type=Path,
        metavar='FILE',
        help='stop_distance_m and the other distances of alert_node, near_distance_m and '
        'near_threshold, from moments that a person called near or far: lines of `PICTURE near`, '
        'or `BEGIN END far` in seconds',
    )
    parser.add_argument(
        '--recall',
        type=float,
        default=0.99,
        metavar='SHARE',
        help='with --labels: share of near moments at which the robot must stop (default: 0.99)',
    )
    parser.add_argument(
        '--params-file',
        type=Path,
        metavar='YAML',
        help='with --labels: parameters of depth_node, a calibrated scale among them',
    )
    parser.add_argument(
        '--images',
        nargs='+',
        action='append',
        default=[],
        metavar='PLACE',
        help='pictures, folders of them, or bags (.mcap, .db3, .bag, or a folder with '
        'metadata.yaml)',
    )
    parser.add_argument(
        '--image-topic', metavar='TOPIC', help='pictures of a bag with several cameras'
    )
    parser.add_argument(
        '--box',
        type=float,
        default=0.3,
        metavar='SHARE',
        help='with --distance: the middle that the wall fills, as a share of width and height '
        '(default: 0.3)',
    )
    parser.add_argument(
        '--poses',
        type=Path,
        metavar='FILE',
        help='with --motion: poses of the camera in TUM format (stamp tx ty tz qx qy qz qw of the '
        'optical frame); pictures are named by their stamps in seconds, or there is a pose for '
        'each',
    )
    parser.add_argument(
        '--odom-topic',
        metavar='TOPIC',
        help='with --motion and a bag: nav_msgs/Odometry of the robot (default: the only one)',
    )
    for name, unit, text in (
        ('x', 'M', 'ahead of the point that odometry follows'),
        ('y', 'M', 'to the left of it'),
        ('yaw', 'DEG', 'turn of the camera to the left'),
    ):
        parser.add_argument(
            f'--camera-{name}',
            type=float,
            default=0.0,
            metavar=unit,
            help=f'with --motion and a bag: {text} (default: 0)',
        )
    parser.add_argument(
        '--camera-info',
        '--camera-file',
        dest='camera_info',
        type=Path,
        metavar='FILE',
        help='camera.json or ROS calibration YAML of the camera (default: as camera_info in a bag '
        'says, else unknown)',
    )
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        metavar='DIR',
        help='receives calibration.yaml, which params_file takes, and calibration.png, which '
        'shows what was measured',
    )
    add_mounting_arguments(parser)
    add_model_arguments(parser)
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure, and write down what was found."""
    # With --mounting, distance and motion are means.
    chosen = [
        name
        for name, is_given in (
            ('--distance', arguments.distance is not None and not arguments.mounting),
            ('--motion', arguments.motion and not arguments.mounting),
            ('--mounting', arguments.mounting),
            ('--labels', arguments.labels is not None),
        )
        if is_given
    ]
    if len(chosen) != 1:
        raise ToolInputError(
            'one of --distance, --motion, --mounting and --labels must be given, got '
            f'{" and ".join(chosen) or "none"}; say what to measure'
        )
    if arguments.mounting:
        calibrate_mounting(arguments, read_camera(arguments))
        return
    camera = read_camera(arguments)
    if arguments.labels is not None:
        calibrate_thresholds(arguments, camera)
    elif arguments.motion:
        calibrate_motion(arguments, camera)
    else:
        calibrate_distance(arguments, camera)
