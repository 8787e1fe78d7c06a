# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What is read in place is what rclpy reads."""

from __future__ import annotations

import struct

from fcrn_depth_ros.ros.serialized_image import read_serialized_image
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header


def image(
    frame_id: str = 'camera', encoding: str = 'rgb8', data: bytes = b'\x01\x02\x03'
) -> Image:
    message = Image(header=Header(frame_id=frame_id), height=7, width=9, encoding=encoding)
    message.step, message.is_bigendian, message.data = 27, 1, list(data)
    return message


@pytest.mark.parametrize('frame_id', ['', 'a', 'ab', 'abc', 'abcd', 'Köln'])
@pytest.mark.parametrize('encoding', ['', 'r', 'rg', 'rgb', 'rgb8'])
@pytest.mark.parametrize('data', [b'', b'\x01', bytes(range(200))])
def test_every_length_of_text_and_data(frame_id: str, encoding: str, data: bytes) -> None:
    serialized = serialize_message(image(frame_id, encoding, data))
    expected = deserialize_message(serialized, Image)
    read = read_serialized_image(serialized)
    for name in ('height', 'width', 'encoding', 'is_bigendian', 'step'):
        assert getattr(read, name) == getattr(expected, name)
    assert read.frame_id == expected.header.frame_id
    assert bytes(read.data) == data == bytes(expected.data)


def test_a_machine_of_the_other_byte_order() -> None:
    body = struct.pack('>iI', 1, 2) + struct.pack('>I4s', 4, b'cam\0') + struct.pack('>II', 1, 2)
    body += struct.pack('>I6sB', 6, b'mono8\0', 1) + b'\0' + struct.pack('>II', 2, 2) + b'\x08\x09'
    read = read_serialized_image(b'\0\0\0\0' + body)
    assert (read.height, read.width, read.encoding, read.step) == (1, 2, 'mono8', 2)
    assert bytes(read.data) == b'\x08\x09'


def test_what_is_cut_off_or_something_else_is_refused() -> None:
    serialized = serialize_message(image(data=b'1234'))
    end = serialized.index(b'1234') + 4
    for length in range(end):
        with pytest.raises(ValueError, match='an image must'):
            read_serialized_image(serialized[:length])
    with pytest.raises(ValueError, match='begin as CDR'):
        read_serialized_image(b'\0\2' + serialized[2:])
    with pytest.raises(ValueError, match='an image must'):  # lengths of four gigabytes
        read_serialized_image(serialized[:12] + b'\xff' * 4 + b'a' * 60)
    with pytest.raises(ValueError, match='invalid'):  # a name that is no text
        read_serialized_image(serialized.replace(b'camera', b'\xff' * 6))
