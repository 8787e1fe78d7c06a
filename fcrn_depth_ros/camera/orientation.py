# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Which way is up and which is left: level axes, and pictures that are turned upright."""

from __future__ import annotations

from functools import lru_cache
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .intrinsics import CameraIntrinsics
from .mounting import CameraMounting

# Without a mounting the optical axis is taken as level and the camera as upright.
_LEVEL_DOWN = np.array([0.0, 1.0, 0.0])
_LEVEL_AHEAD = np.array([0.0, 0.0, 1.0])


def quarter_turns(mounting: CameraMounting) -> int:
    """
    Count the clockwise quarter turns after which the picture is upright.

    Parameters
    ----------
    mounting : CameraMounting
        A camera that is rolled clockwise by 90 degrees has the floor at its right edge.

    Returns
    -------
    int
        0 to 3; what is left of the roll is at most 45 degrees.

    """
    return round(mounting.roll_deg / 90.0) % 4


def turn_picture(picture: NDArray[Any], turns: int) -> NDArray[Any]:
    """
    Turn a picture or a map clockwise.

    Parameters
    ----------
    picture : ndarray, shape (H, W) or (H, W, C)
        Left as it is.
    turns : int
        Quarter turns; negative ones turn back.

    Returns
    -------
    ndarray
        Contiguous; of shape (W, H, ...) after an odd number of turns.

    """
    return picture if turns % 4 == 0 else np.ascontiguousarray(np.rot90(picture, -turns))


def turn_intrinsics(intrinsics: CameraIntrinsics, turns: int) -> CameraIntrinsics:
    """
    Return the intrinsics of a picture that was turned clockwise.

    Parameters
    ----------
    intrinsics : CameraIntrinsics
        Of the picture before it was turned.
    turns : int
        Quarter turns; negative ones turn back.

    Returns
    -------
    CameraIntrinsics
        One turn takes pixel (u, v) to (height - 1 - v, u).

    """
    for _ in range(turns % 4):
        intrinsics = CameraIntrinsics(
            fx_px=intrinsics.fy_px,
            fy_px=intrinsics.fx_px,
            cx_px=intrinsics.height_px - 1 - intrinsics.cy_px,
            cy_px=intrinsics.cx_px,
            width_px=intrinsics.height_px,
            height_px=intrinsics.width_px,
        )
    return intrinsics


def turn_mounting(mounting: CameraMounting, turns: int) -> CameraMounting:
    """
    Return the mounting of the camera that would have taken the turned picture.

    Parameters
    ----------
    mounting : CameraMounting
        Of the picture before it was turned.
    turns : int
        Clockwise quarter turns.

    Returns
    -------
    CameraMounting
        Its roll is in [-180, 180).

    """
    roll_deg = (mounting.roll_deg - 90.0 * turns + 180.0) % 360.0 - 180.0
    return CameraMounting(mounting.height_m, mounting.pitch_deg, roll_deg)


def level_axes(
    mounting: CameraMounting | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """
    Compute the axes of the level frame in the camera's optical frame.

    Parameters
    ----------
    mounting : CameraMounting or None
        Where the camera sits; None takes the optical axis as level and the camera as upright.

    Returns
    -------
    tuple of 3 ndarray of float64, shape (3,)
        Unit vectors ahead (x), left (y) and up (z), REP 103.

    """
    if mounting is None:
        down, ahead = _LEVEL_DOWN, _LEVEL_AHEAD
    else:
        down = mounting.down_vector()
        pitch, roll = math.radians(mounting.pitch_deg), math.radians(mounting.roll_deg)
        # The optical axis less its vertical part, divided by its length cos(pitch): written so
        # that a camera that looks straight down has an axis ahead as well.
        ahead = np.array(
            [
                -math.sin(roll) * math.sin(pitch),
                -math.cos(roll) * math.sin(pitch),
                math.cos(pitch),
            ]
        )
    return ahead, np.cross(ahead, down), -down


@lru_cache(maxsize=4)
def lateral_slope(
    intrinsics: CameraIntrinsics, mounting: CameraMounting | None = None
) -> NDArray[np.float32]:
    """
    Return how far to the left each pixel's ray leads per metre of depth.

    Parameters
    ----------
    intrinsics : CameraIntrinsics
        Of the image whose size the result has.
    mounting : CameraMounting or None
        Its roll decides which way is left; None takes the image as upright.

    Returns
    -------
    ndarray of float32, shape (H, W)
        Left positive; read-only.

    """
    slope: NDArray[np.float32] = intrinsics.rays() @ level_axes(mounting)[1].astype(np.float32)
    slope.flags.writeable = False
    return slope
