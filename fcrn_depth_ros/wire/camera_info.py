# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
sensor_msgs/CameraInfo to a calibration.

A message is anything with the fields of the ROS 2 message: of rclpy or from a bag.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
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
    # Cameras repeat their calibration with each picture.
    return _calibration(
        (width_px, height_px),
        (message.width, message.height),
        (max(1, message.binning_x), max(1, message.binning_y)),
        (message.roi.x_offset, message.roi.y_offset, message.roi.width, message.roi.height),
        message.distortion_model,
        *(_as_bytes(values) for values in (message.k, message.r, message.p, message.d)),
    )


@lru_cache(maxsize=4)
def _calibration(
    image_wh: tuple[int, int],
    message_wh: tuple[int, int],
    binning: tuple[int, int],
    region: tuple[int, int, int, int],
    model: str,
    *matrices: bytes,
) -> LensCalibration:
    k, r, p, d = (np.frombuffer(matrix) for matrix in matrices)
    offset_x, offset_y, *region_wh = region
    full = (region_wh[0] or message_wh[0], region_wh[1] or message_wh[1])
    described = (full[0] // binning[0], full[1] // binning[1])
    if described != image_wh:
        raise CameraInfoError(
            f'camera_info must describe the image of {image_wh[0]}x{image_wh[1]} px, got '
            f'{described[0]}x{described[1]}; publish both from the same driver'
        )
    if not np.isfinite(np.concatenate([k, r, p, d])).all():
        raise CameraInfoError(
            'camera_info must hold finite numbers, got NaN or infinity; calibrate the camera'
        )
    camera_matrix = k.reshape(3, 3)
    projection = p.reshape(3, 4)[:, :3]
    rectified = projection if p[0] != 0.0 else camera_matrix
    # What is plausible is judged on the whole sensor: a region may lie far from its centre.
    sensor = (
        max(message_wh[0], offset_x + region_wh[0]),
        max(message_wh[1], offset_y + region_wh[1]),
    )
    _pinhole(rectified, *sensor).check_plausible()
    to_image = np.array(
        [
            [1.0 / binning[0], 0.0, -offset_x / binning[0]],
            [0.0, 1.0 / binning[1], -offset_y / binning[1]],
            [0.0, 0.0, 1.0],
        ]
    )
    rectification = r.reshape(3, 3)
    if not np.any(rectification):
        rectification = np.eye(3)
    return LensCalibration(
        _pinhole(to_image @ rectified, *image_wh),
        to_image @ camera_matrix,
        rectification,
        d,
        distortion_model_of(model, d.tolist()),
    )


def _as_bytes(values: Sequence[float]) -> bytes:
    return np.asarray(values, np.float64).tobytes()


def _pinhole(matrix: np.ndarray, width_px: int, height_px: int) -> CameraIntrinsics:
    return CameraIntrinsics(
        matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], width_px, height_px
    )
