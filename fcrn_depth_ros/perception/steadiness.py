# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The nearest distance over time: nearer passes at once, slightly farther waits.

The noise of a camera makes the distance of a thing that stands still tremble. Only the network
decides what is near; this never makes a distance farther than it is in the picture itself.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
import math

from ..settings import setting, Settings

# A distance that differs by more than this is another thing, or a real change.
_MOST_SHARE = 0.9


@dataclass(frozen=True)
class SteadinessConfig(Settings):
    """How long a nearest distance is held."""

    nearest_hold_s: float = setting(
        0.0,
        'Time for which proximity/range stays at the nearest of its recent distances, as long as '
        'the newest one is at most a tenth farther, in seconds. Nearer ones pass at once. 0 '
        'reports each picture by itself; 0.5 takes most of the tremble from a thing that stands '
        'still.',
        minimum=0.0,
        maximum=5.0,
    )


class SteadyDistance:
    """Hold the nearest of recent distances that seem to be of the same thing."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, float]] = deque()

    def restart(self) -> None:
        """Forget every distance."""
        self._recent.clear()

    def update(self, time_s: float, distance_m: float, hold_s: float) -> float:
        """
        Take the distance of the next picture.

        Parameters
        ----------
        time_s : float
            When it was taken; where time does not go on, all is forgotten.
        distance_m : float
            NaN where it is unknown: that forgets all.
        hold_s : float
            See :class:`SteadinessConfig`.

        Returns
        -------
        float
            At most `distance_m`, and not less than nine tenths of it; NaN where that is NaN.

        """
        recent = self._recent
        if (recent and time_s <= recent[-1][0]) or math.isnan(distance_m):
            recent.clear()
        if math.isnan(distance_m):
            return distance_m
        recent.append((time_s, distance_m))
        while recent[0][0] < time_s - hold_s:
            recent.popleft()
        alike = (past_m for _, past_m in recent if past_m >= _MOST_SHARE * distance_m)
        return min(alike, default=distance_m)
