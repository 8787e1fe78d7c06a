# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""``quantize``: INT8 copy of a float model, and what it costs in accuracy."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from .bag_pictures import is_bag, read_bag_pictures
from .dataset import open_dataset
from .evaluate import build_estimator, MOUNTINGS_FROM, MountingSource, score_sample, summarise
from .quantization import quantize_file
from ...camera.intrinsics import CameraIntrinsics
from ...camera.mounting import CameraMounting, inverse_floor_depth
from ...camera.picture_files import list_pictures, read_picture
from ...errors import ToolInputError
from ...estimation.model_card import ModelCard
from ...estimation.onnx_model import load_onnx_model, OnnxModel, SessionConfig
from ...estimation.preprocessing import prepare_image
from ...report.output_files import add_overwrite_argument, check_outputs, write_json

Item = TypeVar('Item')

# One picture in so many is kept from calibration and used to measure what is lost.
_HELD_OUT_EVERY = 5
_MIN_PICTURES = 10
# The weights are fitted to these; more need more memory.
_FITTED_PICTURES = 52
# Mountings to calibrate a network with that input: a vacuum cleaner, a robot, a person.
_MOUNTINGS = (
    None,
    CameraMounting(0.15, 0.0),
    CameraMounting(0.3, 10.0),
    CameraMounting(0.6, 5.0),
    CameraMounting(1.0, 20.0),
    CameraMounting(1.4, 10.0),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        '--model', type=Path, required=True, metavar='FILE', help='float model of the contract'
    )
    parser.add_argument(
        '--images',
        type=Path,
        nargs='+',
        required=True,
        metavar='DIR_OR_BAG',
        help='folders of pictures, or ROS bags, of what the camera will see; 100 varied pictures '
        'are enough',
    )
    parser.add_argument('--topic', help='image topic of the bags (default: the only one)')
    parser.add_argument('--out', type=Path, required=True, metavar='FILE', help='INT8 model')
    parser.add_argument(
        '--limit', type=int, default=160, help='use at most so many pictures (default: 160)'
    )
    parser.add_argument(
        '--dataset', type=Path, metavar='DIR', help='also compare both models on measured depth'
    )
    parser.add_argument('--split', type=Path, metavar='FILE', help='as of evaluate')
    parser.add_argument(
        '--mounting', choices=MOUNTINGS_FROM, default='none', help='as of evaluate'
    )
    parser.add_argument('--json', type=Path, metavar='OUT', help='write the comparison here')
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """Quantise, then measure what was lost; the model is written last."""
    inputs = (arguments.model, *arguments.images, arguments.dataset, arguments.split)
    check_outputs(
        [path for path in (arguments.out, arguments.json) if path],
        [path for path in inputs if path],
        arguments.overwrite,
    )
    if arguments.split and not arguments.dataset:
        raise ToolInputError('dataset must be given with --split, got none; add --dataset')
    if arguments.limit < _MIN_PICTURES:
        raise ToolInputError(f'limit must be at least {_MIN_PICTURES}, got {arguments.limit}')
    session = SessionConfig(intra_op_threads=0)
    model = load_onnx_model(arguments.model, session)
    if model.card.precision.lower().startswith('int8'):
        raise ToolInputError(
            f'model must be a float one, got precision {model.card.precision!r} in '
            f'{arguments.model}; give the file it was made from'
        )
    mounting = MountingSource(arguments.mounting)
    samples = open_dataset(arguments.dataset, arguments.split) if arguments.dataset else []
    pictures = read_pictures(arguments.images, arguments.topic, arguments.limit)
    held_out = pictures[::_HELD_OUT_EVERY]
    calibration = [p for i, p in enumerate(pictures) if i % _HELD_OUT_EVERY]

    unfinished = arguments.out.with_name(f'.{arguments.out.name}.unfinished')
    try:
        feeds = calibration_feeds(calibration, model.card)
        quantize_file(
            arguments.model, unfinished, feeds, model.card.input_name, fit_to=_FITTED_PICTURES
        )
        quantised = load_onnx_model(unfinished, session)
        report: dict[str, Any] = {
            'model': arguments.model.name,
            'bytes': {
                'float': arguments.model.stat().st_size,
                'int8': unfinished.stat().st_size,
            },
            'pictures': {'calibration': len(calibration), 'held_out': len(held_out)},
            'difference': compare(model, quantised, held_out),
        }
        if samples:
            report['dataset'] = {
                name: summarise(
                    [
                        score_sample(build_estimator(candidate), source.load(), mounting)
                        for source in tqdm(samples, name, disable=None)
                    ]
                )['overall']
                for name, candidate in (('float', model), ('int8', quantised))
            }
        unfinished.replace(arguments.out)
    finally:
        unfinished.unlink(missing_ok=True)
    print(format_report(report))
    if arguments.json:
        write_json(arguments.json, report)


def read_pictures(
    places: Sequence[Path], topic: str | None, limit: int
) -> list[NDArray[np.uint8]]:
    """
    Read pictures evenly spread over folders and bags.

    Parameters
    ----------
    places : sequence of Path
        Folders of pictures, and bags.
    topic : str or None
        Image topic of the bags.
    limit : int
        At most so many pictures.

    Returns
    -------
    list of ndarray of uint8, shape (H, W, 3)
        RGB.

    Raises
    ------
    ToolInputError
        Too few pictures, or one that cannot be read.

    """
    files: list[Path] = []
    pictures: list[NDArray[np.uint8]] = []
    for place in places:
        if is_bag(place):
            pictures += read_bag_pictures(place, topic, limit)
        else:
            files += list_pictures(place)
    pictures += [read_picture(path) for path in _spread(files, limit)]
    if len(pictures) < _MIN_PICTURES:
        raise ToolInputError(
            f'pictures for calibration must be at least {_MIN_PICTURES}, got {len(pictures)} in '
            f'{", ".join(map(str, places))}; add more'
        )
    return _spread(pictures, limit)


def _spread(items: Sequence[Item], limit: int) -> list[Item]:
    chosen = np.linspace(0, len(items) - 1, min(limit, len(items))).round().astype(int)
    return [items[index] for index in chosen]


def calibration_feeds(
    pictures: Sequence[NDArray[np.uint8]], card: ModelCard
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Yield the network's inputs; the mounting, where it takes one, varies and may be unknown."""
    for index, picture in enumerate(tqdm(pictures, 'calibration', disable=None)):
        feed = {card.input_name: prepare_image(picture, card)}
        if card.mounting_input:
            feed[card.mounting_input] = _floor_map(card, _MOUNTINGS[index % len(_MOUNTINGS)])
        yield feed


def _floor_map(card: ModelCard, mounting: CameraMounting | None) -> NDArray[np.float32]:
    shape = (1, 1, card.input_height, card.input_width)
    if mounting is None:
        return np.zeros(shape, np.float32)
    camera = CameraIntrinsics.from_field(
        card.training_fx_px, card.training_width_px, card.input_width, card.input_height
    )
    return inverse_floor_depth(camera, mounting).reshape(shape)


def compare(
    model: OnnxModel, quantised: OnnxModel, pictures: Sequence[NDArray[np.uint8]]
) -> dict[str, float]:
    """
    Compare two models on pictures that neither was calibrated with.

    Parameters
    ----------
    model, quantised : OnnxModel
        Float and INT8.
    pictures : sequence of ndarray of uint8, shape (H, W, 3)
        RGB.

    Returns
    -------
    dict
        Mean, median and 95th percentile of |INT8 - float| / float over the pixels (for relative
        models over the float map's range), and the bias: the mean with its sign.

    """
    differences = []
    for picture in tqdm(pictures, 'comparison', disable=None):
        tensor = prepare_image(picture, model.card)
        raw, other = (
            candidate.run(tensor).depth.astype(np.float64) for candidate in (model, quantised)
        )
        if model.card.output_kind == 'log_depth':
            difference = np.exp(other - raw) - 1.0
        elif model.card.is_metric:
            difference = other / np.maximum(raw, model.card.valid_min_m) - 1.0
        else:
            difference = (other - raw) / max(float(np.ptp(raw)), 1e-9)
        differences.append(difference.ravel())
    all_pixels = np.concatenate(differences)
    absolute = np.abs(all_pixels)
    return {
        'mean': float(absolute.mean()),
        'median': float(np.median(absolute)),
        'p95': float(np.percentile(absolute, 95)),
        'bias': float(all_pixels.mean()),
    }


def format_report(report: dict[str, Any]) -> str:
    """Return the comparison as lines of text."""
    size, difference = report['bytes'], report['difference']
    lines = [
        f'size {size["float"] / 1e6:.1f} MB -> {size["int8"] / 1e6:.1f} MB; on '
        f'{report["pictures"]["held_out"]} held-out pictures INT8 differs by '
        f'{difference["mean"]:.2%} on average (p95 {difference["p95"]:.2%}, bias '
        f'{difference["bias"]:+.2%})'
    ]
    if 'dataset' in report:
        float_, int8 = (report['dataset'][name]['abs_rel'] for name in ('float', 'int8'))
        lines.append(f'AbsRel {float_:.4f} -> {int8:.4f} (lost: {int8 - float_:+.4f})')
    return '\n'.join(lines)
