# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Which pixels show free floor, from depth and the floor's plane: the truth of the floor head."""

from __future__ import annotations

from dataclasses import dataclass

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
import numpy as np
from numpy.typing import NDArray

# Labels, as a pack stores them: 0 is what a warp fills in outside of the picture.
IGNORED, FLOOR, NOT_FLOOR = 0, 1, 2
MOST_BELOW = 0.05  # of the pixels on a plane: with more below it, it is a bed, a desk or a slope
HORIZON_MARGIN = 0.04  # of the ray's slope: above it no floor is seen, whatever the depth


@dataclass(frozen=True)
class FloorBand:
    """
    Heights that count as floor, and those that are left out because they may be either.

    Attributes
    ----------
    floor_m : float
        At most so far from the plane is floor.
    clear_m : float
        At least so high above it is not.
    sure_range_m : float
        Beyond this depth both grow in proportion to it, as the errors of a depth sensor do.

    """

    floor_m: float
    clear_m: float
    sure_range_m: float


MEASURED = FloorBand(0.035, 0.07, 2.5)
RENDERED = FloorBand(0.012, 0.025, 20.0)


def height_above(
    depth_m: NDArray[np.floating], camera: CameraIntrinsics, plane: NDArray[np.floating]
) -> NDArray[np.float32]:
    """
    Return the height of every pixel's surface above the floor.

    Parameters
    ----------
    depth_m : ndarray of float, shape (H, W)
        Depth along the optical axis in metres; 0 or NaN where unknown.
    camera : CameraIntrinsics
        Of the depth map.
    plane : ndarray of float, shape (3,)
        Floor normal over the height, 1/m: plane . point = 1 on the floor.

    Returns
    -------
    ndarray of float32, shape (H, W)
        In metres; NaN where the depth is unknown.

    """
    length = float(np.linalg.norm(plane))
    known = np.isfinite(depth_m) & (depth_m > 0)
    slope = camera.rays() @ (plane / length).astype(np.float32)
    height = np.where(known, 1.0 / length - slope * np.where(known, depth_m, 0), np.nan)
    return height.astype(np.float32)


def floor_labels(
    depth_m: NDArray[np.floating],
    camera: CameraIntrinsics,
    plane: NDArray[np.floating],
    band: FloorBand,
) -> NDArray[np.uint8]:
    """
    Label every pixel as floor, as something else, or as unknown.

    Parameters
    ----------
    depth_m, camera, plane
        See :func:`height_above`.
    band : FloorBand
        What is floor.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        FLOOR, NOT_FLOOR or IGNORED.

    """
    height = height_above(depth_m, camera, plane)
    grown = np.maximum(1.0, np.nan_to_num(depth_m) / band.sure_range_m)
    labels = np.full(height.shape, IGNORED, np.uint8)
    labels[height > band.clear_m * grown] = NOT_FLOOR
    labels[np.abs(height) < band.floor_m * grown] = FLOOR
    slope = camera.rays() @ (plane / np.linalg.norm(plane)).astype(np.float32)
    labels[slope < -HORIZON_MARGIN] = NOT_FLOOR
    return labels


def is_floor(
    depth_m: NDArray[np.floating], camera: CameraIntrinsics, plane: NDArray[np.floating]
) -> bool:
    """
    Return whether a fitted plane can be the floor: next to nothing lies below a floor.

    Parameters
    ----------
    depth_m, camera, plane
        See :func:`height_above`.

    """
    height = height_above(depth_m, camera, plane)
    grown = np.maximum(1.0, np.nan_to_num(depth_m) / MEASURED.sure_range_m)
    below = np.count_nonzero(height < -MEASURED.clear_m * grown)
    on = np.count_nonzero(np.abs(height) < MEASURED.floor_m * grown)
    return bool(below <= MOST_BELOW * on)
