# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Edges of boxes that stand on a floor, for what looks at straight lines."""

from __future__ import annotations

import math

import cv2
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.camera.orientation import level_axes
import numpy as np
from numpy.typing import NDArray

CAMERA = CameraIntrinsics(500.0, 500.0, 319.5, 239.5, 640, 480)


def boxes(
    pitch_deg: float,
    roll_deg: float = 0.0,
    heading_deg: float = 20.0,
    seed: int = 0,
    axes: str = 'xyz',
    count: int = 14,
) -> NDArray[np.uint8]:
    """Draw edges of boxes that stand on a floor, along some of their axes."""
    rng = np.random.default_rng(seed)
    picture = np.full((480, 640, 3), 200, np.uint8)
    to_optical = np.column_stack(level_axes(CameraMounting(1.0, pitch_deg, roll_deg)))
    turn = math.radians(heading_deg)
    sides = {
        'x': np.array([math.cos(turn), math.sin(turn), 0.0]),
        'y': np.array([-math.sin(turn), math.cos(turn), 0.0]),
        'z': np.array([0.0, 0.0, 1.0]),
    }
    for _ in range(count):
        start = np.array([rng.uniform(2.0, 5.0), rng.uniform(-1.8, 1.8), rng.uniform(-1.0, 0.5)])
        for axis in axes:
            ends = [to_optical @ (start + length * sides[axis]) for length in (0.0, 0.9)]
            pixels = [
                (int(500 * end[0] / end[2] + 319.5), int(500 * end[1] / end[2] + 239.5))
                for end in ends
            ]
            shade = int(rng.integers(0, 120))
            cv2.line(picture, *pixels, (shade, shade, shade), 3, cv2.LINE_AA)
    return picture
