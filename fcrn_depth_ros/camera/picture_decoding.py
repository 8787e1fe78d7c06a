# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Encoded pictures (JPEG, PNG, ...) to pixels; what is incomplete is refused."""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ImageFormatError

_JPEG_START = b'\xff\xd8'
_END_OF_IMAGE = 0xD9
_MARKERS_WITHOUT_LENGTH = (0x01, 0xD8)
# In the compressed data 0xff is followed by 0 or a restart marker, and may be repeated as filling.
_MARKER = re.compile(rb'\xff([^\x00\xd0-\xd7\xff])')


def decode_picture(content: bytes, flags: int = cv2.IMREAD_COLOR) -> NDArray[Any]:
    """
    Decode a picture.

    Bytes are decoded, not files: OpenCV's own reading of files crashes on names that are not
    UTF-8.

    Parameters
    ----------
    content : bytes
        A whole file, or the data of a CompressedImage.
    flags : int
        Of OpenCV's imdecode.

    Returns
    -------
    ndarray
        BGR uint8 (H, W, 3) unless the flags say otherwise.

    Raises
    ------
    ImageFormatError
        If the content is not a picture, is cut off, or is larger than OpenCV reads.

    """
    check_complete(content)
    try:
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    except cv2.error as err:
        raise ImageFormatError(
            f'picture must be one that OpenCV reads, got one that fails its check {err.err!r}; '
            'replace it, or make it smaller'
        ) from err
    if decoded is None:
        raise ImageFormatError(
            f'picture must be in a format that OpenCV reads, got {len(content)} other bytes; '
            'replace it'
        )
    pixels: NDArray[Any] = decoded
    return pixels


def check_complete(content: bytes) -> None:
    """Refuse a JPEG without its end, which OpenCV before 4.11 fills with one colour."""
    if not content.startswith(_JPEG_START):
        return
    position = len(_JPEG_START)
    while match := _MARKER.search(content, position):
        marker, position = match[1][0], match.end()
        if marker == _END_OF_IMAGE:
            return
        if marker not in _MARKERS_WITHOUT_LENGTH:
            # A segment may hold a small picture of its own, with an end of its own.
            position += int.from_bytes(content[position : position + 2], 'big')
    raise ImageFormatError(
        f'JPEG must be complete, got {len(content)} bytes without its end; '
        'it was cut off on the way'
    )
