# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a phone sends becomes messages, or is refused."""

from __future__ import annotations

from collections.abc import Callable
import json
import struct
from typing import Any

from builtin_interfaces.msg import Time
from fcrn_depth_ros.dashboard.phone import Phone
from fcrn_depth_ros.wire.pose_mounting import mounting_of_pose
import pytest

JPEG = b'\xff\xd8 a picture'
GOOD = {'width': 640, 'height': 480, 'focal_px': 500.0}
HELD = {**GOOD, 'height_m': 1.3, 'pitch_deg': 20.0, 'roll_deg': -5.0}


class Publisher:
    def __init__(self, topic: str, sent: list[tuple[str, Any]]) -> None:
        self.publish = lambda message: sent.append((topic, message))


class FakeNode:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    def create_publisher(self, message_type: type, topic: str, profile: object) -> Publisher:
        return Publisher(topic, self.sent)

    def destroy_publisher(self, publisher: Publisher) -> None:
        pass

    def get_clock(self) -> FakeNode:
        return self

    def now(self) -> FakeNode:
        return self

    def to_msg(self) -> Time:
        return Time(sec=7, nanosec=8)


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def phone(node: FakeNode) -> Phone:
    def at_once(work: Callable[..., None], *arguments: Any) -> None:
        work(*arguments)

    return Phone(node, 'phone', at_once)


def message(header: object, picture: bytes = JPEG) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack('<I', len(text)) + text + picture


def test_a_picture_comes_after_what_describes_it_under_one_stamp(
    phone: Phone, node: FakeNode
) -> None:
    assert phone.take(message(HELD))
    topics = [topic for topic, _ in node.sent]
    assert topics == ['/phone/camera_info', '/phone/mounting', '/phone/image/compressed']
    info, pose, picture = (sent for _, sent in node.sent)
    assert {m.header.stamp.sec for m in (info, pose, picture)} == {7}
    assert (info.k[0], info.k[2], info.width) == (500.0, 319.5, 640)
    assert bytes(picture.data) == JPEG
    mounting = mounting_of_pose(pose.pose)
    assert mounting is not None
    assert mounting.height_m == 1.3
    assert mounting.pitch_deg == pytest.approx(20.0) and mounting.roll_deg == pytest.approx(-5.0)


def test_what_is_not_known_is_not_said(phone: Phone, node: FakeNode) -> None:
    assert phone.take(message({'width': 640, 'height': 480}))
    assert [topic for topic, _ in node.sent] == ['/phone/camera_info', '/phone/image/compressed']
    assert node.sent[0][1].k[0] == 0.0  # uncalibrated: the scale stays unverified


@pytest.mark.parametrize(
    'data',
    [
        b'',
        b'\x01',
        struct.pack('<I', 2**31),
        message(HELD, b'no jpeg'),
        message([]),
        message({}),
        message('x' * 3000),
        message({**GOOD, 'width': 8}),
        message({**GOOD, 'width': 5000}),
        message({**GOOD, 'height': '480'}),
        message({**GOOD, 'focal_px': 1.0}),
        message({**GOOD, 'focal_px': float('nan')}),
        message({**GOOD, 'focal_px': 'wide'}),
        message({**HELD, 'height_m': 0.0}),
        message({**HELD, 'pitch_deg': 91.0}),
        message({**HELD, 'roll_deg': float('inf')}),
        message({**HELD, 'roll_deg': []}),
    ],
)
def test_anything_else_is_refused(phone: Phone, node: FakeNode, data: bytes) -> None:
    assert not phone.take(data)
    assert not node.sent


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('phone', True),
        ('phone_anna', True),
        ('phone_', False),
        ('phone_A', False),
        ('robot', False),
        ('phone/../robot', False),
        ('phone_' + 17 * 'a', False),
    ],
)
def test_names_of_phones(name: str, expected: bool) -> None:
    assert Phone.is_name(name) is expected


def test_a_closed_phone_publishes_nothing(phone: Phone, node: FakeNode) -> None:
    phone.close()
    assert phone.take(message(HELD))
    assert not node.sent
