# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The pictures that every contestant gets, and the camera that they come from."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import fcrn_depth_ros
from fcrn_depth_ros.camera.camera_file import read_camera_file
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.camera.picture_files import list_pictures, read_picture
import numpy as np
from numpy.typing import NDArray

_CLIP = Path(fcrn_depth_ros.__file__).parent / 'demo_clip'
_PICTURE_COUNT = 6
_JPEG_QUALITY = 90
# Start of the picture, then a comment of four bytes.
_JPEG_COMMENT = b'\xff\xd8\xff\xfe\x00\x06'
# Grey levels; a rendered or enlarged picture without noise makes a JPEG that is too small.
_NOISE_SIGMA = 3.0


@dataclass(frozen=True)
class CameraInput:
    """How a camera delivers its pictures."""

    width_px: int
    height_px: int
    is_compressed: bool


INPUTS = {
    'vga_raw': CameraInput(640, 480, False),
    'vga_compressed': CameraInput(640, 480, True),
    'hd_raw': CameraInput(1920, 1080, False),
    'hd_compressed': CameraInput(1920, 1080, True),
    'qvga_compressed': CameraInput(320, 240, True),
}
# What the overhead is measured with, where nothing else is said.
USUAL_INPUTS = ('vga_raw', 'vga_compressed', 'hd_raw', 'hd_compressed')


def intrinsics(camera: CameraInput) -> CameraIntrinsics:
    """Return the camera of the clip, for pictures that were cut and stretched to this size."""
    full = read_camera_file(_CLIP / 'camera.json').intrinsics
    top_px, height_px = _rows(full.width_px, full.height_px, camera)
    cut = replace(full, cy_px=full.cy_px - top_px, height_px=height_px)
    return cut.scaled_to(camera.width_px, camera.height_px)


def mounting() -> CameraMounting:
    """Return how the camera of the clip is mounted."""
    found = read_camera_file(_CLIP / 'camera.json').mounting
    assert found is not None
    return found


def picture_data(camera: CameraInput) -> list[array[int]]:
    """Return the data of the messages that are sent in turn: rows of RGB, or a JPEG."""
    files = list_pictures(_CLIP)
    chosen = files[:: max(1, len(files) // _PICTURE_COUNT)][:_PICTURE_COUNT]
    size = camera.width_px, camera.height_px
    noise = np.random.default_rng(0).normal(0.0, _NOISE_SIGMA, (*size[::-1], 3))
    data = []
    for file in chosen:
        picture = read_picture(file)
        top_px, height_px = _rows(picture.shape[1], picture.shape[0], camera)
        stretched = cv2.resize(picture[top_px : top_px + height_px], size)
        noisy = (stretched + noise).clip(0, 255).astype(np.uint8)
        data.append(array('B', _jpeg(noisy) if camera.is_compressed else noisy.tobytes()))
    return data


def number(data: array[int], camera: CameraInput, count: int) -> None:
    """Make a picture unlike all others: depth_node does not look twice at the same bytes."""
    start = len(_JPEG_COMMENT) if camera.is_compressed else 0
    data[start : start + 4] = array('B', count.to_bytes(4, 'little'))


def _rows(width_px: int, height_px: int, camera: CameraInput) -> tuple[int, int]:
    """Return the first row and the number of rows that have the shape of the input."""
    rows = min(height_px, width_px * camera.height_px // camera.width_px)
    return (height_px - rows) // 2, rows


def _jpeg(picture_rgb: NDArray[np.uint8]) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _, content = cv2.imencode('.jpg', picture_rgb[..., ::-1], quality)
    # The comment has room for a number.
    return _JPEG_COMMENT + bytes(4) + bytes(content)[2:]
