# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
From a depth map to the share of near pixels, and to the nearest distance.

Unknown is never clear: a frame with too few valid pixels gives NaN, and NaN counts as near.
"""

from __future__ import annotations

from dataclasses import dataclass
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .floor import FloorEvidence
from ..errors import DepthShapeError
from ..settings import misordered, setting, Settings

# Nav2's collision monitor asks for as many points before it believes in an obstacle.
MIN_OBSTACLE_PIXELS = 4


@dataclass(frozen=True)
class ProximityConfig(Settings):
    """What counts as near, and in which part of the image."""

    proximity_mode: str = setting(
        'metric',
        'metric: a pixel is near when its depth is below near_distance_m. relative: the depth '
        'of each frame is normalised, and a pixel is near from relative_near_value on; this '
        'needs no metres and gives no distance.',
        choices=('metric', 'relative'),
    )
    near_distance_m: float = setting(
        1.0,
        'Depth below which a pixel is near, in metres (metric mode).',
        minimum=0.05,
        maximum=100.0,
    )
    near_threshold: float = setting(
        0.05,
        'Share of near pixels above which proximity/near is true (metric mode).',
        minimum=0.0,
        maximum=1.0,
    )
    relative_near_value: float = setting(
        0.5,
        'Normalised nearness (0 farthest, 1 nearest) from which a pixel is near (relative mode).',
        minimum=0.0,
        maximum=1.0,
    )
    relative_threshold: float = setting(
        0.35,
        'Share of near pixels above which proximity/near is true (relative mode).',
        minimum=0.0,
        maximum=1.0,
    )
    relative_polarity: str = setting(
        'far_is_high',
        'Meaning of a high value of the map (relative mode): far_is_high for depth, '
        'near_is_high for inverse depth.',
        choices=('far_is_high', 'near_is_high'),
    )
    roi_left: float = setting(
        0.0,
        'Left edge of the region of interest, as a share of the image width.',
        minimum=0,
        maximum=1,
    )
    roi_top: float = setting(
        0.0,
        'Top edge of the region of interest, as a share of the image height.',
        minimum=0,
        maximum=1,
    )
    roi_right: float = setting(
        1.0,
        'Right edge of the region of interest, as a share of the image width.',
        minimum=0,
        maximum=1,
    )
    roi_bottom: float = setting(
        1.0,
        'Bottom edge of the region of interest, as a share of the image height.',
        minimum=0,
        maximum=1,
    )
    corridor_width_m: float = setting(
        0.0,
        'Width of the corridor, centred on the optical axis, in which a surface counts, in '
        'metres (metric mode, needs camera_info). 0 means the whole region of interest.',
        minimum=0.0,
        maximum=100.0,
    )
    nearest_percentile: float = setting(
        0.5,
        'Percentile of the depths that is reported as the nearest distance. A chair leg covers '
        'about 1 % of the pixels, isolated false pixels far less.',
        minimum=0.0,
        maximum=50.0,
    )
    min_valid_fraction: float = setting(
        0.7,
        'Smallest share of pixels with a known depth. Below it the frame is unknown, never clear.',
        minimum=0.01,
        maximum=1.0,
    )
    floor_tolerance: float = setting(
        0.3,
        'A pixel is floor when its depth is at least (1 - floor_tolerance) times the depth of '
        'the floor there. This needs the mounting. Objects lower than floor_tolerance times the '
        'camera height are not detected.',
        minimum=0.0,
        maximum=0.9,
    )
    max_range_m: float = setting(
        10.0,
        'Value of proximity/range when nothing is nearer, in metres.',
        minimum=0.1,
        maximum=1000.0,
    )

    def contradiction(self) -> str:
        """Return which two values contradict each other; empty where none do."""
        if self.near_distance_m > self.max_range_m:
            return (
                f'near_distance_m must be at most max_range_m ({self.max_range_m:g}), '
                f'got {self.near_distance_m:g}; raise max_range_m or lower near_distance_m'
            )
        return (
            misordered(self, ('roi_left', 'roi_right'), ('roi_top', 'roi_bottom'))
            or super().contradiction()
        )

    @property
    def active_threshold(self) -> float:
        """Give the share of near pixels above which a frame is near, in the chosen mode."""
        metric = self.proximity_mode == 'metric'
        return self.near_threshold if metric else self.relative_threshold


@dataclass(frozen=True)
class ProximityEstimate:
    """
    How near one frame is.

    Attributes
    ----------
    proximity : float
        Share (0..1) of near pixels; NaN when unknown.
    nearest_distance_m : float
        Robust nearest depth, at most `max_range_m`; NaN when unknown and in relative mode.
    valid_fraction : float
        Share (0..1) of the region of interest whose depth is known.
    hidden_base : bool
        True where the base of the nearest thing lies below the picture, so that nothing but depth
        tells how near it is; needs a network with a floor output.

    """

    proximity: float
    nearest_distance_m: float
    valid_fraction: float
    hidden_base: bool = False

    @property
    def is_known(self) -> bool:
        """Return whether the frame said anything at all."""
        return not math.isnan(self.proximity)

    def is_near(self, config: ProximityConfig) -> bool:
        """Return whether the share exceeds the threshold; an unknown frame counts as near."""
        return not self.proximity <= config.active_threshold


def estimate_proximity(
    depth_m: NDArray[np.floating[Any]],
    config: ProximityConfig,
    inverse_floor_depth: NDArray[np.floating[Any]] | None = None,
    lateral_slope: NDArray[np.floating[Any]] | None = None,
    evidence: FloorEvidence | None = None,
) -> ProximityEstimate:
    """
    Estimate how near the surfaces in the region of interest are.

    Parameters
    ----------
    depth_m : ndarray of float, shape (H, W)
        Depth along the optical axis in metres; whatever is not finite and positive is unknown.
        In relative mode any positive map (see `relative_polarity`).
    config : ProximityConfig
        What counts as near, and where to look.
    inverse_floor_depth : ndarray of float, shape (H, W), optional
        1 / depth of the empty floor in 1/m, 0 at and above the horizon; metric mode leaves the
        floor out of what can be near. None when the mounting is unknown.
    lateral_slope : ndarray of float, shape (H, W), optional
        Sideways distance per metre of depth (:func:`~fcrn_depth_ros.camera.orientation.
        lateral_slope`); needed by `corridor_width_m`. None leaves nothing out.
    evidence : FloorEvidence, optional
        What the network's floor output adds to this depth map (metric mode). None leaves the
        depth alone to decide.

    Returns
    -------
    ProximityEstimate
        All NaN but the valid fraction when fewer than `min_valid_fraction` of the pixels are
        known.

    Raises
    ------
    DepthShapeError
        If an array is not of float, or does not have the shape above.

    """
    _check_arrays(depth_m, inverse_floor_depth, lateral_slope, evidence)
    rows, columns = region_of_interest(depth_m.shape, config)
    depth = depth_m[rows, columns]
    valid = np.isfinite(depth) & (depth > 0)
    valid_count = int(np.count_nonzero(valid))
    valid_fraction = valid_count / depth.size
    if valid_fraction < config.min_valid_fraction:
        return ProximityEstimate(math.nan, math.nan, valid_fraction)
    if config.proximity_mode == 'relative':
        share = _relative_share(depth, valid, config)
        return ProximityEstimate(share, math.nan, valid_fraction)

    obstacle = obstacle_pixels(depth_m, config, inverse_floor_depth, lateral_slope, evidence)[
        rows, columns
    ]
    if evidence is not None:
        depth = evidence.distance_m[rows, columns]
    obstacle_depth = depth[obstacle]
    near_count = int(np.count_nonzero(obstacle_depth < config.near_distance_m))
    nearest_m = _nearest_distance(obstacle_depth, valid_count, config)
    # What has no depth and stands on the floor all the same is near beyond the valid ones.
    share = min(1.0, near_count / valid_count)
    if evidence is None:
        return ProximityEstimate(share, nearest_m, valid_fraction)
    hidden = evidence.hidden_base[rows, columns][obstacle]
    hidden_base = _mostly(hidden[obstacle_depth <= nearest_m])
    return ProximityEstimate(share, nearest_m, valid_fraction, hidden_base)


def near_pixels(
    depth_m: NDArray[np.floating[Any]],
    config: ProximityConfig,
    inverse_floor_depth: NDArray[np.floating[Any]] | None = None,
    lateral_slope: NDArray[np.floating[Any]] | None = None,
    evidence: FloorEvidence | None = None,
) -> NDArray[np.bool_]:
    """
    Find the pixels that `estimate_proximity` counts as near, for drawing.

    Parameters
    ----------
    depth_m, config, inverse_floor_depth, lateral_slope, evidence
        As for :func:`estimate_proximity`.

    Returns
    -------
    ndarray of bool, shape (H, W)
        False outside the region of interest.

    Raises
    ------
    DepthShapeError
        As :func:`estimate_proximity`.

    """
    _check_arrays(depth_m, inverse_floor_depth, lateral_slope, evidence)
    rows, columns = region_of_interest(depth_m.shape, config)
    near = np.zeros(depth_m.shape, np.bool_)
    if config.proximity_mode == 'relative':
        depth = depth_m[rows, columns]
        valid = np.isfinite(depth) & (depth > 0)
        if valid.any() and depth[valid].min() < depth[valid].max():
            near[rows, columns][valid] = (
                _relative_nearness(depth, valid, config) >= config.relative_near_value
            )
        return near
    obstacle = obstacle_pixels(depth_m, config, inverse_floor_depth, lateral_slope, evidence)
    distance_m = depth_m if evidence is None else evidence.distance_m
    near[rows, columns] = (obstacle & (distance_m < config.near_distance_m))[rows, columns]
    return near


def obstacle_pixels(
    depth_m: NDArray[np.floating[Any]],
    config: ProximityConfig,
    inverse_floor_depth: NDArray[np.floating[Any]] | None = None,
    lateral_slope: NDArray[np.floating[Any]] | None = None,
    evidence: FloorEvidence | None = None,
) -> NDArray[np.bool_]:
    """
    Find the pixels that are known, not floor, and in the corridor, in metric mode.

    Parameters
    ----------
    depth_m, config, inverse_floor_depth, lateral_slope, evidence
        As for :func:`estimate_proximity`, and checked there.

    Returns
    -------
    ndarray of bool, shape (H, W)
        Of the whole picture, whatever the region of interest is.

    """
    if evidence is not None:
        depth_m = evidence.distance_m
    obstacle: NDArray[np.bool_] = np.isfinite(depth_m) & (depth_m > 0)
    known_depth = np.where(obstacle, depth_m, 0)  # inf x 0 would warn
    if inverse_floor_depth is not None:
        in_front = known_depth * inverse_floor_depth < 1 - config.floor_tolerance
        obstacle &= in_front if evidence is None else in_front | evidence.stands
    if evidence is not None and evidence.floor is not None:
        obstacle &= ~evidence.floor
    if lateral_slope is not None and config.corridor_width_m > 0:
        obstacle &= known_depth * np.abs(lateral_slope) <= config.corridor_width_m / 2
    return obstacle


def _mostly(flags: NDArray[np.bool_]) -> bool:
    return bool(2 * np.count_nonzero(flags) > flags.size)


def _check_arrays(
    depth_m: NDArray[Any],
    inverse_floor_depth: NDArray[Any] | None,
    lateral_slope: NDArray[Any] | None,
    evidence: FloorEvidence | None,
) -> None:
    if depth_m.ndim != 2 or depth_m.size == 0 or depth_m.dtype.kind != 'f':
        raise DepthShapeError(
            f'depth_m must be a 2-D array of float with at least one pixel, '
            f'got {depth_m.dtype} {depth_m.shape}; convert millimetres to metres first'
        )
    height, width = depth_m.shape
    for name, array, shape in (
        ('inverse_floor_depth', inverse_floor_depth, (height, width)),
        ('lateral_slope', lateral_slope, (height, width)),
        ('evidence', None if evidence is None else evidence.distance_m, (height, width)),
    ):
        if array is not None and array.shape != shape:
            raise DepthShapeError(
                f'{name} must be of shape {shape}, got {array.shape}; '
                f'compute it with the intrinsics of the depth map'
            )


def region_of_interest(shape: tuple[int, ...], config: ProximityConfig) -> tuple[slice, slice]:
    """Return the rows and columns touched by the region: at least one of each."""
    height, width = shape
    return (
        slice(math.floor(config.roi_top * height), math.ceil(config.roi_bottom * height)),
        slice(math.floor(config.roi_left * width), math.ceil(config.roi_right * width)),
    )


def _relative_share(
    values: NDArray[np.floating[Any]], valid: NDArray[np.bool_], config: ProximityConfig
) -> float:
    """Apply the iOS rule: stretch the positive values to 0..1, binarise, average all pixels."""
    if values[valid].min() == values[valid].max():
        return math.nan  # a featureless map has no near and far half
    nearness = _relative_nearness(values, valid, config)
    return int(np.count_nonzero(nearness >= config.relative_near_value)) / values.size


def _relative_nearness(
    values: NDArray[np.floating[Any]], valid: NDArray[np.bool_], config: ProximityConfig
) -> NDArray[np.float64]:
    """Stretch the valid values to 0 (farthest) .. 1 (nearest); they must differ."""
    positive = values[valid].astype(np.float64)
    low, high = positive.min(), positive.max()
    nearness: NDArray[np.float64] = (positive - low) / (high - low)
    return 1 - nearness if config.relative_polarity == 'far_is_high' else nearness


def _nearest_distance(
    obstacle_depth: NDArray[np.floating[Any]], valid_count: int, config: ProximityConfig
) -> float:
    """
    Return the percentile of all valid pixels, with floor and bystanders taken as far away.

    Counting over all valid pixels, not over the obstacles only, keeps a handful of wrong pixels
    over an empty floor from becoming an obstacle.
    """
    rank = max(MIN_OBSTACLE_PIXELS, math.ceil(config.nearest_percentile / 100 * valid_count))
    rank = min(rank, valid_count)
    if len(obstacle_depth) < rank:
        return config.max_range_m
    nearest_m = float(np.partition(obstacle_depth, rank - 1)[rank - 1])
    return min(nearest_m, config.max_range_m)
