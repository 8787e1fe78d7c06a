# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Measure everything that the model card says of accuracy, and print its tables.

    python -m training.score MODELS --data RGBD_FOLDER --rooms DIR --close-ups DIR --out SCORES

MODELS holds fcrn_lite.onnx and fcrn_lite_int8.onnx. Each row is one run of
`python -m fcrn_depth_ros evaluate`, whose full report stays in SCORES; with `--resume` the reports
that are there are taken as they are.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from fcrn_depth_ros import __main__ as command_line

FILES = {'float': 'fcrn_lite.onnx', 'INT8': 'fcrn_lite_int8.onnx'}
ERROR_KEYS = ('abs_rel', 'rmse_m', 'log10', 'd1', 'd2', 'd3', 'abs_rel_scaled')
# A pixel count below this says nothing of recall and precision.
_LEAST_NEAR_PIXELS = 20_000


@dataclass(frozen=True)
class PictureSet:
    """
    Pictures that are scored together.

    Attributes
    ----------
    name, meaning : str
        As the tables call it, and what it is.
    dataset : Path
        Folder of scenes.
    split : str
        Below the dataset; empty for all, a list of scenes after a colon.
    mountings : tuple of str
        What the network is told, one row each.

    """

    name: str
    meaning: str
    dataset: Path
    split: str
    mountings: tuple[str, ...]


def picture_sets(arguments: argparse.Namespace) -> list[PictureSet]:
    """Return what is scored."""
    data = arguments.data
    both = ('none', 'fitted')
    return [
        PictureSet('val', 'NYU pictures of unseen scenes', data, 'splits/val.txt', both),
        PictureSet('val_near', 'boxes on a floor, low camera', data, 'splits/val_near.txt', both),
        PictureSet('mosd_test', 'table tops, 0.5..1.6 m', data, ':pcl/mosd_test', both),
        PictureSet('rooms', 'rendered, unseen rooms', arguments.rooms, '', ('camera',)),
        PictureSet('close-ups', 'rendered, one near thing', arguments.close_ups, '', ('camera',)),
    ]


def evaluate(
    model: Path, pictures: PictureSet, mounting: str, report: Path, errors: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Run the command, and return its overall figures with focal correction."""
    words = ['evaluate', '--model', str(model), '--dataset', str(pictures.dataset)]
    split = pictures.dataset / pictures.split if pictures.split else None
    if pictures.split.startswith(':'):
        split = report.with_suffix('.txt')
        split.write_text(pictures.split[1:] + '\n')
    if split:
        words += ['--split', str(split)]
    words += ['--mounting', mounting, '--json', str(report), *errors]
    if not report.exists():
        print(' '.join(words), flush=True)
        status = command_line.main(words)
        if status:
            raise SystemExit(status)
    overall: dict[str, Any] = json.loads(report.read_text())['results']['auto']['overall']
    return overall


def error_table(rows: list[tuple[PictureSet, str, str, dict[str, Any]]]) -> str:
    """Return the depth errors of every set, mounting and file."""
    names = {'none': 'unknown', 'fitted': 'fitted', 'camera': 'known'}
    lines = [
        '| pictures | mounting | file | AbsRel | RMSE m | log10 | d1 | d2 | d3 | scaled |',
        '|---' * 10 + '|',
    ]
    for pictures, mounting, file, overall in rows:
        figures = ' | '.join(f'{overall[key]:.3f}' for key in ERROR_KEYS)
        count = overall['pictures']
        lines.append(
            f'| {pictures.name}: {count} {pictures.meaning} | {names[mounting]} | {file} '
            f'| {figures} |'
        )
    return '\n'.join(lines)


def near_table(rows: list[tuple[PictureSet, dict[str, Any]]]) -> str:
    """Return precision and recall of "nearer than X"."""
    lines = ['| pictures | X | precision | recall | IoU | pixels |', '|---' * 6 + '|']
    for pictures, overall in rows:
        for distance, near in overall['near'].items():
            if near['pixels'] >= _LEAST_NEAR_PIXELS:
                figures = ' | '.join(f'{near[key]:.3f}' for key in ('precision', 'recall', 'iou'))
                lines.append(
                    f'| {pictures.name} | {distance} m | {figures} | {near["pixels"]:,} |'
                )
    return '\n'.join(lines)


def nearest_table(rows: list[tuple[PictureSet, dict[str, Any]]]) -> str:
    """Return the error of the nearest distance."""
    lines = ['| pictures | mean error m | told more than 25 % too far |', '|---' * 3 + '|']
    for pictures, overall in rows:
        nearest = overall['nearest']
        lines.append(
            f'| {pictures.name} | {nearest["mean_abs_m"]:.3f} | {nearest["too_far_share"]:.0%} '
            f'of {nearest["pictures"]} |'
        )
    return '\n'.join(lines)


def wrong_mounting_table(model: Path, pictures: PictureSet, right: float, out: Path) -> str:
    """Return what a wrong mounting costs."""
    cells = [f'{right:.3f}']
    for option, value in (
        ('--height-error', '0.1'),
        ('--height-error', '-0.1'),
        ('--pitch-error', '3'),
        ('--pitch-error', '-3'),
    ):
        report = out / f'{pictures.name}_wrong{option}_{value}.json'
        overall = evaluate(model, pictures, 'fitted', report, (f'{option}={value}',))
        cells.append(f'{overall["abs_rel"]:.3f}')
    return '\n'.join(
        [
            '| | right | height +10 % | height -10 % | pitch +3 deg | pitch -3 deg |',
            '|---' * 6 + '|',
            f'| {pictures.name} | ' + ' | '.join(cells) + ' |',
        ]
    )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='Measure what the model card says of accuracy.')
    parser.add_argument('models', type=Path)
    parser.add_argument('--data', type=Path, required=True, help='RGB-D folder with splits/')
    parser.add_argument('--rooms', type=Path, required=True, help='rendered, of another seed')
    parser.add_argument('--close-ups', type=Path, required=True, help='rendered, another seed')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--resume', action='store_true', help='keep the reports that are there')
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if not arguments.resume:
        for report in arguments.out.glob('*.json'):
            report.unlink()
    rows = [
        (pictures, mounting, file, evaluate(arguments.models / name, pictures, mounting, report))
        for pictures in picture_sets(arguments)
        for mounting in pictures.mountings
        for file, name in FILES.items()
        for report in [arguments.out / f'{pictures.name}_{mounting}_{file}.json']
    ]
    told = [(row[0], row[3]) for row in rows if row[2] == 'INT8' and row[1] != 'none']
    near, overall = next(pair for pair in told if pair[0].name == 'val_near')
    int8_file = arguments.models / FILES['INT8']
    tables = [
        error_table(rows),
        near_table(told),
        nearest_table(told),
        wrong_mounting_table(int8_file, near, overall['abs_rel'], arguments.out),
    ]
    text = '\n\n'.join(tables) + '\n'
    (arguments.out / 'tables.md').write_text(text)
    print(text)


if __name__ == '__main__':
    main()
