# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The binary message to the page."""

from __future__ import annotations

import json
import struct
import zlib

import cv2
from fcrn_depth_ros.dashboard.frames import confidence_part, depth_part, jpeg, near_part, pack
from fcrn_depth_ros.errors import ImageFormatError
import numpy as np
import pytest


def test_header_and_parts_come_back() -> None:
    data = pack({'number': 7}, {'a': b'xyz', 'b': b''})
    length = struct.unpack_from('<I', data)[0]
    header = json.loads(data[4 : 4 + length])
    assert header == {'number': 7, 'parts': [['a', 3], ['b', 0]]}
    assert data[4 + length :] == b'xyz'


def test_depth_is_centimetres_and_only_unknown_is_zero() -> None:
    depth_m = np.array(
        [[1.236, np.nan], [np.inf, -1.0], [700.0, 0.0004], [0.0, 1.234]], np.float32
    )
    centimetres = np.frombuffer(zlib.decompress(depth_part(depth_m)), '<u2')
    assert centimetres.tolist() == [124, 0, 0, 0, 65535, 1, 0, 123]


def test_near_is_one_bit_a_pixel() -> None:
    near = np.zeros((3, 3), bool)
    near[0, 0] = near[2, 2] = True
    assert zlib.decompress(near_part(near)) == bytes([0b10000000, 0b10000000])


def test_confidence() -> None:
    steps = zlib.decompress(confidence_part(np.array([[0.0, 0.5, 1.0, 2.0, np.nan]], np.float32)))
    assert list(steps) == [0, 100, 200, 200, 255]


@pytest.mark.parametrize(
    ('size', 'expected'),
    [((480, 640), (480, 640)), ((720, 1280), (360, 640)), ((1, 5000), (1, 640))],
)
def test_pictures_are_made_small(size: tuple[int, int], expected: tuple[int, int]) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    picture[:, :, 0] = 200
    decoded = cv2.imdecode(np.frombuffer(jpeg(picture), np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape[:2] == expected
    assert abs(int(decoded[0, 0, 2]) - 200) < 5  # red stays red


def test_a_picture_that_cannot_be_encoded_is_named() -> None:
    with pytest.raises(ImageFormatError, match='must be encodable as JPEG'):
        jpeg(np.zeros((70000, 3, 3), np.uint8))
