# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How well an expected error orders the true ones: sparsification, and error by decile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FRACTIONS = np.arange(20) / 20

Floats = NDArray[np.floating]


def sparsification(error: Floats, expected: Floats) -> NDArray[np.float64]:
    """
    Return the mean error of what is left when the worst expected pixels are removed.

    Parameters
    ----------
    error : ndarray of float, shape (N,)
        True errors.
    expected : ndarray of float, shape (N,)
        By which the pixels are removed, largest first; equal ones in their order.

    Returns
    -------
    ndarray of float, shape (20,)
        After 0, 5 .. 95 % of the pixels were removed.

    """
    ordered = error[np.argsort(expected, kind='stable')].astype(np.float64)
    means = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    left = np.maximum(1, np.ceil((1 - FRACTIONS) * len(error) - 1e-9).astype(int))
    curve: NDArray[np.float64] = means[left - 1]
    return curve


def ause(error: Floats, expected: Floats) -> float:
    """
    Return the area between the sparsification and that of the true errors.

    In units of the mean error of all pixels; 0 is the order of the true errors (Ilg et al.,
    Uncertainty Estimates and Multi-Hypotheses Networks for Optical Flow, ECCV 2018).
    """
    total = float(error.mean())
    if total == 0:
        return 0.0
    return float(np.mean(sparsification(error, expected) - sparsification(error, error)) / total)


def error_by_decile(error: Floats, confidence: Floats) -> NDArray[np.float64]:
    """Return the mean error of each tenth of the pixels, the most confident first; ten values."""
    ordered = error[np.argsort(-confidence, kind='stable')].astype(np.float64)
    return np.array([part.mean() for part in np.array_split(ordered, 10)])
