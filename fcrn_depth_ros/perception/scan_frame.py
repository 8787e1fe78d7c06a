# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The frame of the scan: its name, its axes and its rotation in the camera's optical frame."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np

from ..camera.mounting import CameraMounting
from ..camera.orientation import level_axes


@dataclass(frozen=True)
class Quaternion:
    """A rotation of unit length, with `w` >= 0."""

    x: float
    y: float
    z: float
    w: float

    def angle_to_deg(self, other: Quaternion) -> float:
        """Return the angle between two rotations in degrees, 0 to 180."""
        cosine = abs(self.x * other.x + self.y * other.y + self.z * other.z + self.w * other.w)
        return math.degrees(2.0 * math.acos(min(1.0, cosine)))


def scan_frame_of(image_frame: str) -> str:
    """
    Derive the name of the scan's frame from that of the image.

    Parameters
    ----------
    image_frame : str
        `frame_id` of the image.

    Returns
    -------
    str
        `camera_optical_frame`, `camera_optical` and `camera` all give `camera_scan`; a leading
        slash, which tf2 does not know, goes. Empty where `image_frame` is empty.

    """
    name = image_frame.lstrip('/')
    for suffix in ('_optical_frame', '_optical'):
        name = name.removesuffix(suffix)
    return f'{name}_scan' if name else ''


def scan_rotation(mounting: CameraMounting | None) -> Quaternion:
    """
    Compute the rotation from the scan's level frame to the camera's optical frame.

    Parameters
    ----------
    mounting : CameraMounting or None
        Where the camera sits; None takes the optical axis as level and the camera as upright.

    Returns
    -------
    Quaternion
        As a transform with the image's frame as parent and the scan's frame as child states it.

    """
    matrix = np.column_stack(level_axes(mounting))
    # The eigenvector of the largest eigenvalue (Bar-Itzhack 2000): no case needs another branch.
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = matrix
    symmetric = np.array(
        [
            [xx - yy - zz, 0.0, 0.0, 0.0],
            [yx + xy, yy - xx - zz, 0.0, 0.0],
            [zx + xz, zy + yz, zz - xx - yy, 0.0],
            [zy - yz, xz - zx, yx - xy, xx + yy + zz],
        ]
    )
    vector = np.linalg.eigh(symmetric, UPLO='L')[1][:, -1]
    x, y, z, w = (float(value) for value in (vector if vector[3] >= 0.0 else -vector))
    return Quaternion(x, y, z, w)
