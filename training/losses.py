# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Losses on log depth, free floor and expected error; unknown target pixels count nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
import torch.nn.functional as F

from .augment import Batch
from .labels import FLOOR, NOT_FLOOR
from .network import Prediction

GRADIENT_SCALES = 4
MAX_LOG_ERROR = 1.0  # beyond, |prediction / target - 1| would outweigh all else


def total_loss(
    prediction: Prediction,
    batch: Batch,
    config: Mapping[str, Any],
    teacher: Prediction | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """
    Sum what is asked of every output.

    Parameters
    ----------
    prediction : Prediction
        Of the network for the batch.
    batch : Batch
        With depth and labels.
    config : mapping
        Weights of the parts.
    teacher : Prediction, optional
        What a teacher says of the clean pictures that are taught.

    Returns
    -------
    total : Tensor
        To be minimised.
    parts : dict of str to Tensor
        Detached, for the log.

    """
    parts = {
        'depth': depth_loss(
            prediction.log_depth,
            batch.depth_m,
            config['relative_share'],
            config['scale_invariant_weight'],
            config['gradient_weight'],
            pixel_weights(batch, config),
        )
    }
    total = parts['depth']
    if prediction.floor_logit is not None:
        parts['floor'] = floor_loss(
            prediction.floor_logit, batch.labels, config['floor_missed_weight']
        )
        total = total + config['floor_weight'] * parts['floor']
    if prediction.log_error is not None:
        parts['error'] = error_loss(prediction.log_error, prediction.log_depth, batch.depth_m)
        total = total + config['error_weight'] * parts['error']
    if teacher is not None:
        share = batch.taught.float().mean()
        parts['teacher'] = share * teacher_loss(prediction.of(batch.taught), teacher, config)
        total = total + config['teacher_weight'] * parts['teacher']
    return total, {name: part.detach() for name, part in parts.items()}


def pixel_weights(batch: Batch, config: Mapping[str, Any]) -> Tensor:
    """
    Return how much the depth of each pixel counts: what stands on the floor more than the floor.

    An alarm lives by what is above the floor and near; by area it is the lesser part of a picture.
    Where the mounting is not told, all pixels count alike: the scale is a guess there, and weights
    that depend on the true distance would teach the network to guess it too small.
    """
    depth_m, labels = batch.depth_m, batch.labels
    weight = torch.ones_like(depth_m)
    weight = torch.where(labels == FLOOR, config['floor_pixel_weight'], weight)
    near = (labels == NOT_FLOOR) & (depth_m < config['near_m'])
    weight = torch.where(near, config['near_pixel_weight'], weight)
    told = batch.inverse_floor.amax((1, 2, 3), keepdim=True) > 0
    return torch.where(told, weight, 1.0)


def depth_loss(
    log_depth: Tensor,
    target_m: Tensor,
    relative: float,
    invariant: float,
    gradient: float,
    weight: Tensor | None = None,
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
    weight : Tensor, shape (N, 1, H, W), optional
        Of each pixel in the absolute and the scale-invariant loss.

    Returns
    -------
    Tensor
        Mean over the images of the batch; an image without target counts 0.

    """
    mask = (target_m > 0).to(log_depth.dtype)
    error = (log_depth - target_m.clamp(min=1e-3).log()) * mask
    excess = (error.clamp(max=MAX_LOG_ERROR).exp() - 1).abs()
    absolute = relative * excess + (1 - relative) * error.abs()
    weighted = mask if weight is None else mask * weight
    loss = _mean(absolute, weighted) + invariant * error_spread(error, weighted)
    return (loss + gradient * gradient_error(error, mask)).mean()


def floor_loss(logit: Tensor, labels: Tensor, missed: float) -> Tensor:
    """
    Return the cross entropy of free floor over the labelled pixels.

    Parameters
    ----------
    logit : Tensor, shape (N, 1, H, W)
        Of the probability of floor.
    labels : Tensor of uint8, shape (N, 1, H, W)
        See :mod:`training.labels`.
    missed : float
        Weight of a pixel that is not floor; one that is has weight 1.

    """
    is_floor = (labels == FLOOR).to(torch.float32)
    weight = is_floor + missed * (labels == NOT_FLOOR)
    entropy = F.binary_cross_entropy_with_logits(logit.float(), is_floor, reduction='none')
    # Over the whole batch: a picture with ten labelled pixels says little.
    return (entropy * weight).sum() / weight.sum().clamp(min=1)


def error_loss(log_error: Tensor, log_depth: Tensor, target_m: Tensor) -> Tensor:
    """
    Return the negative log-likelihood of a Laplace distribution of the error of log depth.

    The depth itself is not moved by it: the network learns how wrong it is, not to be wrong where
    it is sure.
    """
    mask = (target_m > 0).to(log_error.dtype)
    error = (log_depth.detach() - target_m.clamp(min=1e-3).log()).abs()
    limited = log_error.clamp(-6, 2)
    return _mean(error * (-limited).exp() + limited, mask).mean()


def teacher_loss(prediction: Prediction, teacher: Prediction, config: Mapping[str, Any]) -> Tensor:
    """Return the distance of depth, its slopes and the floor from what a teacher says of them."""
    error = prediction.log_depth - teacher.log_depth
    ones = torch.ones_like(error)
    loss = (
        _mean(error.abs(), ones) + config['gradient_weight'] * gradient_error(error, ones)
    ).mean()
    if prediction.floor_logit is not None and teacher.floor_logit is not None:
        said = teacher.floor_logit.float().sigmoid()
        entropy = F.binary_cross_entropy_with_logits(prediction.floor_logit.float(), said)
        loss = loss + config['floor_weight'] * entropy
    return loss


def error_spread(error: Tensor, weight: Tensor) -> Tensor:
    """Return the standard deviation of the log error in each image: what no scale can mend."""
    square, mean = _mean(error**2, weight), _mean(error, weight)
    return (square - mean**2).clamp(min=1e-6).sqrt()


def gradient_error(error: Tensor, mask: Tensor) -> Tensor:
    """Return the mean slope of the log error at several scales: edges and flat surfaces."""
    total = torch.zeros(len(error), device=error.device)
    for _ in range(GRADIENT_SCALES):
        for axis in (2, 3):
            length = error.shape[axis] - 1
            both = mask.narrow(axis, 0, length) * mask.narrow(axis, 1, length)
            total = total + _mean(error.diff(dim=axis).abs(), both)
        weight = F.avg_pool2d(mask, 2)
        error = F.avg_pool2d(error, 2) / weight.clamp(min=0.25)
        mask = (weight > 0).to(error.dtype)
    return total / GRADIENT_SCALES


def _mean(value: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted mean of each image; 0 where nothing has a weight."""
    return (value * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=1e-6)
