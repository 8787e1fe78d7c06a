# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""``image``: depth of single pictures."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from .model_arguments import add_model_arguments, open_model
from ..camera.camera_file import read_camera_file
from ..camera.depth_encoding import to_millimetres
from ..camera.mounting import CameraMounting
from ..camera.picture_files import read_picture
from ..camera.rectification import Rectifier
from ..errors import ToolInputError
from ..estimation.depth_estimator import EstimationConfig
from ..perception.observation import CameraFrame, Observation
from ..perception.pipeline import FrameConfig, PerceptionConfig, PerceptionPipeline
from ..report.drawing import colorize_depth
from ..report.output_files import (
    add_overwrite_argument,
    check_outputs,
    write_npy,
    write_png,
)

# What some models give beside the depth.
_SHARES = ('floor', 'confidence')
PREVIEW_RANGE_M = (0.3, 8.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument('pictures', type=Path, nargs='+', metavar='PICTURE')
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        metavar='DIR',
        help='receives STEM.npy (float32 metres, NaN unknown), STEM_depth.png (16-bit '
        'millimetres, 0 unknown) and STEM_color.png (preview) for each picture; from models that '
        'give them also STEM_floor.npy (probability of free floor) and STEM_confidence.npy (1 = '
        'sure, NaN where depth is), both float32',
    )
    add_model_arguments(parser)
    parser.add_argument(
        '--camera-file',
        '--camera-info',
        type=Path,
        metavar='FILE',
        help='camera.json or ROS calibration YAML of the camera: corrects the scale for its '
        'focal length, and removes the distortion of its lens from the pictures before the depth '
        'is estimated (the picture without it is written as STEM_rect.png)',
    )
    parser.add_argument(
        '--camera-height',
        type=float,
        metavar='M',
        help='metres of the lens above the floor (default: as the camera file says, else unknown)',
    )
    parser.add_argument(
        '--camera-pitch',
        type=float,
        default=0.0,
        metavar='DEG',
        help='degrees below the horizon, down positive (default: 0; needs --camera-height)',
    )
    parser.add_argument(
        '--camera-roll',
        type=float,
        default=0.0,
        metavar='DEG',
        help='degrees clockwise seen from behind (default: 0; needs --camera-height)',
    )
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """Estimate and write; nothing is written unless every picture can be read."""
    camera = read_camera_file(arguments.camera_file) if arguments.camera_file else None
    mounting = _mounting(arguments)
    if mounting is None and camera is not None:
        mounting = camera.mounting
    repeated = [name for name, n in Counter(p.stem for p in arguments.pictures).items() if n > 1]
    if repeated:
        raise ToolInputError(
            f'pictures must have different names, got {", ".join(repeated)} more than once; '
            'rename them or use another --out for each'
        )
    kinds = ['.npy', '_depth.png', '_color.png']
    if camera is not None and camera.calibration.is_distorted:
        kinds.append('_rect.png')
    _check(arguments, kinds)
    for path in arguments.pictures:
        height, width = read_picture(path).shape[:2]
        if camera is not None:
            Rectifier(camera.fitted_to(width, height).calibration)
    model = open_model(arguments)
    if not model.card.is_metric:
        raise ToolInputError(
            f'model must be metric, got {model.card.name} ({model.card.output_kind}); use a '
            'model whose output is metres'
        )
    _check(
        arguments, [f'_{name}.npy' for name in _SHARES if getattr(model.card, f'{name}_output')]
    )
    pipeline = PerceptionPipeline.for_model(
        model,
        PerceptionConfig(
            # Two pictures of one folder may well be alike.
            frames=FrameConfig(frozen_frame_count=0, rectify=True),
            estimation=EstimationConfig(depth_size='input'),
        ),
    )
    for path in arguments.pictures:
        picture = read_picture(path)
        fitted = camera and camera.fitted_to(picture.shape[1], picture.shape[0])
        seen = pipeline.observe(
            CameraFrame(
                picture,
                stamp_ns=0,
                calibration=fitted.calibration if fitted else None,
                mounting=mounting,
            )
        )
        write_npy(arguments.out / f'{path.stem}.npy', seen.depth_m)
        write_png(arguments.out / f'{path.stem}_depth.png', to_millimetres(seen.depth_m))
        for name in _SHARES:
            shares = getattr(seen.estimate, name)
            if shares is not None:
                write_npy(arguments.out / f'{path.stem}_{name}.npy', shares)
        preview = colorize_depth(seen.depth_m, *PREVIEW_RANGE_M)
        write_png(arguments.out / f'{path.stem}_color.png', preview)
        note = ''
        if fitted is not None and fitted.calibration.is_distorted:
            write_png(arguments.out / f'{path.stem}_rect.png', seen.image_rgb)
            note = f'; lens distortion removed, depth belongs to {path.stem}_rect.png'
        print(f'{path}: {describe(seen)}{note}')


def _check(arguments: argparse.Namespace, kinds: list[str]) -> None:
    check_outputs(
        [arguments.out / f'{path.stem}{kind}' for path in arguments.pictures for kind in kinds],
        [
            *arguments.pictures,
            *(path for path in (arguments.camera_file, arguments.model) if path),
        ],
        arguments.overwrite,
    )


def describe(seen: Observation) -> str:
    """Return in one line what was found and how far it can be trusted."""
    if not seen.quality.usable:
        return f'unknown, the picture is {seen.quality.reason}'
    estimate = seen.estimate
    known = estimate.depth_m[np.isfinite(estimate.depth_m)]
    if not len(known):
        return 'unknown, the network gave no depth within its valid range'
    near, middle, far = np.percentile(known, (1, 50, 99))
    focal = 'corrected for its focal length' if estimate.focal_corrected else 'camera unknown'
    mounting = {
        'network': 'mounting used',
        'floor_scale': 'scaled to the floor',
        'none': 'mounting unknown',
    }[estimate.mounting_used]
    doubts = ''.join(f', {doubt}' for doubt in estimate.range_doubts)
    return f'{near:.2f}..{far:.2f} m, median {middle:.2f} m ({focal}, {mounting}{doubts})'


def _mounting(arguments: argparse.Namespace) -> CameraMounting | None:
    if arguments.camera_height is not None:
        return CameraMounting(
            arguments.camera_height, arguments.camera_pitch, arguments.camera_roll
        )
    if arguments.camera_pitch or arguments.camera_roll:
        raise ToolInputError(
            'camera height must be given with --camera-pitch and --camera-roll, got none; '
            'add --camera-height'
        )
    return None
