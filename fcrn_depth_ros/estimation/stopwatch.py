# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How long each stage of one frame takes."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
import time


class Stage(Enum):
    """What happens to a frame, in this order; the values are the names for people."""

    WAIT = 'wait for the worker'
    DECODE = 'decode'
    REPEATS = 'compare with the last'
    RECTIFY = 'rectify'
    QUALITY = 'quality'
    LOOMING = 'growth of the picture'
    PREPARE = 'prepare'
    INFERENCE = 'inference'
    POSTPROCESS = 'postprocess'
    SCALE = 'scale'
    PROXIMITY = 'proximity'
    PUBLISH = 'publish'


class Stopwatch:
    """
    The times of one frame, which travel with it; every moment belongs to one stage.

    Parameters
    ----------
    time_s : callable
        A clock that never jumps.

    Attributes
    ----------
    times_s : dict of Stage to float
        Time of each stage that has ended, in seconds; a stage that ends twice has the sum.

    Examples
    --------
    >>> stopwatch = Stopwatch(iter([0.0, 0.25]).__next__)
    >>> stopwatch.lap(Stage.DECODE)
    >>> stopwatch.times_s[Stage.DECODE]
    0.25

    """

    def __init__(self, time_s: Callable[[], float] = time.perf_counter) -> None:
        self._time_s = time_s
        self._last_s = time_s()
        self.times_s: dict[Stage, float] = {}

    def lap(self, stage: Stage) -> None:
        """End a stage: what passed since the end of the one before was spent on it."""
        now_s = self._time_s()
        self.times_s[stage] = self.times_s.get(stage, 0.0) + now_s - self._last_s
        self._last_s = now_s
