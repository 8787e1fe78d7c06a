# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A second opinion: stop where the picture itself grows too fast, whatever the distance says."""

from __future__ import annotations

from collections import deque
import math

from .obstacle import majority_window, ObstacleConfig
from .verdict import AlertState, Verdict

# A robot that stands sees nothing grow: that is no evidence that the way is free.
HOLD_S = 3.0


class LoomingRule:
    """
    Judge times to collision that come from the growth of the picture: a majority must be short.

    Parameters
    ----------
    config : ObstacleConfig
        `ttc_stop_s` and `trigger_count`.

    """

    def __init__(self, config: ObstacleConfig) -> None:
        self._config = config
        self._short: deque[bool] = deque(maxlen=majority_window(config.trigger_count))
        self._shortest_s = math.inf
        self._stopped_s = -math.inf

    def hear(self, now_s: float, time_to_collision_s: float) -> None:
        """
        Take a time to collision.

        Parameters
        ----------
        now_s : float
            Steady time.
        time_to_collision_s : float
            +Inf where nothing grows; what is no time, such as NaN, says nothing.

        """
        if not time_to_collision_s >= 0.0:
            return
        is_short = time_to_collision_s < self._config.ttc_stop_s
        self._short.append(is_short)
        if is_short and sum(self._short) >= self._config.trigger_count:
            self._stopped_s, self._shortest_s = now_s, abs(time_to_collision_s)  # not -0.0

    def verdict(self, now_s: float) -> Verdict | None:
        """Return the demand for a stop at a steady time; None where there is none."""
        if not 0.0 <= now_s - self._stopped_s < HOLD_S:
            return None
        return Verdict(
            AlertState.STOP,
            'looming',
            f'the picture grows as if something were reached in {self._shortest_s:.1f} s',
        )
