# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Read pictures and depth maps from files, with one clear error for what is neither."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .depth_encoding import from_millimetres
from .picture_decoding import decode_picture
from ..errors import ImageFormatError, ToolInputError

PICTURE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp')


def list_pictures(folder: Path, name: str = 'folder of pictures') -> list[Path]:
    """
    List the pictures of a folder by name.

    Parameters
    ----------
    folder : Path
        Not searched deeper.
    name : str
        What error messages call it.

    Returns
    -------
    list of Path
        Never empty.

    Raises
    ------
    ToolInputError
        The folder is missing or holds no picture.

    """
    if not folder.is_dir():
        raise ToolInputError(f'{name} must be a folder, got {folder}; check the path')
    try:
        found = sorted(
            path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES
        )
    except OSError as err:
        raise ToolInputError(
            f'{name} must be readable, got {folder}: {err.strerror}; check its permissions'
        ) from err
    if not found:
        raise ToolInputError(
            f'{name} must hold pictures ({", ".join(PICTURE_SUFFIXES)}), got none in {folder}; '
            'check the path'
        )
    return found


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture as RGB uint8 (H, W, 3); ToolInputError where it is none."""
    return np.ascontiguousarray(read_picture_bgr(path)[..., ::-1])


def read_picture_bgr(path: Path) -> NDArray[np.uint8]:
    """Read a picture as OpenCV orders it; ToolInputError where it is none."""
    try:
        return decode_picture(_read(path))
    except ImageFormatError as err:
        raise ToolInputError(f'{path} must be a picture, got an unusable file: {err}') from err


def read_depth_mm(path: Path) -> NDArray[np.float32]:
    """Read a 16-bit PNG in millimetres as metres, NaN where it says 0; ToolInputError if not."""
    content = _read(path)
    try:
        depth = decode_picture(content, cv2.IMREAD_UNCHANGED)
        found = f'{depth.dtype} {depth.shape}'
    except ImageFormatError:
        depth, found = None, 'no image'
    if depth is None or depth.dtype != np.uint16 or depth.ndim != 2:
        raise ToolInputError(
            f'depth must be a 16-bit PNG in millimetres, got {found} in {path}; convert it'
        )
    return from_millimetres(depth)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise ToolInputError(
            f'file must be readable, got {path}: {err.strerror or err}; check the path'
        ) from err
