# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Raw camera pictures to pinhole ones: the distortion of a calibrated lens is removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .distortion import distortion_model_of, FISHEYE_MODELS, POLYNOMIAL_MODELS
from .intrinsics import CameraIntrinsics
from ..errors import CameraInfoError


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
        A name of sensor_msgs/distortion_models, stated or derived.

    """

    intrinsics: CameraIntrinsics
    camera_matrix: NDArray[np.float64]
    rectification: NDArray[np.float64]
    distortion: NDArray[np.float64]
    distortion_model: str

    @classmethod
    def of_raw_picture(
        cls,
        intrinsics: CameraIntrinsics,
        distortion: Sequence[float] = (),
        distortion_model: str = 'plumb_bob',
    ) -> LensCalibration:
        """Build the calibration whose rectified picture keeps K of the raw one."""
        return cls(
            intrinsics,
            intrinsics.matrix(),
            np.eye(3),
            np.array(distortion, dtype=np.float64),
            distortion_model,
        )

    @property
    def is_distorted(self) -> bool:
        """True where straight lines are bent in the raw picture."""
        return self.distortion_model in FISHEYE_MODELS or bool(np.any(self.distortion))

    @property
    def moves_pixels(self) -> bool:
        """True where the rectified picture differs from the raw one."""
        return (
            self.is_distorted
            or not np.allclose(self.camera_matrix, self.intrinsics.matrix())
            or not np.allclose(self.rectification, np.eye(3))
        )

    def scaled_to(self, width_px: int, height_px: int) -> LensCalibration:
        """Return the calibration of the same picture stretched to another size."""
        camera = self.intrinsics
        scale_x, scale_y = width_px / camera.width_px, height_px / camera.height_px
        stretch = np.array(
            [
                [scale_x, 0.0, 0.5 * scale_x - 0.5],
                [0.0, scale_y, 0.5 * scale_y - 0.5],
                [0.0, 0.0, 1.0],
            ]
        )
        return replace(
            self,
            intrinsics=camera.scaled_to(width_px, height_px),
            camera_matrix=stretch @ self.camera_matrix,
        )

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
        model = distortion_model_of(calibration.distortion_model, calibration.distortion.tolist())
        count = len(calibration.distortion)
        if count in POLYNOMIAL_MODELS.get(model, ()):
            self._maps = cv2.initUndistortRectifyMap(*arguments)
        elif count in FISHEYE_MODELS.get(model, ()):
            self._maps = cv2.fisheye.initUndistortRectifyMap(*arguments)
        else:
            raise CameraInfoError(
                'distortion_model must be plumb_bob, rational_polynomial or equidistant with '
                f'its coefficients, got {model!r} with {count}; rectify the image elsewhere and '
                'use the calibration of the result'
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
