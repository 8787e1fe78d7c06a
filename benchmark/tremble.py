# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How much a distance trembles from picture to picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def tremble(distances_m: Sequence[float]) -> NDArray[np.float64]:
    """
    Return by which share a distance changes from picture to picture, against its own trend.

    Parameters
    ----------
    distances_m : sequence of float
        Positive; one for each picture.

    Returns
    -------
    ndarray of float64, shape (N - 2,)
        Size of the second difference of the logarithm, halved; NaN alone for fewer than three.

    """
    if len(distances_m) < 3:
        return np.array([np.nan])
    size: NDArray[np.float64] = np.abs(np.diff(np.log(distances_m), 2)) / 2
    return size
