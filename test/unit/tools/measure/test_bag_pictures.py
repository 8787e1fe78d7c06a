# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Pictures from bags: the encodings of the nodes, and one error for what is broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.tools.measure.bag_pictures import read_bag_pictures
import numpy as np
import pytest

rosbag2 = pytest.importorskip('rosbags.rosbag2')
from rosbags.typesys import get_typestore, Stores  # noqa: E402

STORE = get_typestore(Stores.LATEST)
RAW, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
RED = np.full((48, 64, 3), (200, 30, 60), np.uint8)


def serialized(kind: str, **fields: Any) -> bytes:
    stamp = STORE.types['builtin_interfaces/msg/Time'](sec=1, nanosec=0)
    header = STORE.types['std_msgs/msg/Header'](stamp=stamp, frame_id='')
    return bytes(STORE.serialize_cdr(STORE.types[kind](header=header, **fields), kind))


def raw(encoding: str, rows: np.ndarray) -> bytes:
    return serialized(
        RAW,
        height=48,
        width=64,
        encoding=encoding,
        is_bigendian=0,
        step=rows.nbytes // 48,
        data=rows.view(np.uint8).ravel(),
    )


def compressed(content: bytes) -> bytes:
    return serialized(COMPRESSED, format='jpeg', data=np.frombuffer(content, np.uint8))


def bag_of(folder: Path, kind: str, data: bytes) -> Path:
    bag = folder / 'bag'
    with rosbag2.Writer(bag, version=9) as writer:
        writer.write(writer.add_connection('/image', kind, typestore=STORE), 1, data)
    return bag


BAYER = np.tile(np.array([[200, 30], [30, 60]], np.uint8), (24, 32))


@pytest.mark.parametrize(
    ('kind', 'data'),
    [
        (RAW, raw('rgb8', RED)),
        (RAW, raw('bgr16', np.ascontiguousarray(RED[..., ::-1]).astype(np.uint16) * 256)),
        (RAW, raw('bayer_rggb8', BAYER)),
        (COMPRESSED, compressed(cv2.imencode('.png', RED[..., ::-1])[1].tobytes())),
    ],
)
def test_what_a_camera_publishes_is_read(tmp_path: Path, kind: str, data: bytes) -> None:
    (picture,) = read_bag_pictures(bag_of(tmp_path, kind, data), None, 5)
    assert np.array_equal(picture, RED)


@pytest.mark.parametrize(
    ('kind', 'data', 'expected'),
    [
        (RAW, raw('32FC1', np.zeros((48, 64), np.float32)), "got '32FC1'"),
        (RAW, raw('rgb8', RED)[:200], 'bag must be readable'),
        (RAW, b'', 'bag must be readable'),
        (COMPRESSED, compressed(cv2.imencode('.jpg', RED)[1].tobytes()[:-20]), 'complete picture'),
        (COMPRESSED, compressed(b'no picture'), 'complete picture'),
    ],
)
def test_a_broken_picture_is_one_error_with_the_bag(
    tmp_path: Path, kind: str, data: bytes, expected: str
) -> None:
    bag = bag_of(tmp_path, kind, data)
    with pytest.raises(ToolInputError, match=expected) as caught:
        read_bag_pictures(bag, None, 5)
    assert str(bag) in str(caught.value)
