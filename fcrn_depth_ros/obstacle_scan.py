"""Metres to a planar scan of obstacles, and to points (ROS-free)."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np

from .errors import ConfigurationError
from .estimation.camera import CameraIntrinsics
from .estimation.mounting import CameraMounting
from .settings import check_settings, setting


@dataclass(frozen=True)
class ScanConfig:
    """Which points become a scan, and its range."""

    scan_range_min_m: float = setting(
        0.1, 'Nearest range that depth/scan reports, in metres.', minimum=0.01, maximum=100.0)
    scan_range_max_m: float = setting(
        8.0, 'Farthest range that depth/scan reports, in metres; beyond it is +Inf (REP 117).',
        minimum=0.02, maximum=1000.0)
    scan_height_min_m: float = setting(
        0.15, 'Lowest height above the floor that is an obstacle in depth/scan, in metres; used '
        'where the mounting is known.', minimum=0.0, maximum=20.0)
    scan_height_max_m: float = setting(
        2.0, 'Greatest height above the floor that is an obstacle in depth/scan, in metres; used '
        'where the mounting is known.', minimum=0.01, maximum=20.0)
    scan_band: float = setting(
        0.1, 'Share of the image height, centred, that depth/scan looks at where the mounting is '
        'unknown.', minimum=0.001, maximum=1.0)

    def __post_init__(self) -> None:
        """Check every setting, and that neither range is empty."""
        check_settings(self)
        for low, high in (('scan_range_min_m', 'scan_range_max_m'),
                          ('scan_height_min_m', 'scan_height_max_m')):
            if getattr(self, low) >= getattr(self, high):
                raise ConfigurationError(
                    f'{low} must be below {high} ({getattr(self, high):g}), '
                    f'got {getattr(self, low):g}; change one of them')


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
    return intrinsics.rays() * depth_m[:, :, np.newaxis]


def depth_to_scan(
    depth_m: np.ndarray,
    intrinsics: CameraIntrinsics,
    config: ScanConfig,
    mounting: CameraMounting | None = None,
) -> ObstacleScan:
    """
    Reduce a depth map to the nearest obstacle at each bearing.

    With a mounting, points are levelled by gravity and those between the two heights above the
    floor count. Without one, the centred band of rows counts and the optical axis is taken as
    level.

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

    Returns
    -------
    ObstacleScan
        As many bearings as the depth map has columns.

    """
    points = depth_to_points(depth_m, intrinsics)
    if mounting is None:
        half_band = max(1, round(config.scan_band * depth_m.shape[0])) / 2
        rows = np.abs(np.arange(depth_m.shape[0]) + 0.5 - depth_m.shape[0] / 2) < half_band
        forward, left = points[:, :, 2], -points[:, :, 0]
        counts = np.broadcast_to(rows[:, np.newaxis], depth_m.shape)
    else:
        forward, left, up = _levelled(points, mounting)
        height = up + mounting.height_m
        counts = (height >= config.scan_height_min_m) & (height <= config.scan_height_max_m)
    return _nearest_by_bearing(forward, left, counts, intrinsics, config)


def _levelled(
    points: np.ndarray, mounting: CameraMounting
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    down = np.asarray(mounting.down_vector(), dtype=np.float32)
    ahead = np.array([0.0, 0.0, 1.0], dtype=np.float32)
    ahead -= down * down[2]
    ahead /= np.linalg.norm(ahead)
    return points @ ahead, points @ np.cross(ahead, down) * -1.0, points @ -down


def _nearest_by_bearing(
    forward: np.ndarray, left: np.ndarray, counts: np.ndarray,
    intrinsics: CameraIntrinsics, config: ScanConfig,
) -> ObstacleScan:
    bearings = intrinsics.width_px
    widest = max(intrinsics.cx_px + 0.5, bearings - 0.5 - intrinsics.cx_px) / intrinsics.fx_px
    angle_min = -math.atan(widest)
    increment = -2.0 * angle_min / bearings
    seen = np.isfinite(forward)
    column = np.floor(
        (np.arctan2(left, np.where(seen, forward, 1.0)) - angle_min) / increment)
    column = np.where(seen, column, -1).astype(np.int64)
    seen &= (column >= 0) & (column < bearings)
    ranges = np.full(bearings, np.nan, dtype=np.float32)
    ranges[np.unique(column[seen])] = np.inf
    distance = np.hypot(forward, left)
    hit = seen & counts & (distance >= config.scan_range_min_m) \
        & (distance <= config.scan_range_max_m)
    # NaN is never smaller, so the free bearings were made +Inf before.
    np.minimum.at(ranges, column[hit], distance[hit].astype(np.float32))
    return ObstacleScan(angle_min + increment / 2, increment, ranges)
