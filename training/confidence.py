# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Measure how well the confidence of a network tells where its depth is wrong.

    python -m training.confidence RUN_OR_ONNX --validation val.pack [--png FILE]

prints for each set, with the mounting where it is known, the error of log depth by tenths of the
confidence (the most confident first), and AUSE beside that of the flip baseline: how much the
depth of the mirrored picture differs. The smaller AUSE orders the errors better; the baseline
takes a second inference. `--png` draws the sparsification of each set.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import nn

from .bootstrap import Figure, ratios
from .check import load
from .checking import predict
from .data import STORED_SIZE
from .pack import decode_depth, Frames, read_pack
from .runs import add_runs
from .sparsification import ause, error_by_decile, FRACTIONS, sparsification

Floats = NDArray[np.floating]
_PANEL = 240  # px


@dataclass(frozen=True)
class ConfidenceFigures:
    """
    Of one set; means over its pictures.

    Attributes
    ----------
    deciles : ndarray of float, shape (10,)
        Error by confidence, the most confident first.
    ause, ause_flip : Figure
        Of the confidence and of the flip baseline.
    curves : mapping of str to ndarray of float, shape (20,)
        Sparsification by confidence, by the baseline and by the true error, over that of all.

    """

    deciles: NDArray[np.float64]
    ause: Figure
    ause_flip: Figure
    curves: Mapping[str, NDArray[np.float64]]


def mirrored(frames: Frames) -> Frames:
    """Return what the cameras would have seen in a mirror: left is right."""
    cameras, planes = frames.cameras.copy(), frames.planes.copy()
    cameras[:, 2] = STORED_SIZE[0] - 1 - cameras[:, 2]
    planes[:, 0] = -planes[:, 0]
    images = np.ascontiguousarray(frames.images[..., ::-1])
    return replace(frames, images=images, cameras=cameras, planes=planes)


def measure(network: nn.Module, frames: Frames, config: Mapping[str, Any]) -> ConfidenceFigures:
    """Compare the confidence of whole pictures with their errors."""
    answers = predict(network, frames, config, mounting=True)
    other = predict(network, mirrored(frames), config, mounting=True)
    if answers.error is None:
        raise ValueError('the network must predict an error, got one without')
    truth = decode_depth(frames.depth_codes)
    rows = []
    for index in range(len(frames)):
        x0, y0, x1, y1 = frames.crops[index] // 2
        scored = np.zeros(truth[index].shape, bool)
        scored[y0:y1, x0:x1] = True
        scored &= truth[index] > 0
        if not scored.any():
            continue
        log_depth = np.log(answers.depth_m[index])
        error = np.abs(log_depth - np.log(np.where(scored, truth[index], 1)))[scored]
        flip = np.abs(log_depth - np.log(other.depth_m[index][:, ::-1]))[scored]
        expected = answers.error[index][scored]
        rows.append((frames.scenes[index], error, expected, flip))
    scenes = [row[0] for row in rows]
    columns = {
        'pictures': [1.0] * len(rows),
        'ause': [ause(error, expected) for _, error, expected, _ in rows],
        'flip': [ause(error, flip) for _, error, _, flip in rows],
    }
    figures = ratios(columns, {key: (key, 'pictures') for key in ('ause', 'flip')}, scenes)
    orders = {
        'confidence': [expected for _, _, expected, _ in rows],
        'flip': [flip for _, _, _, flip in rows],
        'true error': [error for _, error, _, _ in rows],
    }
    errors = orders['true error']
    curves = {
        name: np.mean(
            [sparsification(e, by) / e.mean() for e, by in zip(errors, order, strict=True)], 0
        )
        for name, order in orders.items()
    }
    deciles = np.mean([error_by_decile(error, -expected) for _, error, expected, _ in rows], 0)
    return ConfidenceFigures(deciles, figures['ause'], figures['flip'], curves)


def table(results: Mapping[str, ConfidenceFigures]) -> str:
    """Return the figures of every set."""
    lines = [
        '| set | most confident tenth | '
        + ' | '.join(f'{n}.' for n in range(2, 10))
        + ' | least confident | AUSE | AUSE of the flip |',
        '|---' * 13 + '|',
    ]
    for name, figures in results.items():
        cells = ' | '.join(f'{value:.3f}' for value in figures.deciles)
        lines.append(f'| {name} | {cells} | {figures.ause} | {figures.ause_flip} |')
    return '\n'.join(lines)


def draw(results: Mapping[str, ConfidenceFigures]) -> NDArray[np.uint8]:
    """Draw the sparsification of every set: what is left over removed, both from 0 to 1."""
    panels = []
    colors = {'confidence': (200, 60, 0), 'flip': (0, 120, 230), 'true error': (120, 120, 120)}
    for name, figures in results.items():
        panel = np.full((_PANEL, _PANEL, 3), 255, np.uint8)
        for row, (kind, color) in enumerate(colors.items()):
            points = np.stack([FRACTIONS, 1 - figures.curves[kind] / 1.1], 1) * (_PANEL - 1)
            cv2.polylines(panel, [points.round().astype(np.int32)], False, color, 2, cv2.LINE_AA)
            place = (8, _PANEL - 40 + 14 * row)
            cv2.putText(panel, kind, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, color, 1, cv2.LINE_AA)
        cv2.putText(panel, name, (100, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1)
        panels.append(panel)
    return np.hstack(panels)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='Errors by confidence, and AUSE.')
    add_runs(parser)
    parser.add_argument('--validation', type=Path, required=True, help='pack')
    parser.add_argument('--png', type=Path, help='draw the sparsification here')
    arguments = parser.parse_args()
    try:
        network, config = load(arguments.runs, arguments.weights)
        frames = read_pack(arguments.validation)
        results = {
            name: measure(network, frames.of_source(name), config) for name in frames.source_names
        }
    except ValueError as error:
        parser.error(str(error))
    print(table(results))
    if arguments.png and not cv2.imwrite(str(arguments.png), draw(results)):
        parser.error(f'--png must be a place to write, got {arguments.png}')


if __name__ == '__main__':
    main()
