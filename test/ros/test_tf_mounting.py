# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Iterator
import importlib.util
import math
import sys
import time
from types import ModuleType
from typing import Any

from fcrn_depth_ros.camera.mounting import mounting_from_transform
from fcrn_depth_ros.errors import ConfigurationError
from fcrn_depth_ros.ros.tf_mounting import TfMounting
from geometry_msgs.msg import TransformStamped
import pytest
import rclpy
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from std_msgs.msg import String
from std_srvs.srv import Trigger

Rotation = tuple[float, float, float, float]  # x, y, z, w


def optical_in_floor(pitch_deg: float, roll_deg: float) -> Rotation:
    """Give the rotation of an optical frame that looks along the floor's x axis."""
    level = (-0.5, 0.5, -0.5, 0.5)
    pitch, roll = (math.radians(angle) / 2 for angle in (pitch_deg, roll_deg))
    about_x = (-math.sin(pitch), 0.0, 0.0, math.cos(pitch))
    about_z = (0.0, 0.0, math.sin(roll), math.cos(roll))
    return product(product(level, about_x), about_z)


def product(first: Rotation, second: Rotation) -> Rotation:
    (x1, y1, z1, w1), (x2, y2, z2, w2) = first, second
    return (
        w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
        w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
        w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
    )


@pytest.mark.parametrize(('pitch_deg', 'roll_deg'), [(0, 0), (20, 0), (-10, 0), (0, 7), (30, -5)])
def test_pose_to_mounting(pitch_deg: float, roll_deg: float) -> None:
    mounting = mounting_from_transform((3.0, -2.0, 0.4), optical_in_floor(pitch_deg, roll_deg))
    assert mounting is not None
    assert mounting.height_m == pytest.approx(0.4)
    assert mounting.pitch_deg == pytest.approx(pitch_deg, abs=1e-6)
    assert mounting.roll_deg == pytest.approx(roll_deg, abs=1e-6)


@pytest.mark.parametrize('height_m', [0.0, -0.3])
def test_a_camera_below_the_floor_has_no_mounting(height_m: float) -> None:
    assert mounting_from_transform((0.0, 0.0, height_m), optical_in_floor(0, 0)) is None


class StandInBuffer:
    """What TfMounting uses of tf2_ros.Buffer, with the service that the real one makes."""

    def __init__(self, node: Node) -> None:
        self.srv = node.create_service(Trigger, 'tf2_frames', lambda _, response: response)
        self.jump_handle = node.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(seconds=-1)),
            post_callback=lambda _: None,
        )
        self.transforms: dict[tuple[str, str], TransformStamped] = {}

    def lookup_transform(self, target: str, source: str, when: Time) -> TransformStamped:
        assert when.nanoseconds == 0  # the newest
        return self.transforms[target, source]


class StandInListener:
    """What TfMounting uses of tf2_ros.TransformListener."""

    def __init__(self, buffer: StandInBuffer, node: Node) -> None:
        self._node = node
        self._subscriptions = [
            node.create_subscription(String, topic, self._hear, 10)
            for topic in ('/stand_in', '/stand_in_static')
        ]

    def _hear(self, message: String) -> None:
        raise AssertionError('nobody publishes')

    def unregister(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)


@pytest.fixture
def node() -> Iterator[Node]:
    rclpy.init()
    node = Node('tf_mounting_test')
    yield node
    node.destroy_node()
    rclpy.shutdown()


@pytest.fixture
def tf2_ros(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType('tf2_ros')
    module.Buffer, module.TransformListener = StandInBuffer, StandInListener
    module.TransformException = KeyError
    monkeypatch.setitem(sys.modules, 'tf2_ros', module)


def entities(node: Node) -> tuple[int, int]:
    return len(list(node.subscriptions)), len(list(node.services))


def transform(height_m: float) -> TransformStamped:
    message = TransformStamped()
    message.transform.translation.z = height_m
    rotation = message.transform.rotation
    rotation.x, rotation.y, rotation.z, rotation.w = optical_in_floor(12.0, -3.0)
    return message


def test_the_mounting_is_looked_up(node: Node, tf2_ros: None) -> None:
    mounting = TfMounting(node, 'base_footprint')
    assert mounting.look_up('camera_optical_frame') is None  # TF does not connect the two
    mounting._buffer.transforms['base_footprint', 'camera_optical_frame'] = transform(0.4)
    found = mounting.look_up('camera_optical_frame')
    assert found is not None
    assert (found.height_m, found.pitch_deg, found.roll_deg) == pytest.approx((0.4, 12.0, -3.0))
    assert mounting.look_up('another_frame') is None
    mounting.close()


def test_close_removes_what_tf2_ros_made_and_may_be_called_twice(
    node: Node, tf2_ros: None
) -> None:
    before = entities(node)
    for _ in range(3):
        mounting = TfMounting(node, 'base_footprint')
        assert entities(node) != before
        mounting.close()
        mounting.close()
        assert mounting.look_up('camera_optical_frame') is None
        assert entities(node) == before


def test_without_tf2_ros_it_says_what_to_do(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'tf2_ros', None)
    before = entities(node)
    with pytest.raises(ConfigurationError, match="got 'base_footprint'; install tf2_ros, or set"):
        TfMounting(node, 'base_footprint')
    assert entities(node) == before


@pytest.mark.skipif(
    importlib.util.find_spec('tf2_py') is None,
    reason='tf2_ros is not on PyPI: run this on a ROS 2 machine',
)
def test_with_the_real_tf2_ros(node: Node) -> None:
    from tf2_msgs.msg import TFMessage

    before = entities(node)
    mounting = TfMounting(node, 'base_footprint')
    stamped = transform(0.4)
    stamped.header.frame_id, stamped.child_frame_id = 'base_footprint', 'camera_optical_frame'
    publisher = node.create_publisher(TFMessage, '/tf_static', qos_profile_latched())
    publisher.publish(TFMessage(transforms=[stamped]))
    deadline = time.monotonic() + 20.0
    while (found := mounting.look_up('camera_optical_frame')) is None:
        assert time.monotonic() < deadline, 'waited in vain for TF'
        rclpy.spin_once(node, timeout_sec=0.05)
    assert (found.height_m, found.pitch_deg, found.roll_deg) == pytest.approx((0.4, 12.0, -3.0))
    mounting.close()
    assert mounting.look_up('camera_optical_frame') is None
    assert entities(node) == before


def qos_profile_latched() -> QoSProfile:
    return QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
