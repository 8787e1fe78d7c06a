# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
An Image read in place from its serialized form.

rclpy copies the pixels twice to make a message of them. Whoever has taken the message serialized
can look at them where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
import struct

from .stamps import ENCAPSULATION_BYTES, STAMP_BYTES

# Plain CDR of both byte orders; its second version lays out the fields of an Image alike.
_ORDERS = {b'\0\0': '>', b'\0\1': '<', b'\0\6': '>', b'\0\7': '<'}


@dataclass(frozen=True)
class SerializedImage:
    """Fields of a sensor_msgs/Image; its data are those of the serialized message."""

    frame_id: str
    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: memoryview


def read_serialized_image(serialized: bytes) -> SerializedImage:
    """
    Read an Image without a copy of its pixels.

    Parameters
    ----------
    serialized : bytes
        As a raw subscription gets it.

    Returns
    -------
    SerializedImage
        Valid as long as `serialized` is.

    Raises
    ------
    ValueError
        If it is no complete Image in CDR.

    """
    order = _ORDERS.get(serialized[:2])
    if order is None:
        raise ValueError(f'an image must begin as CDR does, got {serialized[:4].hex()}')
    at = ENCAPSULATION_BYTES + STAMP_BYTES

    def number() -> int:
        nonlocal at
        at += -at % 4
        (value,) = struct.unpack_from(f'{order}I', serialized, at)
        at += 4
        return int(value)

    def text() -> str:
        nonlocal at
        length = number()
        at += length
        # Its last byte is a zero.
        return serialized[at - length : max(at - length, at - 1)].decode()

    try:
        frame_id, height, width, encoding = text(), number(), number(), text()
        is_bigendian = serialized[at]
        at += 1
        step, length = number(), number()
    except (struct.error, IndexError) as error:
        raise ValueError(f'an image must be complete, got {len(serialized)} bytes') from error
    data = memoryview(serialized)[at : at + length]
    if len(data) != length:
        raise ValueError(f'an image must hold {length} bytes of pixels, got {len(data)}')
    return SerializedImage(frame_id, height, width, encoding, is_bigendian, step, data)
