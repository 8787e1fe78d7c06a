# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
A second measurement of what is near: where the free floor ends.

Depth answers how far a surface is; a network that is told the mounting may paint a thing that
stands on the floor into it. Whether a pixel shows free floor is another question, and the lower
end of what is not floor has a distance by the mounting's geometry alone. Here both are combined:
something is near if either says so with evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting
from ..camera.orientation import level_axes, quarter_turns, turn_picture
from ..errors import DepthShapeError
from ..settings import misordered, setting, Settings

# Least relative uncertainty of the distance of a thing whose base lies below the picture: root
# mean square of log(told / true) over 305 such pictures; 0.25 over 268 others (docs/safety.md).
HIDDEN_BASE_SIGMA = 0.41

# An upright thing is no farther than its base. What depth puts beyond this many times that
# distance is another thing, behind it (chosen on val, close-ups and hard floors).
_SAME_THING = 1.7

# What a floor may be that nobody measured: seen by a camera that is held roughly upright.
_LEAST_CLAIM = 0.05  # share of the picture
_FIT_PIXELS = 1000
_FIT_ROUNDS = 4
_LEAST_INLIERS = 0.8  # share of the claimed pixels
_LEAST_HEIGHT_M, _GREATEST_HEIGHT_M = 0.05, 2.5
_STEEPEST_DOWN = math.sin(math.radians(60.0))
_STEEPEST_UP = math.sin(math.radians(30.0))
_OPTICAL_AXIS = np.array([0.0, 0.0, 1.0], np.float32)
_GREATEST_ROLL = math.tan(math.radians(25.0))


@dataclass(frozen=True)
class FloorConfig(Settings):
    """When the network's floor output counts as evidence."""

    use_floor: bool = setting(
        True,
        'Use the floor output of the network, where it has one, beside the depth. false leaves '
        'the depth alone to decide what is near.',
    )
    floor_by_shape: bool = setting(
        True,
        'Find the floor by its shape where the mounting is unknown: a plane in the depth itself, '
        'whatever its scale. false leaves the floor among what can be near.',
    )
    floor_probability: float = setting(
        0.9,
        'Probability of free floor from which a pixel is floor where the mounting is unknown '
        '(it must also be joined to the lower edge of the picture, and its depth must lie on '
        'the plane of a floor). Where the mounting is known, depth decides what is floor.',
        minimum=0.5,
        maximum=1.0,
    )
    obstacle_floor_probability: float = setting(
        0.5,
        'Probability of free floor below which something stands on the floor, even where the '
        'depth is that of the floor. 0 turns this off.',
        minimum=0.0,
        maximum=1.0,
    )
    obstacle_min_share: float = setting(
        0.003,
        'Smallest connected area of what is not floor that counts, as a share of the picture. '
        'Smaller ones are speckles.',
        minimum=0.0,
        maximum=0.5,
    )

    def contradiction(self) -> str:
        """Return which two values contradict each other; empty where none do."""
        return (
            misordered(self, ('obstacle_floor_probability', 'floor_probability'))
            or super().contradiction()
        )


@dataclass(frozen=True)
class FloorEvidence:
    """
    What the floor output adds to one depth map.

    Attributes
    ----------
    distance_m : ndarray of float32, shape (H, W)
        The depth, or less where the border of the free floor says so; NaN where unknown.
    stands : ndarray of bool, shape (H, W)
        What stands on the floor although its depth alone could be that of the floor.
    hidden_base : ndarray of bool, shape (H, W)
        Things whose base lies below the picture: they are nearer than the floor is at its edge,
        and how much nearer only depth can tell.
    floor : ndarray of bool, shape (H, W), or None
        What is free floor where the mounting is unknown; None where depth and mounting decide.

    """

    distance_m: NDArray[np.float32]
    stands: NDArray[np.bool_]
    hidden_base: NDArray[np.bool_]
    floor: NDArray[np.bool_] | None = None


def floor_evidence(
    depth_m: NDArray[np.floating[Any]],
    floor: NDArray[np.floating[Any]],
    config: FloorConfig,
    floor_tolerance: float,
    intrinsics: CameraIntrinsics,
    mounting: CameraMounting | None = None,
    inverse_floor_depth: NDArray[np.floating[Any]] | None = None,
) -> FloorEvidence | None:
    """
    Combine depth and the network's floor output.

    Going up a column of the upright picture, the free floor ends where something stands on it, at
    the distance that the floor has there. Nothing inside this thing is farther than its base,
    which in a picture that looks down is the less along the optical axis the higher it is. Where
    depth alone sees something in front of the floor, and much farther than this, it is another
    thing behind, and keeps its depth.

    Parameters
    ----------
    depth_m : ndarray of float, shape (H, W)
        Depth along the optical axis in metres; whatever is not finite and positive is unknown.
    floor : ndarray of float, shape (H, W)
        Probability of free floor, 0..1; NaN says nothing.
    config : FloorConfig
        When the floor output counts as evidence.
    floor_tolerance : float
        As in ProximityConfig: depth alone calls a pixel floor when its depth is at least
        (1 - floor_tolerance) times that of the floor.
    intrinsics : CameraIntrinsics
        Of the depth map.
    mounting : CameraMounting, optional
        None where it is unknown: then the plane of the floor is fitted to the depth of what the
        network is sure of.
    inverse_floor_depth : ndarray of float, shape (H, W), optional
        1 / depth of the empty floor in 1/m, 0 at and above the horizon; with the mounting.

    Returns
    -------
    FloorEvidence or None
        None where the floor output adds nothing to what depth says.

    Raises
    ------
    DepthShapeError
        If `floor` does not have the shape of `depth_m`.

    """
    if floor.shape != depth_m.shape:
        raise DepthShapeError(
            f'floor must be of the shape of depth_m {depth_m.shape}, got {floor.shape}; '
            'resize it to the depth map'
        )
    if not config.use_floor:
        return None
    if mounting is None or inverse_floor_depth is None:
        return _without_mounting(depth_m, floor, config, floor_tolerance, intrinsics)
    turns = quarter_turns(mounting)
    evidence = _standing(
        turn_picture(depth_m, turns),
        turn_picture(floor, turns),
        turn_picture(inverse_floor_depth, turns),
        turn_picture(_ahead(intrinsics, mounting), turns),
        config,
        floor_tolerance,
    )
    return FloorEvidence(
        *(
            turn_picture(part, -turns)
            for part in (evidence.distance_m, evidence.stands, evidence.hidden_base)
        )
    )


def _standing(
    depth_m: NDArray[np.floating[Any]],
    floor: NDArray[np.floating[Any]],
    inverse_floor_depth: NDArray[np.floating[Any]],
    ahead: NDArray[np.floating[Any]],
    config: FloorConfig,
    floor_tolerance: float,
) -> FloorEvidence:
    """
    Find what stands on the floor of an upright picture, and how far it is at most.

    `ahead` is how far each pixel's ray leads along the floor, up to a factor.
    """
    known = (depth_m > 0) & (depth_m < np.inf)
    distance = np.where(known, depth_m, np.float32(np.nan))
    not_floor = _without_speckles(floor < config.obstacle_floor_probability, config)
    # A NaN compares as false: what has no depth is not in front of the floor.
    in_front = distance * inverse_floor_depth < 1 - floor_tolerance
    stands = not_floor & ~in_front & (inverse_floor_depth > 0)
    base = _base_rows(not_floor)
    columns = base.shape[1]
    at_base = base * columns + np.arange(columns, dtype=np.int32)
    with np.errstate(divide='ignore', invalid='ignore'):  # bases at and above the horizon
        base_m = 1 / inverse_floor_depth.take(at_base)
        upright_m = base_m * ahead.take(at_base) / ahead
    is_upright = not_floor & in_front & (distance <= _SAME_THING * upright_m)
    distance = np.where(stands, np.fmin(distance, base_m), distance)
    distance = np.where(is_upright, np.fmin(distance, upright_m), distance)
    return FloorEvidence(distance, stands, not_floor & (base == len(base) - 1))


def _base_rows(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return for each true pixel the lowest row of the run of true pixels in its column."""
    height = len(mask)
    false_rows = np.where(mask, np.int32(height), np.arange(height, dtype=np.int32)[:, np.newaxis])
    next_false = np.minimum.accumulate(false_rows[::-1], axis=0)[::-1]
    rows: NDArray[np.int32] = np.maximum(next_false - 1, 0)
    return rows


def _without_speckles(mask: NDArray[np.bool_], config: FloorConfig) -> NDArray[np.bool_]:
    """Leave out connected areas that are too small to be a thing."""
    areas = _connected_areas(mask)
    is_thing = np.bincount(areas.ravel()) >= config.obstacle_min_share * mask.size
    is_thing[0] = False
    return is_thing[areas]


def _joined_to_edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Leave out what is not joined to the picture's lower edge."""
    areas = _connected_areas(mask)
    is_joined = np.zeros(int(areas.max()) + 1, np.bool_)
    is_joined[areas[-1]] = True
    is_joined[0] = False
    return is_joined[areas]


def _connected_areas(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Give each area of true pixels that touch along an edge a number from 1; 0 is false."""
    # By a corner as well, half of all pixels at random would make one area of the picture.
    areas: NDArray[np.int32] = cv2.connectedComponents(mask.view(np.uint8), connectivity=4)[1]
    return areas


def _without_mounting(
    depth_m: NDArray[np.floating[Any]],
    floor: NDArray[np.floating[Any]],
    config: FloorConfig,
    floor_tolerance: float,
    intrinsics: CameraIntrinsics,
) -> FloorEvidence | None:
    """
    Take as floor what the network is sure of and what lies on a floor's plane by its depth.

    Either alone can be wrong: the network may take a wall for floor, and depth may paint a thing
    into it. A wall gives no plane that faces up, and a thing in front of the plane stays.
    """
    claimed = _joined_to_edge(floor >= config.floor_probability)
    rays = _rays(intrinsics)
    plane = _fit_plane(depth_m, claimed, rays, floor_tolerance)
    if plane is None:
        return None
    inverse = np.maximum(rays @ plane, np.float32(0))
    down = plane / np.linalg.norm(plane)
    ahead = rays @ (_OPTICAL_AXIS - down[2] * down)
    evidence = _standing(depth_m, floor, inverse, ahead, config, floor_tolerance)
    on_plane = depth_m * inverse >= 1 - floor_tolerance
    return replace(evidence, floor=claimed & on_plane)


@lru_cache(maxsize=2)
def _ahead(intrinsics: CameraIntrinsics, mounting: CameraMounting) -> NDArray[np.float32]:
    ahead: NDArray[np.float32] = intrinsics.rays() @ level_axes(mounting)[0].astype(np.float32)
    ahead.flags.writeable = False
    return ahead


@lru_cache(maxsize=2)
def _rays(intrinsics: CameraIntrinsics) -> NDArray[np.float32]:
    rays = intrinsics.rays()
    rays.flags.writeable = False
    return rays


def _fit_plane(
    depth_m: NDArray[np.floating[Any]],
    claimed: NDArray[np.bool_],
    rays: NDArray[np.float32],
    floor_tolerance: float,
) -> NDArray[np.float32] | None:
    """
    Fit the plane of a floor, normal . point = 1, to the depth of what is claimed to be floor.

    Returns
    -------
    ndarray of float32, shape (3,), or None
        Normal over the height, in 1/m; None where most of the claim lies on no such plane.

    """
    claimed_pixels = np.flatnonzero(claimed)
    if len(claimed_pixels) < _LEAST_CLAIM * claimed.size:
        return None
    pixels = claimed_pixels[:: max(1, len(claimed_pixels) // _FIT_PIXELS)]
    depth = depth_m.ravel()[pixels].astype(np.float64)
    known = (depth > 0) & (depth < np.inf)
    # Points in the place of rays weigh with the depth, so that the residual is a share of it.
    points = rays.reshape(-1, 3)[pixels[known]] * depth[known, np.newaxis]
    least = _LEAST_INLIERS * len(depth)
    inlier = np.ones(len(points), np.bool_)
    for _ in range(_FIT_ROUNDS):
        if np.count_nonzero(inlier) < least:
            return None
        chosen = points[inlier]
        try:
            plane: NDArray[np.float64] = np.linalg.solve(chosen.T @ chosen, chosen.sum(axis=0))
        except np.linalg.LinAlgError:
            return None
        inlier = np.abs(points @ plane - 1) <= floor_tolerance
    is_floor = np.count_nonzero(inlier) >= least and _is_floor_like(plane)
    return plane.astype(np.float32) if is_floor else None


def _is_floor_like(plane: NDArray[np.float64]) -> bool:
    length = float(np.linalg.norm(plane))
    across, down, ahead = plane / length
    return bool(
        _LEAST_HEIGHT_M * length <= 1 <= _GREATEST_HEIGHT_M * length
        and -_STEEPEST_UP <= ahead <= _STEEPEST_DOWN
        and abs(across) <= _GREATEST_ROLL * down
    )
