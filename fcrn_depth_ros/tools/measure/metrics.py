# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How wrong a depth map is: the numbers of the NYU benchmark, and those that an alarm needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

NEAR_DISTANCES_M = (0.5, 1.0, 1.5, 2.0)

MEANINGS = {
    'abs_rel': 'mean of |predicted - true| / true',
    'rmse_m': 'root of the mean squared error, in metres',
    'log10': 'mean of |log10 predicted - log10 true|',
    'd1': 'share of pixels with max(predicted / true, true / predicted) < 1.25',
    'd2': 'the same for 1.25^2',
    'd3': 'the same for 1.25^3',
    'abs_rel_scaled': 'abs_rel after scaling by median true / median predicted: the shape alone',
    'scale': 'median of predicted / true',
    'near': 'pixels nearer than X m, counted over all pictures: precision, recall and IoU of '
    '"predicted < X" against "true < X"; pixels is how many truly are',
    'nearest': 'nearest distance as depth_node publishes it (robust percentile, floor left out '
    'where the mounting is known), within the pixels that were measured, both limited to its '
    'max_range_m: mean absolute error, mean error (positive is too far), mean relative error, '
    'shares of pictures where it is told over 25 % too far and too near. What the true one is '
    'taken from: where the model has a floor output, everything over 8 cm above the floor; '
    'otherwise what depth can tell from it with floor_tolerance',
    'nearest_seen_base': 'the same over the pictures whose nearest thing, by the floor output, '
    'stands on floor inside the picture; the others are told with a larger variance',
    'obstacles': 'pixels over 8 cm above the true floor, below the horizon and nearer than 2 m: '
    'share that counts as an obstacle; pixels of the true floor nearer than 4 m: share that '
    'counts as one; pictures in which such an obstacle covers 0.2 %, and those in which less '
    'than a tenth of it was found. The lowest centimetres of an obstacle are neither. Pictures '
    'whose floor is not known are left out',
    'unknown_share': 'share of measured pixels whose prediction is unknown; metrics take the '
    "model's valid_max_m there",
    'gated': 'pictures that the image quality gate would refuse; they are scored all the same',
}


@dataclass(frozen=True)
class DepthErrors:
    """
    Errors of one picture; see ``MEANINGS``.

    Attributes
    ----------
    abs_rel, rmse_m, log10, d1, d2, d3, abs_rel_scaled, scale : float
        Over the measured pixels.

    """

    abs_rel: float
    rmse_m: float
    log10: float
    d1: float
    d2: float
    d3: float
    abs_rel_scaled: float
    scale: float


@dataclass(frozen=True)
class NearCounts:
    """
    Pixels that are, or are said to be, nearer than some distance.

    Attributes
    ----------
    hits, misses, false_alarms : int
        Near and said so; near and not said so; said so and not near.

    """

    hits: int
    misses: int
    false_alarms: int

    def __add__(self, other: NearCounts) -> NearCounts:
        """Count two pictures together."""
        return NearCounts(
            self.hits + other.hits,
            self.misses + other.misses,
            self.false_alarms + other.false_alarms,
        )

    @property
    def precision(self) -> float | None:
        """Share of what was said to be near that is; None where nothing was said."""
        return _share(self.hits, self.hits + self.false_alarms)

    @property
    def recall(self) -> float | None:
        """Share of what is near that was said to be; None where nothing is."""
        return _share(self.hits, self.hits + self.misses)

    @property
    def iou(self) -> float | None:
        """Intersection over union; None where both are empty."""
        return _share(self.hits, self.hits + self.misses + self.false_alarms)


def depth_errors(predicted_m: NDArray[np.floating], true_m: NDArray[np.floating]) -> DepthErrors:
    """
    Compare depths of the same pixels.

    Parameters
    ----------
    predicted_m, true_m : ndarray of float, shape (N,)
        Positive metres, N > 0.

    Returns
    -------
    DepthErrors
        See ``MEANINGS``.

    """
    predicted = predicted_m.astype(np.float64)
    true = true_m.astype(np.float64)
    ratio = predicted / true
    worst = np.maximum(ratio, 1.0 / ratio)
    scaled = predicted * (np.median(true) / np.median(predicted))
    return DepthErrors(
        abs_rel=float(np.mean(np.abs(ratio - 1.0))),
        rmse_m=float(np.sqrt(np.mean((predicted - true) ** 2))),
        log10=float(np.mean(np.abs(np.log10(ratio)))),
        d1=float(np.mean(worst < 1.25)),
        d2=float(np.mean(worst < 1.25**2)),
        d3=float(np.mean(worst < 1.25**3)),
        abs_rel_scaled=float(np.mean(np.abs(scaled / true - 1.0))),
        scale=float(np.median(ratio)),
    )


def mean_errors(errors: Sequence[DepthErrors]) -> dict[str, float]:
    """Average over pictures, each with the same weight."""
    return {
        field.name: float(np.mean([getattr(error, field.name) for error in errors]))
        for field in fields(DepthErrors)
    }


def near_counts(
    predicted_m: NDArray[np.floating], true_m: NDArray[np.floating], distance_m: float
) -> NearCounts:
    """Count the pixels nearer than a distance; a NaN in `predicted_m` is not near."""
    said = predicted_m < distance_m
    near = true_m < distance_m
    return NearCounts(
        hits=int(np.count_nonzero(said & near)),
        misses=int(np.count_nonzero(near & ~said)),
        false_alarms=int(np.count_nonzero(said & ~near)),
    )


def nearest_errors(pairs: Sequence[tuple[float, float]]) -> dict[str, float | int]:
    """
    Compare nearest distances.

    Parameters
    ----------
    pairs : sequence of (predicted, true)
        Metres, one pair a picture; pairs with a NaN are left out.

    Returns
    -------
    dict
        Errors, and how many pictures they are over.

    """
    known = np.array([pair for pair in pairs if not np.isnan(pair).any()]).reshape(-1, 2)
    if not len(known):
        return {'pictures': 0}
    predicted, true = known.T
    return {
        'pictures': len(known),
        'mean_abs_m': float(np.mean(np.abs(predicted - true))),
        'mean_m': float(np.mean(predicted - true)),
        'mean_rel': float(np.mean(np.abs(predicted - true) / true)),
        'too_far_share': float(np.mean(predicted > 1.25 * true)),
        'too_near_share': float(np.mean(predicted < 0.75 * true)),
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
