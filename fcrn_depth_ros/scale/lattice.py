# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
A value that differs with the place in the picture and with depth, kept at a few places.

Between the places it is interpolated. Places stay where they are, picture after picture, so that
what was said about one can be compared over time.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .field import REFERENCE_M

# In widths of the picture from its middle, and logarithms of the network's depth over 2 m.
_ACROSS = np.array([-0.5, 0.0, 0.5])
_DOWN = np.array([-0.4, 0.0, 0.4])
_LOG_DEPTHS = np.linspace(math.log(0.2 / REFERENCE_M), math.log(8.0 / REFERENCE_M), 9)

# x, y and logarithm of depth of each place, float64 (N, 3).
PLACES: NDArray[np.float64] = np.stack(
    np.meshgrid(_ACROSS, _DOWN, _LOG_DEPTHS, indexing='ij'), axis=-1
).reshape(-1, 3)


def on_picture(values: NDArray[np.float64], depth_m: NDArray[np.floating]) -> NDArray[np.float32]:
    """
    Interpolate at each pixel of a depth map.

    Parameters
    ----------
    values : ndarray of float64, shape (N,)
        At `PLACES`.
    depth_m : ndarray of float, shape (h, w)
        Of the network. What is beyond the outermost places has their value; where the depth is
        unknown, that of 2 m holds.

    Returns
    -------
    ndarray of float32, shape (h, w)
        Never beyond the least and the greatest value.

    """
    height, width = depth_m.shape
    across = _hats((np.arange(width) + 0.5) / width - 0.5, _ACROSS).astype(np.float32)
    down = _hats((np.arange(height) + 0.5 - height / 2) / width, _DOWN).astype(np.float32)
    at = values.reshape(len(_ACROSS), len(_DOWN), len(_LOG_DEPTHS)).astype(np.float32)
    levels = np.empty((len(_LOG_DEPTHS), height * width), np.float32)
    for level, plane in zip(levels, at.transpose(2, 1, 0), strict=True):
        np.matmul(down @ plane, across.T, out=level.reshape(height, width))
    # A comparison with NaN is false.
    known = (depth_m > 0.0) & (depth_m < np.inf)
    step = np.log(np.where(known, depth_m, REFERENCE_M).ravel().astype(np.float32) / REFERENCE_M)
    step -= _LOG_DEPTHS[0]
    step /= _LOG_DEPTHS[1] - _LOG_DEPTHS[0]
    np.clip(step, 0.0, len(_LOG_DEPTHS) - 1.0, out=step)
    below = np.minimum(step.astype(np.int32), len(_LOG_DEPTHS) - 2)
    step -= below
    index = below * (height * width) + np.arange(height * width, dtype=np.int32)
    low, high = levels.ravel()[index], levels.ravel()[index + height * width]
    found: NDArray[np.float32] = (low + step * (high - low)).reshape(height, width)
    return found


def at_place(values: NDArray[np.float64], place: NDArray[np.float64]) -> float:
    """
    Interpolate at one place.

    Parameters
    ----------
    values : ndarray of float64, shape (N,)
        At `PLACES`.
    place : ndarray of float64, shape (3,)
        As those.

    Returns
    -------
    float
        Never beyond the least and the greatest value.

    """
    across, down, deep = (
        _hats(place[i : i + 1], nodes)[0] for i, nodes in enumerate((_ACROSS, _DOWN, _LOG_DEPTHS))
    )
    at = values.reshape(len(_ACROSS), len(_DOWN), len(_LOG_DEPTHS))
    return float(np.einsum('i,j,k,ijk->', across, down, deep, at))


def _hats(at: NDArray[np.float64], nodes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of each node at each place; constant beyond the outermost ones."""
    return np.column_stack([np.interp(at, nodes, unit) for unit in np.eye(len(nodes))])
