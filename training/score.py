# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Measure everything that the model card says of accuracy, and print its tables.

    python -m training.score MODELS --data RGBD_FOLDER --rooms DIR --close-ups DIR --out SCORES

MODELS holds NAME_int8.onnx (fcrn_lite by default), and NAME.onnx where that is published too. Each
row is one run of `python -m fcrn_depth_ros evaluate`, whose full report stays in SCORES; with
`--resume` the reports that are there are taken as they are. Brackets hold 95 % of the bootstrap's
draws of scenes: differences inside them are no results. The first table compares the INT8 file
with what it must reach (goals.py). `--set NAME=FOLDER`, as often as there are, adds sets that are
held back; of FOLDER:SPLIT only the scenes of the file SPLIT in it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from fcrn_depth_ros import __main__ as command_line

from .goals import figures_of, goal_table

FILES = {'float': '{}.onnx', 'INT8': '{}_int8.onnx'}
ERROR_KEYS = ('abs_rel', 'rmse_m', 'log10', 'd1', 'd2', 'd3', 'abs_rel_scaled')
INTERVAL_KEYS = {'abs_rel': 'AbsRel', 'd1': 'd1', 'abs_rel_scaled': 'shape'}
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
        PictureSet('val_more', 'twelve more places', data, 'splits/val_more.txt', both),
        PictureSet(
            'low',
            'two low cameras of val_more',
            data,
            ':ist_piv/chair_boxes_cam1\nist_piv/chair_boxes_cam2',
            ('camera',),
        ),
        PictureSet('rooms', 'rendered, unseen rooms', arguments.rooms, '', ('camera',)),
        PictureSet('close-ups', 'rendered, one near thing', arguments.close_ups, '', ('camera',)),
        *(_held_back(text) for text in arguments.set),
    ]


def _held_back(text: str) -> PictureSet:
    name, _, place = text.partition('=')
    folder, _, split = place.partition(':')
    if not name or not folder:
        raise SystemExit(f'--set must be NAME=FOLDER or NAME=FOLDER:SPLIT, got {text!r}')
    return PictureSet(name, 'held back', Path(folder), split, ('none', 'camera'))


def evaluate(
    model: Path, pictures: PictureSet, mounting: str, report: Path, errors: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Run the command, and return its report."""
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
    content: dict[str, Any] = json.loads(report.read_text())
    return content


def overall_of(report: dict[str, Any]) -> dict[str, Any]:
    """Return the figures over all pictures, with focal correction."""
    overall: dict[str, Any] = report['results']['auto']['overall']
    return overall


def error_table(rows: list[tuple[PictureSet, str, str, dict[str, Any]]]) -> str:
    """Return the depth errors of every set, mounting and file."""
    names = {'none': 'unknown', 'fitted': 'fitted', 'camera': 'known'}
    lines = [
        '| pictures | mounting | file | AbsRel | RMSE m | log10 | d1 | d2 | d3 | scaled |',
        '|---' * 10 + '|',
    ]
    for pictures, mounting, file, report in rows:
        overall, figures = overall_of(report), figures_of(report)
        cells = [
            str(figures[INTERVAL_KEYS[key]]) if key in INTERVAL_KEYS else f'{overall[key]:.3f}'
            for key in ERROR_KEYS
        ]
        count = overall['pictures']
        lines.append(
            f'| {pictures.name}: {count} {pictures.meaning} | {names[mounting]} | {file} '
            f'| {" | ".join(cells)} |'
        )
    return '\n'.join(lines)


def near_table(rows: list[tuple[PictureSet, dict[str, Any]]]) -> str:
    """Return precision and recall of "nearer than X"."""
    lines = ['| pictures | X | precision | recall | IoU | pixels |', '|---' * 6 + '|']
    for pictures, report in rows:
        for distance, near in overall_of(report)['near'].items():
            if near['pixels'] >= _LEAST_NEAR_PIXELS:
                figures = ' | '.join(f'{near[key]:.3f}' for key in ('precision', 'recall', 'iou'))
                lines.append(
                    f'| {pictures.name} | {distance} m | {figures} | {near["pixels"]:,} |'
                )
    return '\n'.join(lines)


def nearest_table(rows: list[tuple[PictureSet, dict[str, Any]]]) -> str:
    """Return the error of the nearest distance."""
    lines = [
        '| pictures | mean error m | more than 25 % too far | more than 25 % too near | of |',
        '|---' * 5 + '|',
    ]
    for pictures, report in rows:
        nearest, figures = overall_of(report)['nearest'], figures_of(report)
        if 'too far' in figures:
            lines.append(
                f'| {pictures.name} | {nearest["mean_abs_m"]:.3f} | {figures["too far"]} '
                f'| {figures["too near"]} | {nearest["pictures"]} |'
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
        told = evaluate(model, pictures, 'fitted', report, (f'{option}={value}',))
        cells.append(f'{overall_of(told)["abs_rel"]:.3f}')
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
    parser.add_argument(
        '--set', action='append', default=[], metavar='NAME=FOLDER', help='held back; repeatable'
    )
    parser.add_argument('--name', default='fcrn_lite', help='of the files (fcrn_lite)')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--resume', action='store_true', help='keep the reports that are there')
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if not arguments.resume:
        for report in arguments.out.glob('*.json'):
            report.unlink()
    named = {file: arguments.models / name.format(arguments.name) for file, name in FILES.items()}
    # A network may be published as INT8 alone.
    files = {file: path for file, path in named.items() if file == 'INT8' or path.exists()}
    rows = [
        (pictures, mounting, file, evaluate(files[file], pictures, mounting, report))
        for pictures in picture_sets(arguments)
        for mounting in pictures.mountings
        for file in files
        for report in [arguments.out / f'{pictures.name}_{mounting}_{file}.json']
    ]
    told = [(row[0], row[3]) for row in rows if row[2] == 'INT8' and row[1] != 'none']
    near, report = next(pair for pair in told if pair[0].name == 'val_near')
    right = overall_of(report)['abs_rel']
    quantised = [(row[0].name, row[1], row[3]) for row in rows if row[2] == 'INT8']
    tables = [
        goal_table(quantised, arguments.name),
        error_table(rows),
        near_table(told),
        nearest_table(told),
        wrong_mounting_table(files['INT8'], near, right, arguments.out),
    ]
    text = '\n\n'.join(tables) + '\n'
    (arguments.out / 'tables.md').write_text(text)
    print(text)


if __name__ == '__main__':
    main()
