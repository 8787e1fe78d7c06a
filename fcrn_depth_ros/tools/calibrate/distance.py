# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The scale from a wall at known distances."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .calibration_file import (
    mounting_account,
    PICTURE_NAME,
    scale_parameters,
    write_calibration,
    YAML_NAME,
)
from .pictures import observe, read_pictures, uncalibrated_pipeline, UsedCamera
from ..model_arguments import open_model
from ...errors import ToolInputError
from ...perception.observation import Observation
from ...report.chart import CHART_SIZE, draw_chart, measurement_sheet, Series
from ...report.drawing import colorize_depth, Picture
from ...report.output_files import check_outputs, write_png

MOST_SPREAD, MOST_OFF = 0.15, 0.25
# A wall is not every scene: what one factor leaves elsewhere, with one distance and with several.
_LEAST_SIGMA_ONE, _LEAST_SIGMA = 0.10, 0.05
# Least share of the box whose depth must be known.
_LEAST_KNOWN = 0.5
# Beyond this, depth_node does not call the metres verified.
_USABLE_SIGMA = 0.2
_MOST_PANELS = 12


@dataclass(frozen=True)
class WallSample:
    """
    What one picture of a wall shows.

    Attributes
    ----------
    name : str
        Of the picture.
    distance_m, depth_m : float
        Measured with the tape; median of the network's depth in the box.
    spread : float
        Standard deviation of that depth over the box, relative.

    """

    name: str
    distance_m: float
    depth_m: float
    spread: float

    @property
    def log_factor(self) -> float:
        """Logarithm of true depth over the network's."""
        return math.log(self.distance_m / self.depth_m)


@dataclass(frozen=True)
class WallScale:
    """
    One factor for all samples.

    Attributes
    ----------
    factor : float
        True depth over that of the network.
    spread : float
        Of the factors of single samples around it, relative.
    sigma : float
        What the factor is worth elsewhere: never less than walls can vouch for.
    warnings : tuple of str
        What is wrong with samples.

    """

    factor: float
    spread: float
    sigma: float
    warnings: tuple[str, ...]


def middle_box(shape: tuple[int, int], share: float) -> tuple[slice, slice]:
    """Return rows and columns of the middle of a picture."""
    height, width = shape
    rows, columns = max(1, round(share * height)), max(1, round(share * width))
    top, left = (height - rows) // 2, (width - columns) // 2
    return slice(top, top + rows), slice(left, left + columns)


def measure_wall(
    name: str, distance_m: float, depth_m: NDArray[np.floating], share: float
) -> WallSample | None:
    """
    Measure the depth of a wall in the middle of a depth map.

    Parameters
    ----------
    name : str
        Of the picture.
    distance_m : float
        True depth of the wall.
    depth_m : ndarray of float, shape (H, W)
        Of the network, NaN where unknown.
    share : float
        Of width and height that the box has.

    Returns
    -------
    WallSample or None
        None where too little of the box is known.

    """
    box = depth_m[middle_box(depth_m.shape, share)]
    known = box[np.isfinite(box) & (box > 0)].astype(np.float64)
    if len(known) < _LEAST_KNOWN * box.size:
        return None
    low, middle, high = np.percentile(known, (16, 50, 84))
    return WallSample(name, distance_m, float(middle), float((high - low) / 2 / middle))


def fit_wall_scale(samples: Sequence[WallSample]) -> WallScale:
    """
    Find one factor for samples at one or several distances.

    Parameters
    ----------
    samples : sequence of WallSample
        At least one.

    Returns
    -------
    WallScale
        Each distance counts once, however many pictures show it.

    """
    distances = sorted({sample.distance_m for sample in samples})
    middles = [
        float(np.median([s.log_factor for s in samples if s.distance_m == distance]))
        for distance in distances
    ]
    log_factor = float(np.median(middles))
    off = np.array([sample.log_factor - log_factor for sample in samples])
    spread = math.sqrt(float(np.mean(off**2)))
    warnings = [
        f'{s.name}: depth in the box spreads by {s.spread:.0%}, more than {MOST_SPREAD:.0%}; does '
        'the wall fill it, and does the camera look straight at it?'
        for s in samples
        if s.spread > MOST_SPREAD
    ]
    warnings += [
        f'{s.name}: {s.distance_m:g} m is {math.exp(s.log_factor - log_factor) - 1:+.0%} off what '
        f'the others say, more than {MOST_OFF:.0%}; is the distance right?'
        for s in samples
        if abs(math.exp(s.log_factor - log_factor) - 1) > MOST_OFF
    ]
    if len(distances) == 1:
        warnings.append('one distance only: whether the factor holds nearer and farther is open')
    least = _LEAST_SIGMA_ONE if len(distances) == 1 else _LEAST_SIGMA
    return WallScale(math.exp(log_factor), spread, max(least, spread), tuple(warnings))


def calibrate_distance(arguments: argparse.Namespace, camera: UsedCamera) -> None:
    """
    Run `calibrate --distance`.

    Parameters
    ----------
    arguments : argparse.Namespace
        Of the command.
    camera : UsedCamera
        Whose scale is measured.

    Raises
    ------
    ToolInputError
        Options are wrong, or no picture shows a wall.

    """
    distances = _distances(arguments)
    places = [Path(place) for group in arguments.images for place in group]
    outputs = [arguments.out / YAML_NAME, arguments.out / PICTURE_NAME]
    check_outputs(outputs, [*places, *camera.path], arguments.overwrite)
    pipeline = uncalibrated_pipeline(open_model(arguments))
    samples: list[WallSample] = []
    panels: list[tuple[str, Picture]] = []
    is_camera_known = True
    for distance_m, group in zip(distances, arguments.images, strict=True):
        for picture in read_pictures(group, camera, arguments.image_topic):
            seen = observe(pipeline, picture, camera.mounting)
            sample = measure_wall(picture.name, distance_m, seen.depth_m, arguments.box)
            if sample is None:
                reason = seen.quality.reason or 'its depth in the box is unknown'
                print(f'{picture.name}: left out, {reason}')
                continue
            is_camera_known &= picture.calibration is not None
            print(
                f'{sample.name}: {distance_m:g} m, network {sample.depth_m:.2f} m, factor '
                f'{math.exp(sample.log_factor):.3f}, spread in the box {sample.spread:.0%}'
            )
            samples.append(sample)
            panels.append((f'{distance_m:g} m: {sample.depth_m:.2f} m', _panel(seen, arguments)))
    if not samples:
        raise ToolInputError(
            '--images must show a wall with some texture in the middle, got none that does; hang '
            'up a poster, or turn on the light'
        )
    scale = fit_wall_scale(samples)
    warnings = list(scale.warnings)
    if not is_camera_known:
        warnings.append(
            'no --camera-info: the factor holds only where depth_node has no camera_info either'
        )
    if scale.sigma > _USABLE_SIGMA:
        warnings.append(
            f'the factor is known within {scale.sigma:.0%} only: depth_node will not take the '
            f'metres as verified (needs {_USABLE_SIGMA:.0%})'
        )
    result = (
        f'factor {scale.factor:.3f}, spread {scale.spread:.0%}, {len(samples)} pictures at '
        f'{len(set(distances))} distances'
    )
    print(result)
    for warning in warnings:
        print(f'warning: {warning}')
    write_calibration(
        arguments.out,
        '--distance ' + ' '.join(f'{distance:g}' for distance in sorted(set(distances))),
        [
            f'{result[0].upper()}{result[1:]}.',
            f'Network {pipeline_name(arguments)}. {mounting_account(camera.mounting)}',
            *(f'Warning: {warning}' for warning in warnings),
        ],
        scale_parameters(scale.factor, scale.sigma, camera.mounting),
    )
    chosen = np.linspace(0, len(panels) - 1, min(len(panels), _MOST_PANELS)).round().astype(int)
    sheet = measurement_sheet(
        'fcrn-depth calibrate --distance',
        result,
        [panels[index] for index in chosen],
        [_chart(samples, scale)],
    )
    write_png(arguments.out / PICTURE_NAME, sheet)


def pipeline_name(arguments: argparse.Namespace) -> str:
    """Return the network that the options name."""
    return 'fcrn_lite' if arguments.model is None else str(arguments.model)


def _distances(arguments: argparse.Namespace) -> list[float]:
    distances: list[float] = arguments.distance
    if len(distances) != len(arguments.images):
        raise ToolInputError(
            f'--images must be given once for each --distance, got {len(arguments.images)} and '
            f'{len(distances)}; give --distance M --images PLACE for each distance'
        )
    for distance_m in distances:
        if not 0.05 <= distance_m <= 100.0:
            raise ToolInputError(
                f'--distance must be in 0.05..100 m, got {distance_m:g}; give metres'
            )
    if not 0.02 <= arguments.box <= 1.0:
        raise ToolInputError(f'--box must be in 0.02..1, got {arguments.box:g}; give a share')
    return distances


def _panel(seen: Observation, arguments: argparse.Namespace) -> Picture:
    height, width = seen.image_rgb.shape[:2]
    depth = cv2.resize(colorize_depth(seen.depth_m, 0.3, 8.0), (width, height))
    both: Picture = np.concatenate([seen.image_rgb, depth], axis=1)
    rows, columns = middle_box((height, width), arguments.box)
    for left in (0, width):
        corners = (left + columns.start, rows.start), (left + columns.stop - 1, rows.stop - 1)
        cv2.rectangle(both, *corners, (255, 255, 255), max(1, height // 160))
    return both


def _chart(samples: Sequence[WallSample], scale: WallScale) -> Picture:
    farthest = 1.1 * max(s.distance_m for s in samples)
    deepest = 1.1 * max(max(s.depth_m for s in samples), farthest / scale.factor)
    line = [(0.0, 0.0), (farthest, farthest / scale.factor)]
    return draw_chart(
        CHART_SIZE,
        'measured distance (m)',
        'depth of the network (m)',
        [
            Series('exact', [(0.0, 0.0), (farthest, farthest)], (110, 118, 129), is_line=True),
            Series(f'factor {scale.factor:.3f}', line, (255, 214, 10), is_line=True),
            Series('pictures', [(s.distance_m, s.depth_m) for s in samples], (86, 180, 233)),
        ],
        x_range=(0.0, farthest),
        y_range=(0.0, deepest),
    )
