# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from builtin_interfaces.msg import Time
from fcrn_depth_ros.camera.image_messages import image_to_rgb
from fcrn_depth_ros.errors import FrameError
from fcrn_depth_ros.ros.camera_frames import ArrivedImage, read_frame
from fcrn_depth_ros.ros.messages import image_message
from fcrn_depth_ros.ros.stamps import nanoseconds, serialized_stamp_ns, time_message
import numpy as np
import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header


@pytest.mark.parametrize(
    ('sec', 'nanosec', 'stamp_ns'),
    [
        (0, 0, 0),
        (5, 1, 5_000_000_001),
        (-1, 0, -1_000_000_000),
        (-1, 999_999_999, -1),
        (2**31 - 1, 999_999_999, 2_147_483_647_999_999_999),
        (-(2**31), 0, -2_147_483_648_000_000_000),
    ],
)
def test_a_stamp_survives_the_way_to_nanoseconds_and_back(
    sec: int, nanosec: int, stamp_ns: int
) -> None:
    stamp = Time(sec=sec, nanosec=nanosec)
    assert nanoseconds(stamp) == stamp_ns
    assert time_message(stamp_ns) == stamp
    message = Image(header=Header(stamp=stamp, frame_id='camera'))
    assert serialized_stamp_ns(serialize_message(message)) == stamp_ns


def test_a_stamp_from_a_machine_of_the_other_byte_order() -> None:
    data = bytes([0, 0, 0, 0]) + (-1).to_bytes(4, 'big', signed=True) + (7).to_bytes(4, 'big')
    assert serialized_stamp_ns(data) == -999_999_993
    assert serialized_stamp_ns(data[:-1]) == 0


@pytest.mark.parametrize(
    ('nanosec', 'is_refused'), [(999_999_999, False), (1_000_000_000, True), (2**32 - 1, True)]
)
def test_an_image_with_a_second_or_more_of_nanoseconds_is_refused(
    nanosec: int, is_refused: bool
) -> None:
    image = image_message(
        Header(stamp=Time(sec=2**31 - 1, nanosec=nanosec)), np.zeros((2, 2, 3), np.uint8), 'rgb8'
    )
    arrived = ArrivedImage(image, None, 0.0)
    if is_refused:
        with pytest.raises(FrameError, match='nanosec of the stamp must be below'):
            read_frame(arrived, image_to_rgb, None)
    else:
        assert read_frame(arrived, image_to_rgb, None).stamp_ns == nanoseconds(image.header.stamp)
