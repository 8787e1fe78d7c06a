# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Domain results to ROS messages and back; pixel data go out as array.array (see `_bytes`)."""

from __future__ import annotations

from array import array
import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2, PointField, Range
from std_msgs.msg import Header

from ..camera.depth_encoding import to_millimetres
from ..camera.distortion import distortion_model_of
from ..camera.intrinsics import CameraIntrinsics
from ..camera.rectification import LensCalibration
from ..errors import CameraInfoError
from ..perception.scan import ObstacleScan, ScanConfig


def is_uncalibrated(message: CameraInfo) -> bool:
    """Tell whether a CameraInfo says that the camera is uncalibrated (K[0] = 0)."""
    return bool(message.k[0] == 0.0)


def calibration_from_camera_info(
    message: CameraInfo, width_px: int, height_px: int
) -> LensCalibration:
    """
    Read the calibration of one image, binning and region of interest included.

    Parameters
    ----------
    message : sensor_msgs.msg.CameraInfo
        Of a calibrated camera.
    width_px, height_px : int
        Size of the image that the calibration is for.

    Returns
    -------
    LensCalibration
        In pixels of that image.

    Raises
    ------
    CameraInfoError
        If it describes an image of another size, its numbers are unusable, or it has distortion
        coefficients of a lens model that it does not name.

    """
    binning = max(1, message.binning_x), max(1, message.binning_y)
    roi = message.roi
    full = (roi.width or message.width, roi.height or message.height)
    described = (full[0] // binning[0], full[1] // binning[1])
    if described != (width_px, height_px):
        raise CameraInfoError(
            f'camera_info must describe the image of {width_px}x{height_px} px, got '
            f'{described[0]}x{described[1]}; publish both from the same driver'
        )
    if not np.isfinite(np.concatenate([message.k, message.r, message.p, message.d])).all():
        raise CameraInfoError(
            'camera_info must hold finite numbers, got NaN or infinity; calibrate the camera'
        )
    camera_matrix = np.array(message.k).reshape(3, 3)
    projection = np.array(message.p).reshape(3, 4)[:, :3]
    rectified = projection if message.p[0] != 0.0 else camera_matrix
    # What is plausible is judged on the whole sensor: a region may lie far from its centre.
    sensor = (
        max(message.width, roi.x_offset + roi.width),
        max(message.height, roi.y_offset + roi.height),
    )
    _pinhole(rectified, *sensor).check_plausible()
    to_image = np.array(
        [
            [1.0 / binning[0], 0.0, -roi.x_offset / binning[0]],
            [0.0, 1.0 / binning[1], -roi.y_offset / binning[1]],
            [0.0, 0.0, 1.0],
        ]
    )
    rectification = np.array(message.r).reshape(3, 3)
    if not np.any(rectification):
        rectification = np.eye(3)
    return LensCalibration(
        _pinhole(to_image @ rectified, width_px, height_px),
        to_image @ camera_matrix,
        rectification,
        np.array(message.d, dtype=np.float64),
        distortion_model_of(message.distortion_model, message.d),
    )


def _pinhole(matrix: np.ndarray, width_px: int, height_px: int) -> CameraIntrinsics:
    return CameraIntrinsics(
        matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], width_px, height_px
    )


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
    fx, fy, cx, cy = (
        float(intrinsics.fx_px),
        float(intrinsics.fy_px),
        float(intrinsics.cx_px),
        float(intrinsics.cy_px),
    )
    return CameraInfo(
        header=header,
        width=intrinsics.width_px,
        height=intrinsics.height_px,
        distortion_model='plumb_bob',
        d=[0.0] * 5,
        k=[fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


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
    if encoding == '16UC1':
        pixels = to_millimetres(depth_m)
    else:
        pixels = np.ascontiguousarray(depth_m, dtype=np.float32)
    return image_message(header, pixels, encoding)


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
    height, width = pixels.shape[:2]
    return Image(
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=int(sys.byteorder == 'big'),
        step=pixels.nbytes // height,
        data=_bytes(pixels),
    )


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
    last = scan.angle_min_rad + scan.angle_increment_rad * (len(scan.ranges_m) - 1)
    return LaserScan(
        header=header,
        angle_min=scan.angle_min_rad,
        angle_max=last,
        angle_increment=scan.angle_increment_rad,
        range_min=config.scan_range_min_m,
        range_max=config.scan_range_max_m,
        ranges=array('f', scan.ranges_m.tobytes()),
    )


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
    sensor_msgs.msg.Range
        Of type INFRARED, the nearer of the two that the message knows.

    """
    return Range(
        header=header,
        radiation_type=Range.INFRARED,
        field_of_view=field_of_view_rad,
        min_range=0.0,
        max_range=max_range_m,
        range=min(nearest_m, max_range_m),
        variance=variance_m2,
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


def _bytes(pixels: NDArray[Any]) -> array[int]:
    # An array.array is handed over as it is; rclpy checks any other sequence byte by byte,
    # which takes some 50 ms for a megabyte.
    data = array('B')
    data.frombytes(pixels.tobytes())
    return data
