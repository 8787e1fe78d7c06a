# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Compare two networks on the same pictures: what the second changes, and whether it is chance.

    python -m training.compare BEFORE AFTER

BEFORE and AFTER are folders that `training.score` wrote. Each figure is that of AFTER minus that
of BEFORE (INT8 files); brackets hold 95 % of the bootstrap's draws of scenes, each scene drawn
for both networks at once. Bold differences have an interval on one side of 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any

import numpy as np

from .bootstrap import DRAWS, Figure, LEAST_SCENES
from .goals import FIGURES, report_columns

_COMPARED = ('AbsRel', 'd1', 'shape', 'too far', 'too near', 'found', 'floor lost')


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Figure]:
    """
    Return what a second network changes, with intervals over scenes.

    Parameters
    ----------
    before, after : mapping
        Two reports of `evaluate --json` over the same pictures.

    Raises
    ------
    ValueError
        If the reports are not of the same pictures.

    """
    scenes = [[each['scene'] for each in report['pictures']['auto']] for report in (before, after)]
    if scenes[0] != scenes[1]:
        raise ValueError('both reports must be of the same pictures; score both on the same data')
    names, member = np.unique(np.asarray(scenes[0]), return_inverse=True)
    sums = [
        {
            key: np.bincount(member, np.asarray(values, np.float64), len(names))
            for key, values in report_columns(report).items()
        }
        for report in (before, after)
    ]
    draws = DRAWS if len(names) >= LEAST_SCENES else 0
    chosen = np.random.default_rng(0).integers(0, len(names), (draws, len(names)))
    found = {}
    for figure in _COMPARED:
        above, below = FIGURES[figure]
        if not all(above in each and each[below].sum() for each in sums):
            continue
        old, new = (each[above].sum() / each[below].sum() for each in sums)
        found[figure] = Figure(float(new - old))
        totals = [each[below][chosen].sum(1) for each in sums]
        is_drawn = (totals[0] > 0) & (totals[1] > 0)
        if is_drawn.any():
            old_draws, new_draws = (
                each[above][chosen].sum(1)[is_drawn] / total[is_drawn]
                for each, total in zip(sums, totals, strict=True)
            )
            low, high = np.percentile(new_draws - old_draws, (2.5, 97.5))
            found[figure] = Figure(float(new - old), float(low), float(high))
    return found


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return '-'
    if np.isnan(figure.low):
        return f'{figure.value:+.3f}'
    text = f'{figure.value:+.3f} [{figure.low:+.3f}, {figure.high:+.3f}]'
    return f'**{text}**' if figure.low > 0 or figure.high < 0 else text


def comparison_table(before: Path, after: Path) -> str:
    """Return the differences of every set and mounting that both folders have a report of."""
    lines = [f'| pictures | mounting | {" | ".join(_COMPARED)} |', '|---' * 9 + '|']
    for report in sorted(after.glob('*_INT8.json'), key=lambda path: path.stem):
        if not (before / report.name).exists():
            continue
        told = differences(*(json.loads((each / report.name).read_text())
                             for each in (before, after)))  # fmt: skip
        name, mounting, _ = report.stem.rsplit('_', 2)
        cells = ' | '.join(_cell(told.get(key)) for key in _COMPARED)
        lines.append(f'| {name} | {mounting} | {cells} |')
    if len(lines) == 2:
        raise ValueError(f'{before} and {after} must hold *_INT8.json of training.score, got none '
                         'in both; score both networks first')  # fmt: skip
    return '\n'.join(lines)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='What a second network changes.')
    parser.add_argument('before', type=Path, help='scores of the first network')
    parser.add_argument('after', type=Path, help='scores of the second')
    arguments = parser.parse_args()
    try:
        print(comparison_table(arguments.before, arguments.after))
    except ValueError as error:
        parser.error(str(error))


if __name__ == '__main__':
    main()
