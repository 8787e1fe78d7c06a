# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Read pictures and depth maps from files, with one clear error for what is neither."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ToolInputError

PICTURE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.ppm')


def list_pictures(folder: Path) -> list[Path]:
    """
    List the pictures of a folder by name.

    Parameters
    ----------
    folder : Path
        Not searched deeper.

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
        raise ToolInputError(f'folder of pictures must exist, got {folder}; check the path')
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    if not found:
        raise ToolInputError(
            f'folder of pictures must hold {", ".join(PICTURE_SUFFIXES)} files, got none in '
            f'{folder}; check the path'
        )
    return found


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture as RGB uint8 (H, W, 3); ToolInputError where it is none."""
    bgr = _decode(path, cv2.IMREAD_COLOR)
    if bgr is None:
        raise ToolInputError(f'picture must be a readable image file, got {path}; replace it')
    return np.ascontiguousarray(bgr[..., ::-1])


def read_depth_mm(path: Path) -> NDArray[np.float32]:
    """Read a 16-bit PNG in millimetres as metres, NaN where it says 0; ToolInputError if not."""
    depth = _decode(path, cv2.IMREAD_UNCHANGED)
    if depth is None or depth.dtype != np.uint16 or depth.ndim != 2:
        found = 'no image' if depth is None else f'{depth.dtype} {depth.shape}'
        raise ToolInputError(
            f'depth must be a 16-bit PNG in millimetres, got {found} in {path}; convert it'
        )
    metres: NDArray[np.float32] = depth.astype(np.float32) / np.float32(1000.0)
    metres[depth == 0] = np.nan
    return metres


def _decode(path: Path, flags: int) -> NDArray[np.uint8] | None:
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as err:
        raise ToolInputError(
            f'file must be readable, got {path}: {err.strerror or err}; check the path'
        ) from err
    if not len(content):
        return None
    try:
        decoded: NDArray[np.uint8] | None = cv2.imdecode(content, flags)
    except cv2.error:
        return None
    return decoded
