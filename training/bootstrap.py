# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How sure a figure over pictures is: intervals over scenes, since pictures of one err alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000
LEAST_SCENES = 3  # with fewer there is no interval


@dataclass(frozen=True)
class Figure:
    """A share or a mean, and where it lies in 95 % of the bootstrap's draws of scenes."""

    value: float
    low: float = math.nan
    high: float = math.nan

    def __str__(self) -> str:
        if math.isnan(self.low):
            return f'{self.value:.3f}'
        return f'{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]'


def ratios(
    columns: Mapping[str, NDArray[np.floating] | Sequence[float]],
    figures: Mapping[str, tuple[str, str]],
    scenes: Sequence[str],
    draws: int = DRAWS,
) -> dict[str, Figure]:
    """
    Return figures that are the sum of one column over the sum of another.

    Scenes are drawn with replacement, as often as there are (Efron and Tibshirani, An Introduction
    to the Bootstrap, 1993).

    Parameters
    ----------
    columns : mapping of str to sequence of float
        One value a picture.
    figures : mapping of str to tuple of str
        The columns above and below; left out where one is missing or the sum below is 0.
    scenes : sequence of str
        Scene of every picture.
    draws : int
        0 gives no intervals.

    """
    names, member = np.unique(np.asarray(scenes), return_inverse=True)
    sums = {
        key: np.bincount(member, np.asarray(values, np.float64), len(names))
        for key, values in columns.items()
    }
    enough = draws if len(names) >= LEAST_SCENES else 0
    chosen = np.random.default_rng(0).integers(0, len(names), (enough, len(names)))
    found = {}
    for name, (above, below) in figures.items():
        if above not in sums or below not in sums or not sums[below].sum():
            continue
        value = float(sums[above].sum() / sums[below].sum())
        found[name] = Figure(value)
        total = sums[below][chosen].sum(1)
        if total.any():
            ratio = sums[above][chosen].sum(1)[total > 0] / total[total > 0]
            low, high = np.percentile(ratio, (2.5, 97.5))
            found[name] = Figure(value, float(low), float(high))
    return found
