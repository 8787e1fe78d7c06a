# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Depth that the network is not sure of: it is unknown, and never clear.

A pixel below the threshold takes no part where depth says that the way is free, and keeps its part
where depth says that something is near.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from .proximity import ProximityConfig, ProximityEstimate, region_of_interest
from ..estimation.depth_estimator import DepthEstimate
from ..settings import setting, Settings


@dataclass(frozen=True)
class ConfidenceConfig(Settings):
    """How sure the network must be of a pixel."""

    confidence_threshold: float = setting(
        0.0,
        'Confidence below which the depth of a pixel is unknown (NaN in depth and points, never '
        'free in depth/scan). An obstacle stays in depth/scan and proximity however unsure it is. '
        '0 keeps every pixel; a model without confidence does, too.',
        minimum=0.0,
        maximum=1.0,
    )


def unsure_pixels(estimate: DepthEstimate, config: ConfidenceConfig) -> NDArray[np.bool_] | None:
    """
    Find the pixels whose depth is known, but not sure enough.

    Parameters
    ----------
    estimate : DepthEstimate
        With the confidence of its pixels, where the model gives one.
    config : ConfidenceConfig
        The threshold.

    Returns
    -------
    ndarray of bool, shape (h, w), or None
        None where nothing is asked for, or no confidence is known.

    """
    if estimate.confidence is None or config.confidence_threshold == 0.0:
        return None
    unsure: NDArray[np.bool_] = estimate.confidence < config.confidence_threshold
    return unsure


def never_clear(
    proximity: ProximityEstimate, unsure: NDArray[np.bool_] | None, config: ProximityConfig
) -> ProximityEstimate:
    """
    Make a frame unknown that is free only by what the network is not sure of.

    Parameters
    ----------
    proximity : ProximityEstimate
        Of every known pixel, sure or not: what is near was found in it already.
    unsure : ndarray of bool, shape (h, w), or None
        See :func:`unsure_pixels`.
    config : ProximityConfig
        Region of interest, `min_valid_fraction`, and what counts as near.

    Returns
    -------
    ProximityEstimate
        `proximity` itself where it is near, or sure enough pixels are left.

    """
    if unsure is None or proximity.nearest_distance_m < config.near_distance_m:
        return proximity
    if proximity.is_near(config):
        return proximity
    sure_fraction = proximity.valid_fraction - float(
        unsure[region_of_interest(unsure.shape, config)].mean()
    )
    if sure_fraction >= config.min_valid_fraction:
        return proximity
    return ProximityEstimate(math.nan, math.nan, sure_fraction)
