# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Image messages to RGB arrays, whatever the encoding, step and byte order, or a clear error.

Raw images are unpacked here because padding, byte order and truncation must be handled alike on
every machine; colour conversion itself is OpenCV's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from ..errors import ImageFormatError


@dataclass(frozen=True)
class _Encoding:
    """Samples a pixel has, their size, the rows a picture line takes, and how it becomes RGB."""

    channels: int
    bytes_per_sample: int
    to_rgb: Callable[[np.ndarray], np.ndarray]
    rows: Callable[[int], int] = lambda height: height


def _convert(code: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda pixels: cv2.cvtColor(pixels, code)


def _nv24_to_rgb(pixels: np.ndarray) -> np.ndarray:
    # NV24 has U and V for every pixel; every second one in both directions makes it NV12.
    height = pixels.shape[0] // 3
    width = pixels.shape[1]
    chroma = pixels[height:].reshape(height, width, 2)[::2, ::2].reshape(height // 2, width)
    rgb: np.ndarray = cv2.cvtColor(np.vstack([pixels[:height], chroma]), cv2.COLOR_YUV2RGB_NV12)
    return rgb


def _three_halves(height: int) -> int:
    return height * 3 // 2


def _encodings() -> dict[str, _Encoding]:
    # Names: sensor_msgs/image_encodings.hpp. OpenCV names a Bayer pattern by its second row and
    # second column, ROS by its first ones, hence RGGB -> BG. 8UC* carry no colour order; OpenCV's
    # own (BGR) is taken, since it is OpenCV programs that publish them.
    table = {}
    for bits, size in (('8', 1), ('16', 2)):
        table['rgb' + bits] = _Encoding(3, size, np.ascontiguousarray)
        table['bgr' + bits] = _Encoding(3, size, _convert(cv2.COLOR_BGR2RGB))
        table['rgba' + bits] = _Encoding(4, size, _convert(cv2.COLOR_RGBA2RGB))
        table['bgra' + bits] = _Encoding(4, size, _convert(cv2.COLOR_BGRA2RGB))
        table['mono' + bits] = _Encoding(1, size, _convert(cv2.COLOR_GRAY2RGB))
        for ros_name, code in (
            ('rggb', cv2.COLOR_BayerBG2RGB),
            ('bggr', cv2.COLOR_BayerRG2RGB),
            ('gbrg', cv2.COLOR_BayerGR2RGB),
            ('grbg', cv2.COLOR_BayerGB2RGB),
        ):
            table[f'bayer_{ros_name}{bits}'] = _Encoding(1, size, _convert(code))
    table['8UC1'] = table['mono8']
    table['8UC3'] = table['bgr8']
    table['8UC4'] = table['bgra8']
    table['uyvy'] = table['yuv422'] = _Encoding(2, 1, _convert(cv2.COLOR_YUV2RGB_UYVY))
    table['yuyv'] = table['yuv422_yuy2'] = _Encoding(2, 1, _convert(cv2.COLOR_YUV2RGB_YUYV))
    table['nv12'] = _Encoding(1, 1, _convert(cv2.COLOR_YUV2RGB_NV12), _three_halves)
    table['nv21'] = _Encoding(1, 1, _convert(cv2.COLOR_YUV2RGB_NV21), _three_halves)
    table['nv24'] = _Encoding(1, 1, _nv24_to_rgb, lambda height: 3 * height)
    return table


_ENCODINGS = _encodings()


def image_to_rgb(message: Any) -> np.ndarray:
    """
    Unpack a raw image.

    Parameters
    ----------
    message : sensor_msgs.msg.Image
        Any 8- or 16-bit colour, mono, Bayer or YUV encoding; padded rows and either byte order.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB; 16-bit samples keep their upper byte.

    Raises
    ------
    ImageFormatError
        If the encoding is no picture, the size is zero, or step and length do not fit.

    """
    encoding = _ENCODINGS.get(message.encoding)
    if encoding is None:
        raise ImageFormatError(
            f'image encoding must be one of {", ".join(sorted(_ENCODINGS))}, '
            f'got {message.encoding!r}; set it in the camera driver'
        )
    pixels = _samples(message, encoding)
    try:
        rgb = encoding.to_rgb(pixels)
    except cv2.error as error:
        raise ImageFormatError(
            f'image of {message.width}x{message.height} px must be convertible from '
            f'{message.encoding}, got {error.err}; YUV and Bayer pictures need even sizes'
        ) from error
    return rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)


def _samples(message: Any, encoding: _Encoding) -> np.ndarray:
    width, height, step = message.width, message.height, message.step
    if width == 0 or height == 0:
        raise ImageFormatError(
            f'image size must be at least 1x1 px, got {width}x{height}; check the camera driver'
        )
    bytes_per_pixel = encoding.channels * encoding.bytes_per_sample
    if step < width * bytes_per_pixel:
        raise ImageFormatError(
            f'image step must be at least {width * bytes_per_pixel} bytes for {width} px of '
            f'{message.encoding}, got {step}; check the camera driver'
        )
    rows = encoding.rows(height)
    needed = step * (rows - 1) + width * bytes_per_pixel
    if len(message.data) < needed:
        raise ImageFormatError(
            f'image data must hold {needed} bytes for {width}x{height} px of {message.encoding} '
            f'with step {step}, got {len(message.data)}; the frame is truncated'
        )
    order = '>' if message.is_bigendian else '<'
    samples: np.ndarray[Any, Any] = np.ndarray(
        (rows, width, encoding.channels),
        f'{order}u{encoding.bytes_per_sample}',
        buffer=message.data,
        strides=(step, bytes_per_pixel, encoding.bytes_per_sample),
    )
    native = np.ascontiguousarray(samples.astype(samples.dtype.newbyteorder('='), copy=False))
    return native[:, :, 0] if encoding.channels == 1 else native
