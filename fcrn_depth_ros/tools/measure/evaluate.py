# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""``evaluate``: accuracy of a model on pictures with measured depth."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from .bag_pictures import is_bag
from .dataset import open_dataset, Sample, SampleSource
from .metrics import (
    depth_errors,
    DepthErrors,
    mean_errors,
    MEANINGS,
    near_counts,
    NEAR_DISTANCES_M,
    NearCounts,
    nearest_errors,
)
from .obstacles import (
    count_obstacles,
    floor_truth,
    FloorTruth,
    OBSTACLE_HEIGHT_M,
    OBSTACLE_RANGE_M,
    ObstacleCounts,
    sum_counts,
)
from ..model_arguments import add_model_arguments, open_model
from ... import __version__
from ...camera.mounting import CameraMounting, fit_floor
from ...errors import ToolInputError
from ...estimation.depth_estimator import DepthEstimate, DepthEstimator, EstimationConfig
from ...estimation.onnx_model import OnnxModel
from ...perception.floor import floor_evidence, FloorConfig, FloorEvidence
from ...perception.proximity import (
    estimate_proximity,
    obstacle_pixels,
    ProximityConfig,
    ProximityEstimate,
)
from ...perception.quality import assess_image
from ...report.drawing import colorize_depth, text_width, write
from ...report.output_files import (
    add_overwrite_argument,
    check_outputs,
    write_json,
    write_png,
)

FOCAL_CORRECTIONS = ('auto', 'off')
MOUNTINGS_FROM = ('none', 'camera', 'fitted')
_SHEET_ROWS = 3
_MIN_MEASURED_PIXELS = 100
# Sensors leave holes; what they measured is compared, however little it is.
_PROXIMITY = ProximityConfig(min_valid_fraction=0.01)


@dataclass(frozen=True)
class MountingSource:
    """
    Where the mounting that a model is told comes from.

    Attributes
    ----------
    kind : str
        'none'; 'camera', as the dataset gives it; 'fitted', the floor in the measured depth.
    height_error : float
        Added to the height, as a share of it: how a model bears a wrong measurement.
    pitch_error_deg : float
        Added to the pitch.

    """

    kind: str = 'none'
    height_error: float = 0.0
    pitch_error_deg: float = 0.0

    def mounting_of(self, sample: Sample) -> CameraMounting | None:
        """Return what the model is told for this picture."""
        mounting = None
        if self.kind == 'camera':
            mounting = sample.mounting
        elif self.kind == 'fitted':
            mounting = fit_floor(sample.depth_m, sample.intrinsics)
        return mounting and CameraMounting(
            mounting.height_m * (1.0 + self.height_error),
            mounting.pitch_deg + self.pitch_error_deg,
            mounting.roll_deg,
        )

    def true_mounting_of(self, sample: Sample) -> CameraMounting | None:
        """Return the mounting without errors, whether the model is told it or not."""
        if self.kind != 'fitted' and sample.mounting is not None:
            return sample.mounting
        return fit_floor(sample.depth_m, sample.intrinsics)


@dataclass(frozen=True)
class PictureScore:
    """
    How one picture came out.

    Attributes
    ----------
    scene, name : str
        Which picture.
    errors : DepthErrors
        Over the measured pixels.
    near : mapping of float to NearCounts
        For each distance in metres.
    nearest_predicted_m, nearest_true_m : float
        Nearest distance; NaN where unknown.
    nearest_hidden_base : bool or None
        True where the base of the nearest thing lies below the picture by the floor output;
        None where none is used.
    obstacles : ObstacleCounts
        All 0 where the floor is not known.
    unknown_share : float
        Share of the measured pixels without a prediction.
    mounting : CameraMounting or None
        What the estimator was told.
    mounting_used : str
        What it did with it.
    gated : str
        Why the image quality gate would refuse the picture; empty where it would not.

    """

    scene: str
    name: str
    errors: DepthErrors
    near: Mapping[float, NearCounts]
    nearest_predicted_m: float
    nearest_true_m: float
    nearest_hidden_base: bool | None
    obstacles: ObstacleCounts
    unknown_share: float
    mounting: CameraMounting | None
    mounting_used: str
    gated: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_model_arguments(parser)
    parser.add_argument(
        '--dataset',
        type=Path,
        required=True,
        metavar='DIR',
        help='folder of scenes (rgb/, depth/, camera.json), nyu_depth_v2_labeled.mat, or a bag '
        'with pictures and depth that is aligned with them',
    )
    for what in ('image', 'depth'):
        parser.add_argument(
            f'--{what}-topic',
            metavar='TOPIC',
            help=f'{what} topic of a bag (default: the only one)',
        )
    parser.add_argument(
        '--split',
        type=Path,
        metavar='FILE',
        help='scene folders, one a line; for the .mat file picture numbers from 1 (default: all)',
    )
    parser.add_argument(
        '--mounting',
        choices=MOUNTINGS_FROM,
        default='none',
        help='what the model is told of the mounting: nothing; height_m, pitch_deg and roll_deg '
        'of camera.json; or the floor plane fitted to the measured depth (default: none)',
    )
    parser.add_argument(
        '--height-error',
        type=float,
        default=0.0,
        metavar='SHARE',
        help='tell the model a height that is wrong by this share, such as 0.1 (default: 0)',
    )
    parser.add_argument(
        '--pitch-error',
        type=float,
        default=0.0,
        metavar='DEG',
        help='tell the model a pitch that is wrong by so many degrees (default: 0)',
    )
    parser.add_argument(
        '--no-floor',
        action='store_true',
        help="leave out the model's floor output, as use_floor: false does in depth_node",
    )
    parser.add_argument('--json', type=Path, metavar='OUT', help='write the full report here')
    parser.add_argument(
        '--sheet', type=Path, metavar='PNG', help='write best, median and worst pictures here'
    )
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """Evaluate, print a table, write report and sheet."""
    check_outputs(
        [path for path in (arguments.json, arguments.sheet) if path],
        [path for path in (arguments.dataset, arguments.split, arguments.model) if path],
        arguments.overwrite,
    )
    model = open_model(arguments)
    if not model.card.is_metric:
        raise ToolInputError(
            f'model must be metric, got {model.card.name} ({model.card.output_kind}); a relative '
            'map has no error in metres'
        )
    sources = _open(arguments)
    mounting = MountingSource(arguments.mounting, arguments.height_error, arguments.pitch_error)
    floor = FloorConfig(use_floor=not arguments.no_floor)
    scores = {
        correction: [
            score_sample(build_estimator(model, correction), source.load(), mounting, floor)
            for source in tqdm(sources, f'focal correction {correction}', disable=None)
        ]
        for correction in FOCAL_CORRECTIONS
    }
    results = {correction: summarise(scores[correction]) for correction in FOCAL_CORRECTIONS}
    print(format_table(results, model))
    if arguments.json:
        report = build_report(model, arguments, scores, results)
        write_json(arguments.json, report)
    if arguments.sheet:
        estimator = build_estimator(model, 'auto')
        sheet = draw_sheet(estimator, sources, scores['auto'])
        write_png(arguments.sheet, sheet)


def _open(arguments: argparse.Namespace) -> list[SampleSource]:
    if not is_bag(arguments.dataset):
        return open_dataset(arguments.dataset, arguments.split)
    from .bag_dataset import open_bag_dataset  # the other datasets need no rosbags

    place, topics = str(arguments.dataset), (arguments.image_topic, arguments.depth_topic)
    return open_bag_dataset(place, *topics)


def build_estimator(model: OnnxModel, focal_correction: str = 'auto') -> DepthEstimator:
    """Return an estimator whose depth has the size of the picture."""
    config = EstimationConfig(focal_correction=focal_correction, depth_size='input')
    return DepthEstimator(model, config)


def score_sample(
    estimator: DepthEstimator,
    sample: Sample,
    mounting_source: MountingSource,
    floor: FloorConfig | None = None,
) -> PictureScore:
    """
    Estimate the depth of one picture and compare it with what was measured.

    Parameters
    ----------
    estimator : DepthEstimator
        As :func:`build_estimator` returns it.
    sample : Sample
        Picture and measured depth; only its finite pixels are scored.
    mounting_source : MountingSource
        What the model is told of the mounting.
    floor : FloorConfig, optional
        How its floor output is used.

    Returns
    -------
    PictureScore
        See there.

    Raises
    ------
    ToolInputError
        Almost nothing was measured in this picture.

    """
    measured = np.isfinite(sample.depth_m)
    if np.count_nonzero(measured) < _MIN_MEASURED_PIXELS:
        raise ToolInputError(
            f'depth of {sample.scene}/{sample.name} must have {_MIN_MEASURED_PIXELS} measured '
            f'pixels in the crop, got {np.count_nonzero(measured)}; leave the scene out'
        )
    mounting = mounting_source.mounting_of(sample)
    estimate = estimator.estimate(sample.image_rgb, sample.intrinsics, mounting)
    predicted, true = estimate.depth_m[measured], sample.depth_m[measured]
    unknown = ~np.isfinite(predicted)
    floor = floor or FloorConfig()
    evidence = _evidence(estimate, mounting, floor)
    seen = np.where(measured, estimate.depth_m, np.float32(np.nan))
    said = _proximity(seen, estimate, evidence)
    true_mounting = mounting_source.true_mounting_of(sample)
    truth = None
    if true_mounting is not None:
        truth = floor_truth(sample.depth_m, sample.intrinsics, true_mounting)
    asks_floor = estimate.floor is not None and floor.use_floor
    filled = np.where(unknown, estimator.model.card.valid_max_m, predicted)
    return PictureScore(
        sample.scene,
        sample.name,
        depth_errors(filled, true),
        {distance: near_counts(predicted, true, distance) for distance in NEAR_DISTANCES_M},
        said.nearest_distance_m,
        _true_nearest(sample.depth_m, estimate, truth if asks_floor else None),
        said.hidden_base if asks_floor else None,
        _count(estimate, evidence, truth),
        float(np.mean(unknown)),
        mounting,
        estimate.mounting_used,
        assess_image(sample.image_rgb).reason,
    )


def _evidence(
    estimate: DepthEstimate, mounting: CameraMounting | None, floor: FloorConfig
) -> FloorEvidence | None:
    if estimate.floor is None:
        return None
    return floor_evidence(
        estimate.depth_m,
        estimate.floor,
        floor,
        _PROXIMITY.floor_tolerance,
        estimate.intrinsics,
        mounting,
        estimate.inverse_floor_depth,
    )


def _proximity(
    depth_m: NDArray[np.float32], estimate: DepthEstimate, evidence: FloorEvidence | None
) -> ProximityEstimate:
    """Look where `depth_m` is known."""
    if evidence is not None:
        distance = np.where(np.isfinite(depth_m), evidence.distance_m, np.float32(np.nan))
        evidence = replace(evidence, distance_m=distance)
    return estimate_proximity(depth_m, _PROXIMITY, estimate.inverse_floor_depth, evidence=evidence)


def _true_nearest(
    depth_m: NDArray[np.float32], estimate: DepthEstimate, truth: FloorTruth | None
) -> float:
    evidence = None
    if truth is not None:
        nothing = np.zeros(depth_m.shape, np.bool_)
        is_told = estimate.inverse_floor_depth is not None
        evidence = FloorEvidence(
            depth_m, truth.obstacle, nothing, None if is_told else ~truth.obstacle
        )
    return _proximity(depth_m, estimate, evidence).nearest_distance_m


def _count(
    estimate: DepthEstimate, evidence: FloorEvidence | None, truth: FloorTruth | None
) -> ObstacleCounts:
    if truth is None:
        return ObstacleCounts()
    called = obstacle_pixels(
        estimate.depth_m, _PROXIMITY, estimate.inverse_floor_depth, evidence=evidence
    )
    return count_obstacles(called, truth)


def summarise(scores: Sequence[PictureScore]) -> dict[str, Any]:
    """Return the metrics over all pictures and for each scene."""
    scenes: dict[str, list[PictureScore]] = {}
    for score in scores:
        scenes.setdefault(score.scene, []).append(score)
    return {
        'overall': _summarise(scores),
        'scenes': {scene: _summarise(members) for scene, members in scenes.items()},
    }


def _summarise(scores: Sequence[PictureScore]) -> dict[str, Any]:
    near = {}
    for distance in NEAR_DISTANCES_M:
        counts = sum((score.near[distance] for score in scores), NearCounts(0, 0, 0))
        near[f'{distance:g}'] = {
            'precision': counts.precision,
            'recall': counts.recall,
            'iou': counts.iou,
            'pixels': counts.hits + counts.misses,
        }
    return {
        'pictures': len(scores),
        'with_mounting': sum(score.mounting is not None for score in scores),
        **mean_errors([score.errors for score in scores]),
        'near': near,
        'nearest': nearest_errors(
            [(score.nearest_predicted_m, score.nearest_true_m) for score in scores]
        ),
        'nearest_seen_base': nearest_errors(
            [
                (score.nearest_predicted_m, score.nearest_true_m)
                for score in scores
                if score.nearest_hidden_base is False
            ]
        ),
        'obstacles': sum_counts([score.obstacles for score in scores]).summary(),
        'unknown_share': float(np.mean([score.unknown_share for score in scores])),
        'gated': sum(bool(score.gated) for score in scores),
    }


def build_report(
    model: OnnxModel,
    arguments: argparse.Namespace,
    scores: Mapping[str, Sequence[PictureScore]],
    results: Mapping[str, Any],
) -> dict[str, Any]:
    """Return everything that is needed to read the numbers without the program."""
    card = model.card
    return {
        'program': f'fcrn_depth_ros {__version__} evaluate',
        'model': {
            'name': card.name,
            'version': card.version,
            'precision': card.precision,
            'file': model.path.name,
            'sha256': hashlib.sha256(model.path.read_bytes()).hexdigest(),
            'provider': model.provider,
            'input': f'{card.input_width}x{card.input_height}',
            'valid_range_m': [card.valid_min_m, card.valid_max_m],
            'takes_mounting': bool(card.mounting_input),
            'floor_output': bool(card.floor_output) and not arguments.no_floor,
        },
        'dataset': str(arguments.dataset),
        'split': str(arguments.split) if arguments.split else None,
        'mounting': {
            'from': arguments.mounting,
            'height_error': arguments.height_error,
            'pitch_error_deg': arguments.pitch_error,
        },
        'meanings': {
            **MEANINGS,
            'results': 'auto: scale corrected for the focal length; off: not corrected',
            'averages': 'errors are means over pictures; near counts are sums over pixels; '
            'predictions are stretched to the size of the measured depth (bilinear); only '
            'measured pixels inside the crop of camera.json count',
        },
        'results': dict(results),
        'pictures': {
            correction: [_picture_record(score) for score in members]
            for correction, members in scores.items()
        },
    }


def _picture_record(score: PictureScore) -> dict[str, Any]:
    record = asdict(score)
    record['near'] = {f'{distance:g}': counts for distance, counts in record['near'].items()}
    for key in ('nearest_predicted_m', 'nearest_true_m'):
        record[key] = None if np.isnan(record[key]) else record[key]
    return record


def format_table(results: Mapping[str, Any], model: OnnxModel) -> str:
    """Return the overall results as lines of text."""
    first = results[FOCAL_CORRECTIONS[0]]['overall']
    card = model.card
    lines = [
        f'{card.name} {card.version} {card.precision} on {model.provider}: '
        f'{first["pictures"]} pictures, {first["with_mounting"]} with a mounting',
        f'{"focal correction":<18}{"AbsRel":>8}{"RMSE m":>8}{"log10":>8}{"d1":>8}{"d2":>8}'
        f'{"d3":>8}{"scaled":>8}{"nearest m":>11}',
    ]
    for correction, result in results.items():
        overall = result['overall']
        errors = ''.join(
            f'{overall[key]:8.3f}'
            for key in ('abs_rel', 'rmse_m', 'log10', 'd1', 'd2', 'd3', 'abs_rel_scaled')
        )
        nearest = _text(overall['nearest'].get('mean_abs_m'))
        lines.append(f'{correction:<18}{errors}{nearest:>11}')
    lines.append(f'{"nearer than":<18}{"precision":>11}{"recall":>8}{"IoU":>8}')
    for distance, near in first['near'].items():
        values = [_text(near[key]) for key in ('precision', 'recall', 'iou')]
        lines.append(f'{distance + " m":<18}{values[0]:>11}{values[1]:>8}{values[2]:>8}')
    lines += _alarm_lines(first)
    return '\n'.join(lines)


def _alarm_lines(overall: Mapping[str, Any]) -> list[str]:
    """Return the lines about the nearest distance and about obstacles."""
    lines = []
    for name, where in (
        ('nearest', 'nearest distance'),
        ('nearest_seen_base', 'its base in view'),
    ):
        errors = overall[name]
        if errors['pictures']:
            lines.append(
                f'{where:<18}{errors["too_far_share"]:.1%} over 25 % too far, '
                f'{errors["too_near_share"]:.1%} too near, of {errors["pictures"]} pictures'
            )
    obstacles = overall['obstacles']
    if obstacles['pictures']:
        lines.append(
            f'{"obstacles":<18}over {OBSTACLE_HEIGHT_M:g} m high, nearer than '
            f'{OBSTACLE_RANGE_M:g} m: {_text(obstacles["found_share"])} of their pixels found, '
            f'{_text(obstacles["floor_lost_share"])} of the floor called one, missed in '
            f'{obstacles["missed_pictures"]} of {obstacles["seen_pictures"]} pictures'
        )
    return lines


def _text(value: float | None) -> str:
    return '-' if value is None else f'{value:.3f}'


def draw_sheet(
    estimator: DepthEstimator, sources: Sequence[SampleSource], scores: Sequence[PictureScore]
) -> NDArray[np.uint8]:
    """
    Draw the best, median and worst pictures by AbsRel.

    Parameters
    ----------
    estimator : DepthEstimator
        As :func:`build_estimator` returns it.
    sources : sequence of SampleSource
        The pictures.
    scores : sequence of PictureScore
        Of the same pictures, in the same order.

    Returns
    -------
    ndarray of uint8
        One row a picture: picture, measured depth, predicted depth, both in the same colours.

    """
    order = np.argsort([score.errors.abs_rel for score in scores])
    count = min(_SHEET_ROWS, max(1, len(order) // 3))
    middle = (len(order) - count) // 2
    groups = {
        'best': order[:count],
        'median': order[middle : middle + count],
        'worst': order[-count:],
    }
    rows = []
    for name, indices in groups.items():
        for index in indices:
            score, sample = scores[index], sources[index].load()
            estimate = estimator.estimate(sample.image_rgb, sample.intrinsics, score.mounting)
            label = (
                f'{name}: AbsRel {score.errors.abs_rel:.3f}, d1 {score.errors.d1:.2f}, '
                f'{score.scene}/{score.name}'
            )
            rows.append(_draw_row(sample, estimate.depth_m, label))
    width = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows])


def _draw_row(sample: Sample, predicted_m: NDArray[np.float32], label: str) -> NDArray[np.uint8]:
    near, far = np.nanpercentile(sample.depth_m, (1, 99))
    panels: Iterable[NDArray[np.uint8]] = (
        sample.image_rgb,
        colorize_depth(sample.depth_m, 0.9 * near, 1.1 * far),
        colorize_depth(predicted_m, 0.9 * near, 1.1 * far),
    )
    row = np.hstack(list(panels))
    strip = np.zeros((24, row.shape[1], 3), np.uint8)
    label = f'{label}   picture | measured | predicted, {near:.2f}..{far:.2f} m'
    height = 10.0 * min(1.0, (row.shape[1] - 12) / text_width(label, 10.0))
    write(strip, label, (6, 17), height, (235, 235, 235))
    return np.vstack([strip, row])
