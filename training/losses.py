# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Losses on the natural log of depth; unknown target pixels (0) count nowhere."""

from __future__ import annotations

import torch
from torch import Tensor
import torch.nn.functional as F

GRADIENT_SCALES = 4
MAX_LOG_ERROR = 1.0  # beyond, |prediction / target - 1| would outweigh all else


def depth_loss(
    log_depth: Tensor, target_m: Tensor, relative: float, invariant: float, gradient: float
) -> Tensor:
    """
    Sum absolute, scale-invariant and gradient loss.

    Parameters
    ----------
    log_depth, target_m : Tensor, shape (N, 1, H, W)
        Prediction (log of metres) and target (metres, 0 where unknown).
    relative : float
        Share of |prediction / target - 1| in the absolute loss, the rest is |log|: in doubt it
        prefers too near to too far.
    invariant, gradient : float
        Weights of the scale-invariant and of the gradient loss; the absolute loss has weight 1.

    Returns
    -------
    Tensor
        Mean over the images of the batch; an image without target counts 0.

    """
    mask = (target_m > 0).to(log_depth.dtype)
    error = (log_depth - target_m.clamp(min=1e-3).log()) * mask
    excess = (error.clamp(max=MAX_LOG_ERROR).exp() - 1).abs()
    absolute = relative * excess + (1 - relative) * error.abs()
    loss = _mean(absolute, mask) + invariant * error_spread(error, mask)
    return (loss + gradient * gradient_error(error, mask)).mean()


def error_spread(error: Tensor, mask: Tensor) -> Tensor:
    """Return the standard deviation of the log error in each image: what no scale can mend."""
    square, mean = _mean(error**2, mask), _mean(error, mask)
    return (square - mean**2).clamp(min=1e-6).sqrt()


def gradient_error(error: Tensor, mask: Tensor) -> Tensor:
    """Return the mean slope of the log error at several scales: edges and flat surfaces."""
    total = torch.zeros(len(error))
    for _ in range(GRADIENT_SCALES):
        for axis in (2, 3):
            length = error.shape[axis] - 1
            both = mask.narrow(axis, 0, length) * mask.narrow(axis, 1, length)
            total = total + _mean(error.diff(dim=axis).abs() * both, both)
        weight = F.avg_pool2d(mask, 2)
        error = F.avg_pool2d(error, 2) / weight.clamp(min=0.25)
        mask = (weight > 0).to(error.dtype)
    return total / GRADIENT_SCALES


def _mean(value: Tensor, mask: Tensor) -> Tensor:
    return value.sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp(min=1)
