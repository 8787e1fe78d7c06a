# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What an alarm lives by: obstacles found, and floor that is taken for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...camera.intrinsics import CameraIntrinsics
from ...camera.mounting import CameraMounting, inverse_floor_depth

OBSTACLE_HEIGHT_M = 0.08
OBSTACLE_RANGE_M = 2.0
FLOOR_RANGE_M = 4.0
_FLOOR_HEIGHT_M = 0.035
# Beyond it the errors of a depth sensor, and the height that they seem to have, grow.
_SURE_RANGE_M = 2.5
# So close to the horizon (the ray's slope) the floor has no distance.
_LEAST_SLOPE = 0.02
# The foot of an obstacle, up to where it counts as one, with some room for the roll.
_FOOT_M = 1.25 * OBSTACLE_HEIGHT_M
# Of the picture, and of the obstacle's pixels.
_LEAST_VISIBLE, _LEAST_FOUND = 0.002, 0.1


@dataclass(frozen=True)
class FloorTruth:
    """
    What stands on the floor of one picture, by its measured depth.

    Attributes
    ----------
    obstacle : ndarray of bool, shape (H, W)
        More than 8 cm above the floor.
    near_obstacle : ndarray of bool, shape (H, W)
        Of these, what is nearer than 2 m and below the horizon.
    floor : ndarray of bool, shape (H, W)
        Free floor nearer than 4 m; what is neither may be either, such as the lowest
        centimetres of an obstacle.

    """

    obstacle: NDArray[np.bool_]
    near_obstacle: NDArray[np.bool_]
    floor: NDArray[np.bool_]


@dataclass(frozen=True)
class ObstacleCounts:
    """
    Pixels of one picture or of several; see ``MEANINGS['obstacles']``.

    Attributes
    ----------
    pictures : int
        Whose floor is known.
    obstacle, found : int
        Obstacle pixels nearer than 2 m, and those of them that count as an obstacle.
    floor, lost : int
        Floor pixels, and those of them that count as an obstacle.
    seen, missed : int
        Pictures in which an obstacle is visible, and those in which it is not found.

    """

    pictures: int = 0
    obstacle: int = 0
    found: int = 0
    floor: int = 0
    lost: int = 0
    seen: int = 0
    missed: int = 0

    def summary(self) -> dict[str, int | float | None]:
        """Return shares and numbers of pictures for a report; None for a share of nothing."""
        return {
            'pictures': self.pictures,
            'found_share': self.found / self.obstacle if self.obstacle else None,
            'obstacle_pixels': self.obstacle,
            'floor_lost_share': self.lost / self.floor if self.floor else None,
            'floor_pixels': self.floor,
            'seen_pictures': self.seen,
            'missed_pictures': self.missed,
        }


def floor_truth(
    depth_m: NDArray[np.floating], intrinsics: CameraIntrinsics, mounting: CameraMounting
) -> FloorTruth:
    """
    Tell obstacles and floor apart in a measured depth map.

    Parameters
    ----------
    depth_m : ndarray of float, shape (H, W)
        Measured depth in metres; NaN where unknown.
    intrinsics : CameraIntrinsics
        Of the depth map.
    mounting : CameraMounting
        The true one.

    Returns
    -------
    FloorTruth
        Nothing in it where the depth is unknown.

    """
    known = np.isfinite(depth_m) & (depth_m > 0)
    depth = np.where(known, depth_m, 0)
    height = mounting.height_m - depth * (intrinsics.rays() @ mounting.down_vector())
    grown = np.maximum(1.0, depth / _SURE_RANGE_M)
    sees_floor = inverse_floor_depth(intrinsics, mounting) > _LEAST_SLOPE / mounting.height_m
    obstacle = known & (height > OBSTACLE_HEIGHT_M * grown)
    floor = known & sees_floor & (np.abs(height) < _FLOOR_HEIGHT_M * grown)
    return FloorTruth(
        obstacle,
        obstacle & sees_floor & (depth < OBSTACLE_RANGE_M),
        floor & (depth < FLOOR_RANGE_M) & ~_is_foot(obstacle, depth, intrinsics.fy_px),
    )


def _is_foot(
    obstacle: NDArray[np.bool_], depth_m: NDArray[np.floating], fy_px: float
) -> NDArray[np.bool_]:
    """Return what lies less than a foot's height below an obstacle in its column."""
    rows = np.arange(len(obstacle))[:, np.newaxis]
    last_obstacle = np.maximum.accumulate(np.where(obstacle, rows, -len(obstacle)), axis=0)
    foot: NDArray[np.bool_] = (rows - last_obstacle) * depth_m <= fy_px * _FOOT_M
    return foot


def count_obstacles(called: NDArray[np.bool_], truth: FloorTruth) -> ObstacleCounts:
    """
    Compare what counts as an obstacle with what is one.

    Parameters
    ----------
    called : ndarray of bool, shape (H, W)
        What counts as an obstacle.
    truth : FloorTruth
        Of the same picture.

    Returns
    -------
    ObstacleCounts
        Of one picture.

    """
    obstacle = int(np.count_nonzero(truth.near_obstacle))
    found = int(np.count_nonzero(called & truth.near_obstacle))
    seen = obstacle >= _LEAST_VISIBLE * called.size
    return ObstacleCounts(
        pictures=1,
        obstacle=obstacle,
        found=found,
        floor=int(np.count_nonzero(truth.floor)),
        lost=int(np.count_nonzero(called & truth.floor)),
        seen=int(seen),
        missed=int(seen and found < _LEAST_FOUND * obstacle),
    )


def sum_counts(counts: Sequence[ObstacleCounts]) -> ObstacleCounts:
    """Add up the counts of several pictures."""
    return ObstacleCounts(
        pictures=sum(count.pictures for count in counts),
        obstacle=sum(count.obstacle for count in counts),
        found=sum(count.found for count in counts),
        floor=sum(count.floor for count in counts),
        lost=sum(count.lost for count in counts),
        seen=sum(count.seen for count in counts),
        missed=sum(count.missed for count in counts),
    )
