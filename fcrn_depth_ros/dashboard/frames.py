# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
One binary message to the page: a JSON header, then what it announces.

    bytes 0-3   length of the header, little-endian
    header      JSON: what follows, in this order, with the length of each part
    parts       picture (JPEG), depth (deflated uint16 centimetres, 0 unknown), near (deflated
                bits, one a pixel of the depth), confidence (deflated bytes, 0 to 200; 255 unknown)
"""

from __future__ import annotations

from collections.abc import Mapping
import json
import struct
from typing import Any
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ImageFormatError

_WIDEST_PX = 640
_JPEG_QUALITY = 75
# Depth is noisy in its last bits: more effort makes it hardly smaller.
_EFFORT = 1
_CONFIDENCE_STEPS = 200
_CM_PER_M = np.float32(100.0)
_MOST_CM = 65535


def pack(header: Mapping[str, Any], parts: Mapping[str, bytes]) -> bytes:
    """
    Join a header and its parts.

    Parameters
    ----------
    header : mapping
        JSON values.
    parts : mapping of str to bytes
        Their names and lengths are added to the header as `parts`.

    Returns
    -------
    bytes
        One message.

    """
    lengths = [[name, len(data)] for name, data in parts.items()]
    text = json.dumps({**header, 'parts': lengths}, allow_nan=False).encode()
    return b''.join([struct.pack('<I', len(text)), text, *parts.values()])


def jpeg(pixels: NDArray[np.uint8], *, is_bgr: bool = False) -> bytes:
    """
    Encode a picture for the page, made smaller where it is wider than 640 pixels.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
        RGB, of any size.
    is_bgr : bool
        They are BGR.

    Returns
    -------
    bytes
        JPEG.

    Raises
    ------
    ImageFormatError
        If OpenCV cannot encode it.

    """
    height, width = pixels.shape[:2]
    if width > _WIDEST_PX:
        size = (_WIDEST_PX, max(1, round(height * _WIDEST_PX / width)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    try:
        encoded, data = cv2.imencode(
            '.jpg',
            pixels if is_bgr else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR),
            [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY],
        )
    except cv2.error:
        encoded = False
    if not encoded:
        raise ImageFormatError(
            f'picture must be encodable as JPEG, got {width}x{height} px; publish a smaller one'
        )
    return bytes(data.tobytes())


def at_most(width_px: int, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Leave out rows and columns of a map that is wider; what stays is what was measured."""
    step = -(-values.shape[1] // width_px)
    return values[::step, ::step]


def depth_part(depth_m: NDArray[np.float32]) -> bytes:
    """Deflate a depth map as little-endian centimetres, the finest that the page shows."""
    known = np.isfinite(depth_m) & (depth_m > 0)
    centimetres = np.clip(np.round(depth_m * _CM_PER_M), 1, _MOST_CM)
    return zlib.compress(np.where(known, centimetres, 0).astype('<u2').tobytes(), _EFFORT)


def near_part(near: NDArray[np.bool_]) -> bytes:
    """Deflate a mask, eight pixels a byte, the first one in the highest bit."""
    return zlib.compress(np.packbits(near).tobytes(), _EFFORT)


def confidence_part(confidence: NDArray[np.floating[Any]]) -> bytes:
    """Deflate confidences 0..1 in steps of 1/200; 255 where unknown."""
    known = np.isfinite(confidence)
    steps = np.clip(np.where(known, confidence, 0.0), 0.0, 1.0) * _CONFIDENCE_STEPS
    return zlib.compress(np.where(known, np.round(steps), 255).astype(np.uint8).tobytes(), _EFFORT)
