# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Metres to a planar scan of obstacles, and to points (ROS-free)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from .floor import FloorEvidence
from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting
from ..camera.orientation import level_axes
from ..scale.floor_plane import FloorPlane
from ..settings import misordered, setting, Settings

# Lower than this share of the camera's height, a thing is floor: floor_tolerance's default.
LOWEST_OBSTACLE_SHARE = 0.3


@dataclass(frozen=True)
class ScanConfig(Settings):
    """Points and range of depth/scan."""

    scan_range_min_m: float = setting(
        0.1, 'Smallest range in depth/scan, in metres.', minimum=0.01, maximum=100.0
    )
    scan_range_max_m: float = setting(
        8.0,
        'Largest range in depth/scan, in metres. Beyond it a ray is +Inf (REP 117).',
        minimum=0.02,
        maximum=1000.0,
    )
    scan_height_min_m: float = setting(
        0.15,
        'Smallest height above the floor at which a point is an obstacle in depth/scan, in '
        'metres. Used when the mounting is known.',
        minimum=0.0,
        maximum=20.0,
    )
    scan_height_max_m: float = setting(
        2.0,
        'Largest height above the floor at which a point is an obstacle in depth/scan, in '
        'metres. Used when the mounting is known.',
        minimum=0.01,
        maximum=20.0,
    )
    scan_band: float = setting(
        0.1,
        'Share of the image height, centred, that depth/scan uses when the mounting is unknown.',
        minimum=0.001,
        maximum=1.0,
    )

    def contradiction(self) -> str:
        """Return which two values contradict each other; empty where none do."""
        return (
            misordered(
                self,
                ('scan_range_min_m', 'scan_range_max_m'),
                ('scan_height_min_m', 'scan_height_max_m'),
            )
            or super().contradiction()
        )


@dataclass(frozen=True)
class ObstacleScan:
    """
    A planar scan about the camera's vertical axis.

    Attributes
    ----------
    angle_min_rad, angle_increment_rad : float
        First bearing (to the right, negative) and step, counter-clockwise positive (REP 103).
    ranges_m : ndarray of float32, shape (W,)
        Horizontal distance; +Inf = seen, and free up to the greatest range; NaN = unknown.

    """

    angle_min_rad: float
    angle_increment_rad: float
    ranges_m: np.ndarray


def depth_to_points(depth_m: np.ndarray, intrinsics: CameraIntrinsics) -> np.ndarray:
    """
    Back-project a depth map with the pinhole model.

    Parameters
    ----------
    depth_m : ndarray of float32, shape (H, W)
        Depth along the optical axis in metres; NaN where unknown.
    intrinsics : CameraIntrinsics
        Of the depth map; its size must be (H, W).

    Returns
    -------
    ndarray of float32, shape (H, W, 3)
        x right, y down, z forward in metres (REP 103 optical frame); NaN where unknown.

    """
    points: np.ndarray = intrinsics.rays() * depth_m[:, :, np.newaxis]
    return points


def depth_to_scan(
    depth_m: np.ndarray,
    intrinsics: CameraIntrinsics,
    config: ScanConfig,
    mounting: CameraMounting | None = None,
    unsure: np.ndarray | None = None,
    evidence: FloorEvidence | None = None,
    floor_plane: FloorPlane | None = None,
) -> ObstacleScan:
    """
    Reduce a depth map to the nearest obstacle at each bearing.

    With a mounting, points are levelled by gravity and those between the two heights above the
    floor count. Without one, but with a floor that was found by its shape, what is higher than a
    share of the camera's height counts. Without either, the centred band of rows counts and the
    optical axis is taken as level.

    Parameters
    ----------
    depth_m : ndarray of float32, shape (H, W)
        Depth along the optical axis in metres; NaN where unknown.
    intrinsics : CameraIntrinsics
        Of the depth map.
    config : ScanConfig
        Range, heights and band.
    mounting : CameraMounting or None
        Height, pitch and roll of the camera.
    unsure : ndarray of bool, shape (H, W), optional
        Pixels whose depth is not to be relied on: they make no bearing free, and are obstacles
        all the same.
    evidence : FloorEvidence, optional
        What the network's floor output adds to this depth map: something may be nearer than its
        depth, and what is free floor is no obstacle where the mounting is unknown.
    floor_plane : FloorPlane, optional
        Floor in this depth map, where the mounting is unknown. Its metres may not be metres.

    Returns
    -------
    ObstacleScan
        From the rightmost to the leftmost ray of the image.

    """
    least_height_m = config.scan_height_min_m
    if mounting is None and floor_plane is not None:
        mounting = _steady(floor_plane.mounting())
        least_height_m = min(least_height_m, LOWEST_OBSTACLE_SHARE * mounting.height_m)
    # Bearings do not depend on the height, which may change with each picture.
    bins = _bins(intrinsics, None if mounting is None else replace(mounting, height_m=1.0))
    if evidence is not None:
        depth_m = evidence.distance_m
    seen = np.isfinite(depth_m)
    if mounting is None:
        half_band = max(1, round(config.scan_band * depth_m.shape[0])) / 2
        rows = np.abs(np.arange(depth_m.shape[0]) + 0.5 - depth_m.shape[0] / 2) <= half_band
        seen &= rows[:, np.newaxis]
        obstacles = seen
    else:
        height = depth_m * bins.rise + np.float32(mounting.height_m)
        obstacles = seen & (height >= least_height_m) & (height <= config.scan_height_max_m)
    if evidence is not None and evidence.floor is not None:
        obstacles = obstacles & ~evidence.floor
    distances = depth_m * bins.distance
    index = bins.index
    ranges = np.full(bins.count, np.nan, dtype=np.float32)
    free = seen if unsure is None else seen & ~unsure
    ranges[index[free]] = np.inf
    hit = obstacles & (distances <= config.scan_range_max_m)
    # Too near to measure is an obstacle all the same: a smaller range would be thrown away.
    hit_range = np.maximum(distances[hit], config.scan_range_min_m).astype(np.float32)
    np.fmin.at(ranges, index[hit], hit_range)
    return ObstacleScan(bins.angle_min_rad, bins.increment_rad, ranges)


def _steady(mounting: CameraMounting) -> CameraMounting:
    """Round the angles, so that bearings keep their places from picture to picture."""
    return CameraMounting(
        mounting.height_m, float(round(mounting.pitch_deg)), float(round(mounting.roll_deg))
    )


@dataclass(frozen=True)
class _Bins:
    """
    Which range of the scan each pixel belongs to, and where a point of depth 1 lies.

    Attributes
    ----------
    angle_min_rad, increment_rad : float
        First bearing and step.
    index : ndarray of int64, shape (H, W)
        Of the range.
    count : int
        How many ranges there are.
    distance, rise : ndarray of float32, shape (H, W)
        Along the floor, and above the camera.

    """

    angle_min_rad: float
    increment_rad: float
    index: np.ndarray
    count: int
    distance: np.ndarray
    rise: np.ndarray


@lru_cache(maxsize=4)
def _bins(intrinsics: CameraIntrinsics, mounting: CameraMounting | None) -> _Bins:
    rays = intrinsics.rays()
    ahead, leftward, upward = (rays @ axis.astype(np.float32) for axis in level_axes(mounting))
    bearings = np.arctan2(leftward, ahead)
    # One step is the angle of a pixel at the centre, the widest one, so that no bearing between
    # two columns stays empty.
    increment = 1.0 / intrinsics.fx_px
    angle_min = float(bearings.min())
    index = np.round((bearings - angle_min) / increment).astype(np.int64)
    distance = np.hypot(ahead, leftward)
    for kept in (index, distance, upward):
        kept.flags.writeable = False
    return _Bins(angle_min, increment, index, int(index.max()) + 1, distance, upward)
