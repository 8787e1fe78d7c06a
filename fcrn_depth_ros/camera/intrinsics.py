# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Pinhole intrinsics: what the camera sees along each pixel."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from ..errors import CameraInfoError

# In sides of the image: 0.1 is a 157 degree lens, 20 a 3 degree one. A value outside is an
# uncalibrated or mistyped camera, and would scale every distance by nonsense.
FOCAL_LIMITS = (0.1, 20.0)


@dataclass(frozen=True)
class CameraIntrinsics:
    """
    Pinhole intrinsics of an image without distortion.

    Attributes
    ----------
    fx_px, fy_px : float
        Focal lengths.
    cx_px, cy_px : float
        Principal point; integer coordinates are pixel centres, the first pixel is 0.
    width_px, height_px : int
        Size of the image they belong to.

    """

    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    width_px: int
    height_px: int

    def __post_init__(self) -> None:
        if self.width_px < 1 or self.height_px < 1:
            raise CameraInfoError(
                f'image size must be positive, got {self.width_px}x{self.height_px}; '
                'set width and height in the camera info'
            )
        for name, focal in (('fx', self.fx_px), ('fy', self.fy_px)):
            if not (math.isfinite(focal) and focal > 0):
                raise CameraInfoError(
                    f'{name} must be a positive number of px, got {focal:g}; calibrate the camera'
                )
        for name, centre in (('cx', self.cx_px), ('cy', self.cy_px)):
            if not math.isfinite(centre):
                raise CameraInfoError(
                    f'{name} must be a finite number of px, got {centre:g}; calibrate the camera'
                )

    def check_plausible(self) -> None:
        """
        Refuse what no whole sensor has; a crop of it may have any of these values.

        Raises
        ------
        CameraInfoError
            If a focal length or the principal point is out of all proportion to the image.

        """
        side = max(self.width_px, self.height_px)
        low, high = (limit * side for limit in FOCAL_LIMITS)
        for name, focal in (('fx', self.fx_px), ('fy', self.fy_px)):
            if not low <= focal <= high:
                raise CameraInfoError(
                    f'{name} must be in [{low:g}, {high:g}] px for a sensor of '
                    f'{self.width_px}x{self.height_px}, got {focal:g}; calibrate the camera'
                )
        for name, centre, size in (
            ('cx', self.cx_px, self.width_px),
            ('cy', self.cy_px, self.height_px),
        ):
            if not -size <= centre <= 2 * size:
                raise CameraInfoError(
                    f'{name} must be in [{-size}, {2 * size}] px for a sensor of '
                    f'{self.width_px}x{self.height_px}, got {centre:g}; calibrate the camera'
                )

    @classmethod
    def from_field(
        cls, training_fx_px: float, training_width_px: float, width_px: int, height_px: int
    ) -> CameraIntrinsics:
        """Build square-pixel intrinsics of a known field of view, centred on the image."""
        focal = training_fx_px * width_px / training_width_px
        return cls(focal, focal, (width_px - 1) / 2, (height_px - 1) / 2, width_px, height_px)

    def scaled_to(self, width_px: int, height_px: int) -> CameraIntrinsics:
        """Return the intrinsics of the same image stretched to another size."""
        scale_x, scale_y = width_px / self.width_px, height_px / self.height_px
        return CameraIntrinsics(
            self.fx_px * scale_x,
            self.fy_px * scale_y,
            (self.cx_px + 0.5) * scale_x - 0.5,
            (self.cy_px + 0.5) * scale_y - 0.5,
            width_px,
            height_px,
        )

    def matrix(self) -> NDArray[np.float64]:
        """Return K, (3, 3): from rays with z = 1 to pixels."""
        return np.array(
            [[self.fx_px, 0.0, self.cx_px], [0.0, self.fy_px, self.cy_px], [0.0, 0.0, 1.0]]
        )

    def rays(self) -> NDArray[np.float32]:
        """Return the direction of each pixel, float32 (H, W, 3), with z = 1."""
        rays = np.ones((self.height_px, self.width_px, 3), np.float32)
        rays[..., 0] = (np.arange(self.width_px) - self.cx_px) / self.fx_px
        rays[..., 1] = ((np.arange(self.height_px) - self.cy_px) / self.fy_px)[:, None]
        return rays
