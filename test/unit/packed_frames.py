# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Frames of known geometry for the tests of training."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, inverse_floor_depth
import numpy as np
from training.data import Frame
from training.labels import floor_labels, RENDERED

CAMERA = CameraIntrinsics(273.0, 273.0, 162.0, 126.0, 320, 240)
MOUNTING = CameraMounting(0.62, 12.0, 2.0)
PLANE = MOUNTING.down_vector() / MOUNTING.height_m
WHOLE = (0, 0, 320, 240)


def floor_frame(wall_m: float = 6.0) -> Frame:
    """Return an empty floor, light up to a dark wall, and nothing measured where the wall is."""
    inverse = inverse_floor_depth(CAMERA, MOUNTING)
    floor = inverse > 1 / wall_m
    depth = np.where(floor, np.round(1000 / np.maximum(inverse, 1e-3)), 0).astype(np.uint16)
    image = np.repeat(floor[..., None] * np.uint8(200), 3, axis=2)
    labels = floor_labels(depth / 1000, CAMERA, PLANE, RENDERED)
    return Frame('scene', '0', image, depth, labels, CAMERA, PLANE, PLANE, WHOLE)


def plain_frame(depth_m: float) -> Frame:
    """Return a grey wall across the view, of a camera whose mounting is unknown."""
    depth = np.full((240, 320), round(1000 * depth_m), np.uint16)
    labels = np.zeros((240, 320), np.uint8)
    image = np.full((240, 320, 3), 90, np.uint8)
    return Frame('wall', 'plain', image, depth, labels, CAMERA, None, None, WHOLE)


def write_scene(root: Path, scene: str, frame: Frame, **card: object) -> None:
    """Write a frame as a scene folder."""
    for name, array in (('rgb/0.jpg', frame.image), ('depth/0.png', frame.depth_mm)):
        path = root / scene / name
        path.parent.mkdir(parents=True)
        cv2.imwrite(str(path), array)
    camera = {'fx': CAMERA.fx_px, 'fy': CAMERA.fy_px, 'cx': CAMERA.cx_px, 'cy': CAMERA.cy_px,
              'width': CAMERA.width_px, 'height': CAMERA.height_px}  # fmt: skip
    (root / scene / 'camera.json').write_text(json.dumps({**camera, **card}))
