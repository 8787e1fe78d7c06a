# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Distances at which to stop, from moments that a person called near or far."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
import math
from pathlib import Path

import numpy as np

from .calibration_file import PICTURE_NAME, write_calibration, YAML_NAME
from .distance import pipeline_name
from .pictures import observe, read_pictures, SourcePicture, uncalibrated_pipeline, UsedCamera
from ..model_arguments import open_model
from ..parameter_file import configured, read_parameters
from ...alert.machine import AlertConfig
from ...camera.orientation import lateral_slope
from ...errors import ToolInputError
from ...perception.observation import Observation
from ...perception.pipeline import PerceptionConfig, PerceptionPipeline
from ...perception.proximity import estimate_proximity, ProximityConfig
from ...report.chart import CHART_SIZE, draw_chart, measurement_sheet, Series
from ...report.drawing import draw_proximity, Picture
from ...report.output_files import check_outputs, write_png
from ...scale.poses import lines_of_words

# Distances that are tried for near_distance_m.
_NEAR_DISTANCES_M = tuple(round(0.2 * 1.15**step, 2) for step in range(24))
_SHARE_STEP, _DISTANCE_STEP_M = 0.001, 0.01
_PANELS = 8


@dataclass(frozen=True)
class Label:
    """
    What a person says of one picture, or of all pictures of some seconds.

    Attributes
    ----------
    name : str
        Of the picture; empty for a time.
    begin_s, end_s : float
        First and last stamp; NaN for a name.
    is_near : bool
        Whether the robot must stop there.

    """

    name: str
    begin_s: float
    end_s: float
    is_near: bool

    def fits(self, picture: SourcePicture) -> bool:
        """Return whether the label is of this picture."""
        if self.name:
            return self.name == picture.name
        stamp_ns = picture.stamp_ns
        return stamp_ns is not None and self.begin_s <= stamp_ns / 1e9 <= self.end_s


@dataclass(frozen=True)
class Moment:
    """
    What one labelled picture shows.

    Attributes
    ----------
    name : str
        Of the picture.
    is_near : bool
        As labelled.
    nearest_m : float
        As proximity/range states it; -Inf where it is unknown, which stops at any distance.
    shares : tuple of float
        Share of pixels nearer than each of the distances that are tried; 1 where unknown.

    """

    name: str
    is_near: bool
    nearest_m: float
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Thresholds:
    """
    What was chosen, and what it does to the labelled moments.

    Attributes
    ----------
    stop_distance_m, near_distance_m, near_threshold : float
        As the parameters.
    stop_recall, stop_alarms : float
        Share of near moments that stop, and of far ones.
    near_recall, near_alarms : float
        The same of proximity/near.

    """

    stop_distance_m: float
    near_distance_m: float
    near_threshold: float
    stop_recall: float
    stop_alarms: float
    near_recall: float
    near_alarms: float


def read_labels(path: Path) -> list[Label]:
    """
    Read a file of labels.

    Parameters
    ----------
    path : Path
        Lines of `PICTURE near`, or `BEGIN END far` with stamps in seconds; commas or spaces.
        What follows a # counts for nothing.

    Returns
    -------
    list of Label
        In the order of the file.

    Raises
    ------
    ToolInputError
        It cannot be read, or a line of it is no label.

    """
    labels = []
    for number, line, words in lines_of_words(path, '--labels'):
        try:
            labels.append(_label(words))
        except ValueError as err:
            raise ToolInputError(
                f'line {number} of {path} must be `PICTURE near`, `PICTURE far`, or the same with '
                f'`BEGIN END` in seconds, got {line.strip()[:120]!r}; correct it'
            ) from err
    return labels


def _label(words: list[str]) -> Label:
    *what, kind = words
    if kind not in ('near', 'far') or len(what) not in (1, 2):
        raise ValueError
    if len(what) == 1:
        path = Path(what[0])
        is_file = path.suffix and not path.suffix[1:].isdigit()
        return Label(path.stem if is_file else path.name, math.nan, math.nan, kind == 'near')
    begin_s, end_s = (float(word) for word in what)
    if not begin_s <= end_s:
        raise ValueError
    return Label('', begin_s, end_s, kind == 'near')


def choose_thresholds(moments: Sequence[Moment], recall: float) -> Thresholds:
    """
    Find the least distances that stop at the wanted share of near moments.

    Parameters
    ----------
    moments : sequence of Moment
        Some near, some far.
    recall : float
        Least share of near moments that must stop, above 0 and at most 1.

    Returns
    -------
    Thresholds
        Of all settings that reach it, those with the fewest alarms at far moments.

    Raises
    ------
    ToolInputError
        A kind of moment is missing, or no distance reaches the recall.

    """
    near = [moment for moment in moments if moment.is_near]
    far = [moment for moment in moments if not moment.is_near]
    if not near or not far:
        raise ToolInputError(
            f'--labels must name near and far moments, got {len(near)} near and {len(far)} far '
            'among the pictures; label some of each'
        )
    needed = math.ceil(recall * len(near) - 1e-9)
    nearest = sorted(moment.nearest_m for moment in near)[needed - 1]
    if nearest == math.inf:
        raise _nothing_near(near, needed)
    # STOP is below the distance, so it lies above the nearest one that must stop.
    stop_m = (math.floor(max(0.0, nearest) / _DISTANCE_STEP_M) + 1) * _DISTANCE_STEP_M
    # alert_node takes no stop distance within its margin; a longer one stops at no fewer moments.
    stop_m = max(stop_m, AlertConfig().margin_m)
    chosen = None
    for index, distance_m in enumerate(_NEAR_DISTANCES_M):
        share = sorted((moment.shares[index] for moment in near), reverse=True)[needed - 1]
        # Near is above the threshold.
        threshold = (math.ceil(share / _SHARE_STEP) - 1) * _SHARE_STEP
        if threshold < 0.0:
            continue
        alarms = float(np.mean([moment.shares[index] > threshold for moment in far]))
        # Of equal ones, that in which far moments lie farthest below.
        room = threshold - max((m.shares[index] for m in far if m.shares[index] <= threshold),
                               default=0.0)  # fmt: skip
        rank = (alarms, -room)
        if chosen is None or rank < chosen[0]:
            chosen = rank, index, distance_m, threshold
    if chosen is None:
        raise _nothing_near(near, needed)
    _, index, distance_m, threshold = chosen
    return Thresholds(
        round(stop_m, 2),
        distance_m,
        round(threshold, 3),
        float(np.mean([moment.nearest_m < stop_m for moment in near])),
        float(np.mean([moment.nearest_m < stop_m for moment in far])),
        float(np.mean([moment.shares[index] > threshold for moment in near])),
        float(np.mean([moment.shares[index] > threshold for moment in far])),
    )


def _nothing_near(near: Sequence[Moment], needed: int) -> ToolInputError:
    return ToolInputError(
        f'near moments must show something near, got none in {len(near) - needed + 1} of '
        f'{len(near)} of them; check the labels, calibrate the scale first, or ask for less with '
        '--recall'
    )


def roc(near: Sequence[float], far: Sequence[float]) -> list[tuple[float, float]]:
    """Return false alarms and recall at each threshold; a higher score is nearer."""
    levels = sorted({*near, *far}, reverse=True)
    points = [(0.0, 0.0)]
    for level in levels:
        points.append(
            (
                float(np.mean([score >= level for score in far])),
                float(np.mean([score >= level for score in near])),
            )
        )
    return points


def area_under(points: Sequence[tuple[float, float]]) -> float:
    """Return the area under a ROC curve: 0.5 is guessing, 1 is perfect."""
    return sum(
        (x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False)
    )


def calibrate_thresholds(arguments: argparse.Namespace, camera: UsedCamera) -> None:
    """
    Run `calibrate --labels`.

    Parameters
    ----------
    arguments : argparse.Namespace
        Of the command.
    camera : UsedCamera
        Whose pictures are labelled.

    Raises
    ------
    ToolInputError
        Options are wrong, or the labels do not suffice.

    """
    if not 0.0 < arguments.recall <= 1.0:
        raise ToolInputError(f'--recall must be in (0, 1], got {arguments.recall:g}; give a share')
    places = [place for group in arguments.images for place in group]
    if not places:
        raise ToolInputError('--labels must have pictures, got none; give --images PLACE')
    labels = read_labels(arguments.labels)
    outputs = [arguments.out / YAML_NAME, arguments.out / PICTURE_NAME]
    read = [*(Path(place) for place in places), *camera.path, arguments.labels]
    check_outputs(outputs, read, arguments.overwrite)
    pipeline = _pipeline(arguments)
    moments: list[Moment] = []
    panels: list[tuple[str, Picture]] = []
    used: set[int] = set()
    for picture in read_pictures(places, camera, arguments.image_topic):
        fitting = [index for index, label in enumerate(labels) if label.fits(picture)]
        if not fitting:
            continue
        used.update(fitting)
        kinds = {labels[index].is_near for index in fitting}
        if len(kinds) > 1:
            raise ToolInputError(f'{picture.name} must be near or far, got both; correct --labels')
        seen = observe(pipeline, picture, camera.mounting)
        moments.append(_moment(picture.name, kinds.pop(), seen, pipeline.config.proximity))
        panels.append((moments[-1].name, _panel(seen, moments[-1], pipeline.config.proximity)))
    unused = [labels[index] for index in range(len(labels)) if index not in used]
    if unused:
        what = unused[0].name or f'{unused[0].begin_s:g} {unused[0].end_s:g}'
        raise ToolInputError(
            f'labels must be of pictures, got {what}{_more(unused)} without any; check names and '
            'stamps'
        )
    chosen = choose_thresholds(moments, arguments.recall)
    _write(arguments, chosen, moments, panels, pipeline.config.proximity)


def _pipeline(arguments: argparse.Namespace) -> PerceptionPipeline:
    """Return the robot's own pipeline: its parameters decide what is near."""
    pipeline = uncalibrated_pipeline(open_model(arguments))
    if arguments.params_file is None:
        return pipeline
    values = read_parameters(arguments.params_file, 'depth_node')
    parts = {
        part.name: configured(part.default_factory, values) for part in fields(PerceptionConfig)
    }
    config = PerceptionConfig(**parts)
    # Pictures are looked at one by one: a factor that is known holds from the first one on.
    config = replace(
        config,
        frames=pipeline.config.frames,
        scale=replace(config.scale, scale_patience_s=0.0),
    )
    if text := pipeline.contradiction_with(config):
        raise ToolInputError(text)
    pipeline.reconfigure(config)
    return pipeline


def _moment(name: str, is_near: bool, seen: Observation, config: ProximityConfig) -> Moment:
    if seen.unknown_reason or math.isnan(seen.nearest_m):
        return Moment(name, is_near, -math.inf, tuple(1.0 for _ in _NEAR_DISTANCES_M))
    shares = tuple(
        estimate_proximity(
            seen.estimate.depth_m,
            replace(config, near_distance_m=distance_m),
            seen.estimate.inverse_floor_depth,
            lateral_slope(seen.intrinsics, seen.mounting),
            seen.floor_evidence,
        ).proximity
        for distance_m in _NEAR_DISTANCES_M
    )
    nearest_m = seen.nearest_m if seen.nearest_m < config.max_range_m else math.inf
    return Moment(name, is_near, nearest_m, shares)


def _more(items: Sequence[object]) -> str:
    return f' and {len(items) - 1} more' if len(items) > 1 else ''


def _write(
    arguments: argparse.Namespace,
    chosen: Thresholds,
    moments: list[Moment],
    panels: list[tuple[str, Picture]],
    config: ProximityConfig,
) -> None:
    near = [moment for moment in moments if moment.is_near]
    far = [moment for moment in moments if not moment.is_near]
    index = _NEAR_DISTANCES_M.index(chosen.near_distance_m)
    by_distance = roc([-m.nearest_m for m in near], [-m.nearest_m for m in far])
    by_share = roc([m.shares[index] for m in near], [m.shares[index] for m in far])
    lines = [
        f'stop_distance_m {chosen.stop_distance_m:.2f}: stops at {chosen.stop_recall:.1%} of '
        f'{len(near)} near moments and {chosen.stop_alarms:.1%} of {len(far)} far ones, area '
        f'under the ROC {area_under(by_distance):.3f}',
        f'near_distance_m {chosen.near_distance_m:.2f}, near_threshold '
        f'{chosen.near_threshold:.3f}: near at {chosen.near_recall:.1%} and '
        f'{chosen.near_alarms:.1%}, area {area_under(by_share):.3f}',
    ]
    warnings = []
    if len(near) * (1.0 - arguments.recall) < 1.0:
        warnings.append(
            f'{len(near)} near moments cannot tell a recall of {arguments.recall:.1%} from a '
            'lower one; label more'
        )
    unknown = sum(moment.nearest_m == -math.inf for moment in far)
    if unknown:
        warnings.append(f'{unknown} far moments are unknown and stop at any distance')
    for line in lines:
        print(line)
    for warning in warnings:
        print(f'warning: {warning}')
    values = {
        **_alert_distances(chosen.stop_distance_m),
        'near_distance_m': chosen.near_distance_m,
        'near_threshold': chosen.near_threshold,
    }
    account = [
        *(f'{line[0].upper()}{line[1:]}.' for line in lines),
        f'Wanted recall {arguments.recall:.1%}; network {pipeline_name(arguments)}.',
        *(f'Warning: {warning}' for warning in warnings),
    ]
    write_calibration(arguments.out, '--labels', account, values)
    chart = draw_chart(
        (CHART_SIZE[0], 420),
        'share of far moments that stop',
        'recall',
        [
            Series('guessing', [(0.0, 0.0), (1.0, 1.0)], (110, 118, 129), is_line=True),
            Series('nearest distance', by_distance, (255, 214, 10), is_line=True),
            Series('share of near pixels', by_share, (86, 180, 233), is_line=True),
            Series(
                'chosen',
                [
                    (chosen.stop_alarms, chosen.stop_recall),
                    (chosen.near_alarms, chosen.near_recall),
                ],
                (214, 48, 49),
            ),
        ],
        x_range=(-0.02, 1.02),
        y_range=(-0.02, 1.02),
    )
    # Those that decide: near ones that look far, and far ones that look near.
    order = sorted(range(len(moments)), key=lambda i: _doubt(moments[i]))
    shown = [panels[i] for i in order[:_PANELS]]
    sheet = measurement_sheet('fcrn-depth calibrate --labels', lines[0], shown, [chart])
    write_png(arguments.out / PICTURE_NAME, sheet)


def _doubt(moment: Moment) -> float:
    nearest_m = min(max(moment.nearest_m, 0.0), 1e3)
    return -nearest_m if moment.is_near else nearest_m


def _alert_distances(stop_m: float) -> dict[str, float]:
    """Return the four distances in the proportion of their defaults."""
    default = AlertConfig()
    names = 'release_distance_m', 'caution_distance_m', 'caution_release_distance_m'
    scale = stop_m / default.stop_distance_m
    distances = {'stop_distance_m': stop_m}
    distances |= {name: round(getattr(default, name) * scale, 3) for name in names}
    if text := configured(AlertConfig, distances).contradiction():
        raise ToolInputError(text)
    return distances


def _panel(seen: Observation, moment: Moment, config: ProximityConfig) -> Picture:
    picture = draw_proximity(seen.image_rgb, seen.proximity, config, moment.is_near)
    return picture
