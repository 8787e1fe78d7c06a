# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Domain results to ROS messages; pixel data go out as array.array (see `_bytes`)."""

from __future__ import annotations

from array import array
from importlib import import_module
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2, PointField, Range
from std_msgs.msg import Header

from ..camera.intrinsics import CameraIntrinsics
from ..perception.scan import ObstacleScan, ScanConfig
from ..wire.contents import (
    camera_info_contents,
    depth_pixels,
    image_contents,
    range_contents,
    scan_contents,
)


def message_class(type_name: str) -> type:
    """Return the class of a type such as `sensor_msgs/msg/Image`."""
    package, _, name = type_name.split('/')
    found: type = getattr(import_module(f'{package}.msg'), name)
    return found


def camera_info_message(header: Header, intrinsics: CameraIntrinsics) -> CameraInfo:
    """
    Describe a rectified image.

    Parameters
    ----------
    header : std_msgs.msg.Header
        That of the image.
    intrinsics : CameraIntrinsics
        Pinhole camera and size of the image.

    Returns
    -------
    sensor_msgs.msg.CameraInfo
        K and P alike, no distortion, R the identity.

    """
    return CameraInfo(header=header, **camera_info_contents(intrinsics))


def depth_image_message(header: Header, depth_m: np.ndarray, encoding: str) -> Image:
    """
    Make a depth image of REP 118.

    Parameters
    ----------
    header : std_msgs.msg.Header
        Stamp and frame of the input.
    depth_m : ndarray of float32, shape (H, W)
        Metres; NaN where unknown.
    encoding : str
        32FC1 (NaN stays NaN) or 16UC1 (millimetres; 0 = unknown or beyond 65.535 m).

    Returns
    -------
    sensor_msgs.msg.Image
        Rows without padding.

    """
    return image_message(header, depth_pixels(depth_m, encoding), encoding)


def image_message(header: Header, pixels: np.ndarray, encoding: str) -> Image:
    """
    Make an image message without padding.

    Parameters
    ----------
    header : std_msgs.msg.Header
        Stamp and frame.
    pixels : ndarray, shape (H, W) or (H, W, C)
        In native byte order.
    encoding : str
        Of sensor_msgs/image_encodings.

    Returns
    -------
    sensor_msgs.msg.Image
        With `is_bigendian` of this machine.

    """
    return Image(header=header, **image_contents(pixels, encoding), data=_bytes(pixels))


def point_cloud_message(
    header: Header, points_m: np.ndarray, colors_rgb: np.ndarray
) -> PointCloud2:
    """
    Make an organised cloud with the fields x, y, z, rgb.

    Parameters
    ----------
    header : std_msgs.msg.Header
        Stamp and optical frame.
    points_m : ndarray of float32, shape (H, W, 3)
        NaN where unknown.
    colors_rgb : ndarray of uint8, shape (H, W, 3)
        Colour of each point.

    Returns
    -------
    sensor_msgs.msg.PointCloud2
        16 bytes a point; `rgb` packed as 0x00RRGGBB in a float32, as PCL and rviz2 read it.

    """
    height, width = points_m.shape[:2]
    cloud = np.empty((height, width, 4), dtype=np.float32)
    cloud[:, :, :3] = points_m
    red, green, blue = (colors_rgb[:, :, channel].astype(np.uint32) for channel in range(3))
    cloud[:, :, 3] = (red << 16 | green << 8 | blue).view(np.float32)
    fields = [
        PointField(name=name, offset=4 * position, datatype=PointField.FLOAT32, count=1)
        for position, name in enumerate(('x', 'y', 'z', 'rgb'))
    ]
    return PointCloud2(
        header=header,
        height=height,
        width=width,
        fields=fields,
        is_bigendian=sys.byteorder == 'big',
        point_step=16,
        row_step=16 * width,
        data=_bytes(cloud),
        is_dense=bool(np.isfinite(points_m).all()),
    )


def scan_message(header: Header, scan: ObstacleScan, config: ScanConfig) -> LaserScan:
    """
    Make a laser scan.

    Parameters
    ----------
    header : std_msgs.msg.Header
        Stamp of the image, x-forward frame.
    scan : ObstacleScan
        Bearings and ranges.
    config : ScanConfig
        Its range limits.

    Returns
    -------
    sensor_msgs.msg.LaserScan
        All bearings taken at once (`time_increment` 0).

    """
    contents = scan_contents(scan, config)
    contents['ranges'] = array('f', scan.ranges_m.tobytes())
    return LaserScan(header=header, **contents)


def range_message(
    header: Header,
    nearest_m: float,
    field_of_view_rad: float,
    max_range_m: float,
    variance_m2: float,
) -> Range:
    """
    Make a range reading that every consumer accepts: always finite.

    Parameters
    ----------
    header : std_msgs.msg.Header
        Stamp of the image, x-forward frame.
    nearest_m, field_of_view_rad, max_range_m, variance_m2 : float
        As :func:`~fcrn_depth_ros.wire.contents.range_contents` takes them.

    Returns
    -------
    sensor_msgs.msg.Range
        Of type INFRARED, the nearer of the two that the message knows.

    """
    contents = range_contents(nearest_m, field_of_view_rad, max_range_m, variance_m2)
    return Range(header=header, **contents)


def _bytes(pixels: NDArray[Any]) -> array[int]:
    # An array.array is handed over as it is; rclpy checks any other sequence byte by byte,
    # which takes some 50 ms for a megabyte.
    data = array('B')
    data.frombytes(pixels.tobytes())
    return data
