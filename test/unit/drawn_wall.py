# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A wall with spots large and small that passes by a camera."""

from __future__ import annotations

import cv2
import numpy as np

SIZE = WIDTH, HEIGHT = 320, 240
FOCAL_PX, WALL_M = 320.0, 2.0


def _noise(rows: int, columns: int) -> np.ndarray:
    levels = np.random.default_rng(3).uniform(20, 80, (rows, columns)).astype(np.float32)
    return cv2.resize(levels, (960, 280), interpolation=cv2.INTER_LINEAR)


# Without large spots it would not be a scene.
TEXTURE = (_noise(70, 240) + _noise(4, 14)).astype(np.uint8)


def wall_picture(moved_m: float) -> np.ndarray:
    """Draw the wall at WALL_M as it looks after the camera has moved so far to the right."""
    shift_px = moved_m * FOCAL_PX / WALL_M
    moved = np.float32([[1, 0, -shift_px], [0, 1, -20]])
    seen = cv2.warpAffine(TEXTURE, moved, SIZE, flags=cv2.INTER_LINEAR)
    return cv2.cvtColor(seen, cv2.COLOR_GRAY2RGB)
