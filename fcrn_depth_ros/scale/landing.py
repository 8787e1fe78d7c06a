# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The depth where a beam lands: what it measures there needs no detour over the whole picture."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

# Messages of which most must say farther, and their greatest age.
_LEAST_MESSAGES, _RECENT_S = 3, 0.6
# By so much the network draws one place otherwise from one picture to the next (log of depth).
_TREMBLE = 0.1
# How far beyond its cone a beam speaks, and for what is about as far as what it meets: by so much
# (logarithm of depth) fully, and then less and less.
_REACH_RAD, _SAME_DEPTH, _DEPTH_REACH = 0.05, 0.15, 0.15
_REACHES = 3.0


@dataclass(frozen=True)
class Landing:
    """
    Where a beam lands in a depth map.

    Attributes
    ----------
    column, row : float
        Middle of its cone.
    half_px, px_per_rad : float
        Half the width of the cone, and what makes angles into pixels.
    drawn_m : float
        Depth of the network there.

    """

    column: float
    row: float
    half_px: float
    px_per_rad: float
    drawn_m: float


class LandingFactor:
    """Follow what one beam says from message to message: nearer counts at once, farther later."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget every message."""
        self._recent: deque[tuple[float, float]] = deque(maxlen=_LEAST_MESSAGES)

    def take(self, time_s: float, log_factor: float) -> float:
        """
        Take what a message says.

        Parameters
        ----------
        time_s : float
            Of the picture; where it goes back, all is forgotten.
        log_factor : float
            Logarithm of true depth over the network's.

        Returns
        -------
        float
            What the message says; at most a tenth farther than the middle of the last three, as
            the network may have drawn the place nearer this time. Without three, nothing that is
            farther.

        """
        if self._recent and not 0.0 <= time_s - self._recent[-1][0] <= _RECENT_S:
            self.restart()
        self._recent.append((time_s, log_factor))
        said = sorted(said for _, said in self._recent)
        held = min(log_factor, said[len(said) // 2] + _TREMBLE)
        return held if len(said) == _LEAST_MESSAGES else min(0.0, said[0])


def with_landing(
    log_factors: NDArray[np.float32],
    depth_m: NDArray[np.floating],
    landing: Landing,
    log_factor: float,
    may_be_farther: bool,
) -> NDArray[np.float32]:
    """
    Correct the depth where a beam lands.

    Parameters
    ----------
    log_factors : ndarray of float32, shape (h, w)
        That hold elsewhere.
    depth_m : ndarray of float, shape (h, w)
        Of the network.
    landing : Landing
        Where it lands.
    log_factor : float
        What it says.
    may_be_farther : bool
        False where it may only make nearer.

    Returns
    -------
    ndarray of float32, shape (h, w)
        Between `log_factors` and `log_factor`: the latter in the cone, on what is as far as what
        the beam meets.

    """
    margin = landing.half_px + _REACHES * _REACH_RAD * landing.px_per_rad
    rows, columns = (
        np.arange(max(0, math.floor(middle - margin)), min(size, math.ceil(middle + margin) + 1))
        for middle, size in zip((landing.row, landing.column), depth_m.shape, strict=True)
    )
    if not (len(rows) and len(columns)):
        return log_factors
    there = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    apart_px = np.hypot(columns - landing.column, (rows - landing.row)[:, None])
    beyond = np.maximum(0.0, apart_px - landing.half_px) / (_REACH_RAD * landing.px_per_rad)
    drawn_m = depth_m[there]
    known = (drawn_m > 0.0) & (drawn_m < np.inf)
    apart = np.abs(np.log(np.where(known, drawn_m, landing.drawn_m) / landing.drawn_m))
    apart = np.maximum(0.0, apart - _SAME_DEPTH) / _DEPTH_REACH
    change = np.exp(-0.5 * (beyond**2 + apart**2)) * (log_factor - log_factors[there])
    if not may_be_farther:
        change = np.minimum(0.0, change)
    corrected: NDArray[np.float32] = log_factors.copy()
    corrected[there] += change.astype(np.float32)
    return corrected
