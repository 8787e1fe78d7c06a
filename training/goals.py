# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a network must reach, and the one table that says whether it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .bootstrap import Figure, ratios

TOO_FAR, TOO_NEAR = 1.25, 0.75  # of the true nearest distance


@dataclass(frozen=True)
class Goal:
    """
    A bound of one figure.

    Attributes
    ----------
    bound : float
        Itself allowed.
    is_least : bool
        True where the figure must be at least that.

    """

    bound: float
    is_least: bool = False

    def is_met(self, value: float) -> bool:
        """Return whether a value keeps the bound."""
        return value >= self.bound if self.is_least else value <= self.bound

    def beside(self, value: float) -> str:
        """Return the relation of a value to the bound, which shows a goal that is missed."""
        kept, broken = ('>=', '< ') if self.is_least else ('<=', '> ')
        return f'{kept if self.is_met(value) else broken.strip()} {self.bound:g}'


# Every figure is the sum of one column over the sum of another.
FIGURES = {
    'AbsRel': ('abs_rel', 'pictures'),
    'd1': ('d1', 'pictures'),
    'shape': ('abs_rel_scaled', 'pictures'),
    'recall 1 m': ('hits', 'near'),
    'precision 1 m': ('hits', 'said'),
    'too far': ('too_far', 'known'),
    'too near': ('too_near', 'known'),
    'found': ('found', 'obstacle'),
    'floor lost': ('lost', 'floor'),
    'missed': ('missed', 'seen'),
}
EVERYWHERE = {'shape': Goal(0.12), 'too far': Goal(0.10), 'too near': Goal(0.10)}
NEAR = {'recall 1 m': Goal(0.95, True), 'precision 1 m': Goal(0.95, True)}
OBSTACLES = {'found': Goal(0.97, True), 'floor lost': Goal(0.015), 'missed': Goal(0.0)}
# By network, picture set and mounting.
GOALS: dict[str, dict[tuple[str, str], dict[str, Goal]]] = {
    'fcrn_lite': {
        ('val', 'none'): {'AbsRel': Goal(0.150), 'd1': Goal(0.785, True), 'shape': Goal(0.12)},
        ('val', 'fitted'): EVERYWHERE,
        ('val_near', 'fitted'): EVERYWHERE,
        ('val_more', 'fitted'): EVERYWHERE,
        ('mosd_test', 'fitted'): EVERYWHERE | NEAR,
        ('low', 'camera'): EVERYWHERE | OBSTACLES | {'AbsRel': Goal(0.10), 'd1': Goal(0.88, True)},
        ('rooms', 'camera'): EVERYWHERE | NEAR | OBSTACLES,
        ('close-ups', 'camera'): EVERYWHERE | NEAR,
    },
    'fcrn_lite_tiny': {
        ('val', 'none'): {'d1': Goal(0.72, True)},
        ('low', 'camera'): {'AbsRel': Goal(0.14)},
    },
}
# Sets that are held back have the goals of robots.
HELD_BACK = EVERYWHERE | OBSTACLES


def report_columns(report: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return the columns that FIGURES names, one value a picture, as far as a report has them."""
    pictures: Sequence[Mapping[str, Any]] = report['pictures']['auto']
    pairs = [(each['nearest_predicted_m'], each['nearest_true_m']) for each in pictures]
    known = [None not in pair for pair in pairs]
    near = [each['near']['1'] for each in pictures]
    columns: dict[str, list[float]] = {
        'pictures': [1.0] * len(pictures),
        'hits': [float(each['hits']) for each in near],
        'near': [float(each['hits'] + each['misses']) for each in near],
        'said': [float(each['hits'] + each['false_alarms']) for each in near],
        'known': [float(each) for each in known],
        'too_far': [float(k and p > TOO_FAR * t) for k, (p, t) in zip(known, pairs, strict=True)],
        'too_near': [
            float(k and p < TOO_NEAR * t) for k, (p, t) in zip(known, pairs, strict=True)
        ],
    }
    for key in ('abs_rel', 'd1', 'abs_rel_scaled'):
        columns[key] = [each['errors'][key] for each in pictures]
    for key in ('obstacle', 'found', 'floor', 'lost', 'seen', 'missed'):
        if all('obstacles' in each for each in pictures):
            columns[key] = [float(each['obstacles'][key]) for each in pictures]
    return columns


def figures_of(report: Mapping[str, Any]) -> dict[str, Figure]:
    """
    Return the figures of one report of `evaluate`, with intervals over its scenes.

    Parameters
    ----------
    report : mapping
        As `evaluate --json` writes it. What it does not have is left out.

    """
    scenes = [each['scene'] for each in report['pictures']['auto']]
    return ratios(report_columns(report), FIGURES, scenes)


def goal_table(
    rows: Sequence[tuple[str, str, Mapping[str, Any]]], network: str = 'fcrn_lite'
) -> str:
    """
    Return the table of goals, and which of them are missed.

    Parameters
    ----------
    rows : sequence of (str, str, mapping)
        Picture set, mounting that was told, report of `evaluate`.
    network : str
        Whose goals.

    """
    goals = GOALS.get(network, {})
    known_sets = {name for sets in GOALS.values() for name, _ in sets}
    lines = [
        f'| pictures | mounting | of | {" | ".join(FIGURES)} |',
        '|---' * (len(FIGURES) + 3) + '|',
    ]
    missed, count = [], 0
    for name, mounting, report in rows:
        figures = figures_of(report)
        wanted = goals.get((name, mounting), {})
        if name not in known_sets and mounting != 'none':
            wanted = HELD_BACK
        cells = []
        for key in FIGURES:
            goal, figure = wanted.get(key), figures.get(key)
            if figure is None:
                cells.append('-')
                continue
            cells.append(str(figure) if goal is None else f'{figure} {goal.beside(figure.value)}')
            if goal is not None:
                count += 1
                if not goal.is_met(figure.value):
                    missed.append(f'{name} ({mounting}): {key} {cells[-1]}')
        of = len(report['pictures']['auto'])
        lines.append(f'| {name} | {mounting} | {of} | {" | ".join(cells)} |')
    lines += ['', f'Goals missed: {len(missed)} of {count}.', *(f'- {line}' for line in missed)]
    return '\n'.join(lines)
