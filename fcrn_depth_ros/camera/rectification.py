# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Raw camera pictures to pinhole ones: the distortion of a calibrated lens is removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import CameraInfoError
from .intrinsics import CameraIntrinsics

# REP 103 optical frames and sensor_msgs/distortion_models name these; OpenCV computes them.
_POLYNOMIAL_MODELS = {
    '': (0, 4, 5, 8, 12, 14),
    'plumb_bob': (0, 4, 5, 8, 12, 14),
    'rational_polynomial': (0, 8, 12, 14),
}
_FISHEYE_MODELS = ('equidistant', 'fisheye')


@dataclass(frozen=True)
class LensCalibration:
    """
    What is known of a camera, before and after rectification.

    Attributes
    ----------
    intrinsics : CameraIntrinsics
        Of the rectified picture.
    camera_matrix, rectification : ndarray of float64, shape (3, 3)
        K of the raw picture and R, the rotation into the rectified one.
    distortion : ndarray of float64, shape (N,)
        Coefficients; empty or zeros without distortion.
    distortion_model : str
        A name of sensor_msgs/distortion_models.

    """

    intrinsics: CameraIntrinsics
    camera_matrix: NDArray[np.float64]
    rectification: NDArray[np.float64]
    distortion: NDArray[np.float64]
    distortion_model: str

    def same_as(self, other: LensCalibration) -> bool:
        """Tell whether another calibration says the same."""
        return (
            self.intrinsics == other.intrinsics
            and self.distortion_model == other.distortion_model
            and np.array_equal(self.camera_matrix, other.camera_matrix)
            and np.array_equal(self.rectification, other.rectification)
            and np.array_equal(self.distortion, other.distortion)
        )


class Rectifier:
    """
    Rectify pictures of one camera; the pixel maps are computed once.

    Parameters
    ----------
    calibration : LensCalibration
        The lens.

    Raises
    ------
    CameraInfoError
        If the distortion model is unknown or has a wrong number of coefficients.

    """

    def __init__(self, calibration: LensCalibration) -> None:
        self.calibration = calibration
        camera = calibration.intrinsics
        new_matrix = np.array(
            [[camera.fx_px, 0.0, camera.cx_px], [0.0, camera.fy_px, camera.cy_px], [0.0, 0.0, 1.0]]
        )
        size = (camera.width_px, camera.height_px)
        arguments: tuple[Any, ...] = (
            calibration.camera_matrix,
            calibration.distortion,
            calibration.rectification,
            new_matrix,
            size,
            cv2.CV_16SC2,
        )
        model, count = calibration.distortion_model, len(calibration.distortion)
        if count in _POLYNOMIAL_MODELS.get(model, ()):
            self._maps = cv2.initUndistortRectifyMap(*arguments)
        elif model in _FISHEYE_MODELS and count == 4:
            self._maps = cv2.fisheye.initUndistortRectifyMap(*arguments)
        else:
            raise CameraInfoError(
                'distortion_model must be plumb_bob, rational_polynomial or equidistant with '
                f'its coefficients, got {model!r} with {count}; rectify the image elsewhere '
                'and set rectify to false'
            )

    def rectify(self, image_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """
        Remove the distortion of one picture.

        Parameters
        ----------
        image_rgb : ndarray of uint8, shape (H, W, 3)
            Raw picture of the calibration's size.

        Returns
        -------
        ndarray of uint8, shape (H, W, 3)
            Pinhole picture; black where the raw one has nothing.

        """
        rectified: NDArray[np.uint8] = cv2.remap(image_rgb, *self._maps, cv2.INTER_LINEAR)
        return rectified
