# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Image messages to RGB arrays, whatever the encoding, step and byte order, or a clear error.

A message is anything with the fields of sensor_msgs/Image or CompressedImage: of rclpy or from a
bag. Raw images are unpacked here because padding, byte order and truncation must be handled alike
on every machine; colour conversion itself is OpenCV's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .picture_decoding import check_complete, decode_picture
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
    if height % 2 or width % 2:
        raise ImageFormatError(
            f'an nv24 image must have an even height and width, got {height} and {width}; '
            'publish another encoding'
        )
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


_TO_RGB_OF_CHANNELS = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}
# Where no sample of a 16-bit picture exceeds these, its upper bits are not in use.
_UNUSED_BITS = ((1023, '10-bit'), (4095, '12-bit'))


def image_to_rgb(message: Any) -> NDArray[np.uint8]:
    """
    Decode an image message.

    Parameters
    ----------
    message : sensor_msgs.msg.Image or sensor_msgs.msg.CompressedImage
        Any 8- or 16-bit colour, mono, Bayer or YUV encoding, padded rows and either byte order;
        or JPEG, PNG and what else OpenCV reads.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB; 16-bit samples keep their upper byte.

    Raises
    ------
    ImageFormatError
        If the encoding is no picture, the size is zero, step and length do not fit, the upper
        bits of 16 are not in use, or compressed data are not a complete picture.

    """
    is_raw = hasattr(message, 'encoding')
    return _raw_to_rgb(message) if is_raw else compressed_image_to_rgb(message)


def compressed_image_to_rgb(
    message: Any, decode: Callable[[Any], NDArray[Any] | None] | None = None
) -> NDArray[np.uint8]:
    """
    Decode a compressed image message.

    Parameters
    ----------
    message : sensor_msgs.msg.CompressedImage
        JPEG, PNG and what else OpenCV reads, grey or colour.
    decode : callable, optional
        Message -> pixels in OpenCV's order, 8 or 16 bits; OpenCV itself by default.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    Raises
    ------
    ImageFormatError
        If the data are not a complete picture.

    """
    content = bytes(message.data)
    try:
        if decode is not None:
            check_complete(content)
        pixels = _decode(content) if decode is None else decode(message)
        if pixels is None:
            raise ValueError('no picture')
        channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        return _eight_bits(cv2.cvtColor(pixels, _TO_RGB_OF_CHANNELS.get(channels)))
    except (cv2.error, TypeError, ValueError, ImageFormatError) as err:
        raise ImageFormatError(
            f'compressed image must be a complete picture that OpenCV reads, got {len(content)} '
            f'bytes of format {message.format!r}; check what is published on image/compressed'
        ) from err


def _decode(content: bytes) -> NDArray[np.uint8]:
    # The camera's calibration describes the picture as the sensor sees it, before a viewer turns
    # it by its EXIF orientation.
    return decode_picture(content, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)


def _raw_to_rgb(message: Any) -> NDArray[np.uint8]:
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
    if rgb.dtype == np.uint16:
        _check_upper_bits(rgb, message.encoding)
    return _eight_bits(rgb)


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)


def _check_upper_bits(rgb: NDArray[np.uint16], encoding: str) -> None:
    brightest = int(rgb.max())
    for greatest, bits in _UNUSED_BITS:
        # All zero is a black picture, which is for others to judge.
        if 0 < brightest <= greatest:
            raise ImageFormatError(
                f'{encoding} must use the upper of its 16 bits, got values up to {brightest}: '
                f'this looks like {bits} data that are not left-aligned (or a scene without '
                'light); set the camera driver to left-aligned data, or to 8 bits'
            )


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
