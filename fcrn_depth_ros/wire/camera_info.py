# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
sensor_msgs/CameraInfo to a calibration.

A message is anything with the fields of the ROS 2 message: of rclpy or from a bag.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..camera.distortion import distortion_model_of
from ..camera.intrinsics import CameraIntrinsics
from ..camera.rectification import LensCalibration
from ..errors import CameraInfoError


def is_uncalibrated(message: Any) -> bool:
    """Tell whether a CameraInfo says that the camera is uncalibrated (K[0] = 0)."""
    return bool(message.k[0] == 0.0)


def calibration_from_camera_info(message: Any, width_px: int, height_px: int) -> LensCalibration:
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
