# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Depth as 16-bit millimetres (REP 118), in messages and PNG files, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_MM_PER_M = np.float32(1000.0)
_MAX_UINT16 = 65535


def to_millimetres(depth_m: NDArray[np.floating[Any]]) -> NDArray[np.uint16]:
    """Return whole millimetres, 0 where the depth is unknown, not positive or over 65.535 m."""
    millimetres = np.round(depth_m * _MM_PER_M)
    known = (millimetres >= 1) & (millimetres <= _MAX_UINT16)
    return np.where(known, millimetres, 0).astype(np.uint16)


def from_millimetres(depth_mm: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return metres, NaN where the depth is 0, which means unknown."""
    metres: NDArray[np.float32] = depth_mm.astype(np.float32) / _MM_PER_M
    metres[depth_mm == 0] = np.nan
    return metres
