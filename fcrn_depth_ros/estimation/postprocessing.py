# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""From the network's raw output to metres that can be believed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .model_card import ModelCard


def network_output_to_depth(
    raw: NDArray[np.float32], card: ModelCard, ratio: float = 1.0
) -> NDArray[np.float32]:
    """
    Turn the network's output into depth that can be believed.

    Parameters
    ----------
    raw : ndarray of float32, shape (h, w)
        Output of :meth:`~fcrn_depth_ros.estimation.onnx_model.OnnxModel.run`.
    card : ModelCard
        Output kind and valid range.
    ratio : float
        Focal length over that of the training camera; scales metric depth and the card's range.

    Returns
    -------
    ndarray of float32, shape (h, w)
        Metres along the optical axis, limited as by :func:`limit_depth` to the card's range;
        NaN where the output is no depth: non-finite, or metres <= 0. For relative models the
        raw output, NaN where it is not finite.

    """
    known = np.isfinite(raw)
    if card.output_kind == 'depth_m':
        known &= raw > 0.0
    depth: NDArray[np.float32] = np.where(known, raw, np.float32(np.nan))
    if not card.is_metric:
        return depth
    if card.output_kind == 'log_depth':
        with np.errstate(over='ignore'):
            depth = np.exp(depth)
    return limit_depth(
        depth * np.float32(ratio), card.valid_min_m * ratio, card.valid_max_m * ratio
    )


def limit_depth(
    depth_m: NDArray[np.float32], min_depth_m: float, max_depth_m: float
) -> NDArray[np.float32]:
    """
    Keep depth within a range, erring toward near.

    What is farther becomes unknown. What is nearer is raised to the least depth and so stays
    near: a hand before the lens that became unknown would look like a gap.

    Parameters
    ----------
    depth_m : ndarray of float32, shape (h, w)
        Metres, NaN where unknown.
    min_depth_m, max_depth_m : float
        The range; 0 for no limit.

    Returns
    -------
    ndarray of float32, shape (h, w)
        Metres, NaN where unknown.

    """
    limited: NDArray[np.float32] = np.maximum(depth_m, np.float32(min_depth_m))
    if max_depth_m > 0.0:
        limited[depth_m > max_depth_m] = np.nan
    return limited
