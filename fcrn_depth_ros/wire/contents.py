# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
What the messages of an observation contain, field by field, without ROS.

depth_node and the command `bag` fill their messages from here, so that both write the same bits.
Fields have the names of the messages; sequences are arrays in native byte order.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..camera.depth_encoding import to_millimetres
from ..camera.intrinsics import CameraIntrinsics
from ..errors import ImageFormatError
from ..perception.observation import Observation
from ..perception.proximity import ProximityConfig
from ..perception.scan import depth_to_scan, ObstacleScan, ScanConfig

INFRARED = 1  # of sensor_msgs/Range, the nearer of the two kinds that the message knows
# Pixels of depth/near.
NEAR, UNKNOWN = 255, 127


def camera_info_contents(intrinsics: CameraIntrinsics) -> dict[str, Any]:
    """Return the fields of a CameraInfo of a rectified image: K and P alike, no distortion."""
    fx, fy, cx, cy = (
        float(intrinsics.fx_px),
        float(intrinsics.fy_px),
        float(intrinsics.cx_px),
        float(intrinsics.cy_px),
    )
    return {
        'width': intrinsics.width_px,
        'height': intrinsics.height_px,
        'distortion_model': 'plumb_bob',
        'd': [0.0] * 5,
        'k': [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
        'r': [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        'p': [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    }


def depth_pixels(depth_m: NDArray[np.floating[Any]], encoding: str) -> NDArray[Any]:
    """
    Return the pixels of a depth image of REP 118.

    Parameters
    ----------
    depth_m : ndarray of float32, shape (H, W)
        Metres; NaN where unknown.
    encoding : str
        32FC1 (NaN stays NaN) or 16UC1 (millimetres; 0 = unknown or beyond 65.535 m).

    Returns
    -------
    ndarray of float32 or uint16, shape (H, W)
        In native byte order.

    """
    if encoding == '16UC1':
        return to_millimetres(depth_m)
    return np.ascontiguousarray(depth_m, dtype=np.float32)


def image_contents(pixels: NDArray[Any], encoding: str) -> dict[str, Any]:
    """Return the fields of an Image without padding, all but its data."""
    height, width = pixels.shape[:2]
    return {
        'height': height,
        'width': width,
        'encoding': encoding,
        'is_bigendian': int(sys.byteorder == 'big'),
        'step': pixels.nbytes // height,
    }


def near_values(seen: Observation, config: ProximityConfig) -> NDArray[np.uint8]:
    """
    Return what counts as near, and where that is unknown.

    Parameters
    ----------
    seen : Observation
        Of any kind, relative depth included.
    config : ProximityConfig
        With which it was made.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        NEAR, or UNKNOWN where nothing is known about the distance, or 0.

    """
    if seen.unknown_reason:
        return np.full(seen.depth_m.shape, UNKNOWN, np.uint8)
    unknown = np.where(np.isfinite(seen.depth_m), 0, UNKNOWN)
    return np.where(seen.near_pixels(config), NEAR, unknown).astype(np.uint8)


def near_mask(message: Any) -> NDArray[np.bool_]:
    """
    Read what depth_node counts as near.

    Parameters
    ----------
    message : sensor_msgs.msg.Image
        `depth/near`; or anything with its fields.

    Returns
    -------
    ndarray of bool, shape (H, W)
        True where something is near.

    Raises
    ------
    ImageFormatError
        If it is not mono8 without padding.

    """
    pixels = np.frombuffer(message.data, np.uint8)
    if message.encoding != 'mono8' or pixels.size != message.width * message.height:
        raise ImageFormatError(
            f'depth/near must be mono8 without padding, got {message.encoding!r} of '
            f'{message.width}x{message.height} px in {pixels.size} bytes; see what publishes it'
        )
    near: NDArray[np.bool_] = pixels.reshape(message.height, message.width) == NEAR
    return near


def scan_of(seen: Observation, config: ScanConfig) -> ObstacleScan:
    """Return the scan of an observation."""
    return depth_to_scan(
        seen.estimate.depth_m,
        seen.intrinsics,
        config,
        seen.drawn_mounting,
        seen.unsure,
        seen.floor_evidence,
        seen.floor_plane,
    )


def scan_contents(scan: ObstacleScan, config: ScanConfig) -> dict[str, Any]:
    """Return the fields of a LaserScan that are not 0; all bearings are taken at once."""
    last = scan.angle_min_rad + scan.angle_increment_rad * (len(scan.ranges_m) - 1)
    return {
        'angle_min': scan.angle_min_rad,
        'angle_max': last,
        'angle_increment': scan.angle_increment_rad,
        'range_min': config.scan_range_min_m,
        'range_max': config.scan_range_max_m,
        'ranges': scan.ranges_m,
    }


def range_contents(
    nearest_m: float, field_of_view_rad: float, max_range_m: float, variance_m2: float
) -> dict[str, Any]:
    """
    Return the fields of a Range that every consumer accepts: always finite.

    Parameters
    ----------
    nearest_m : float
        Nearest distance in metres; beyond `max_range_m` it is reported as `max_range_m`.
    field_of_view_rad : float
        Horizontal angle of the region of interest.
    max_range_m : float
        Greatest range.
    variance_m2 : float
        Of the distance; 0 where it is unknown, as it is while the metric scale is unverified.

    Returns
    -------
    dict
        Of type INFRARED.

    """
    return {
        'radiation_type': INFRARED,
        'field_of_view': field_of_view_rad,
        'min_range': 0.0,
        'max_range': max_range_m,
        'range': min(nearest_m, max_range_m),
        'variance': variance_m2,
    }


def reading_contents(seen: Observation, config: ProximityConfig) -> dict[str, Any] | None:
    """Return the fields of the Range of an observation; None where its distance is unknown."""
    if math.isnan(seen.nearest_m):
        return None
    return range_contents(
        seen.nearest_m,
        horizontal_field_of_view_rad(seen.intrinsics, config.roi_left, config.roi_right),
        config.max_range_m,
        seen.range_variance_m2,
    )


def horizontal_field_of_view_rad(
    intrinsics: CameraIntrinsics, left: float = 0.0, right: float = 1.0
) -> float:
    """
    Give the horizontal angle between two image columns.

    Parameters
    ----------
    intrinsics : CameraIntrinsics
        Pinhole camera.
    left, right : float
        Columns as shares (0..1) of the width.

    Returns
    -------
    float
        Angle in radians.

    """
    left_px, right_px = (
        share * intrinsics.width_px - 0.5 - intrinsics.cx_px for share in (left, right)
    )
    return math.atan(right_px / intrinsics.fx_px) - math.atan(left_px / intrinsics.fx_px)
