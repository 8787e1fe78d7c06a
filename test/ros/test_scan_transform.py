# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Who publishes the transform of the scan's frame, and that it follows the mounting."""

from __future__ import annotations

from collections.abc import Iterator
import importlib.util
import sys
import time
from typing import Any

from builtin_interfaces.msg import Time
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.perception.scan_frame import Quaternion, scan_rotation
from fcrn_depth_ros.ros.scan_transform import (
    DISCOVERY_WAIT_S,
    ScanPose,
    ScanTransform,
    transform_message,
    TransformClaim,
)
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

LEVEL = scan_rotation(None)
POSE = ScanPose('camera_optical_frame', 'camera_scan', LEVEL)
PATIENCE_S = 20.0

needs_tf2_msgs = pytest.mark.skipif(
    importlib.util.find_spec('tf2_msgs') is None,
    reason='tf2_msgs is not on PyPI: run this on a ROS 2 machine',
)


def pitched(pitch_deg: float) -> ScanPose:
    rotation = scan_rotation(CameraMounting(0.3, pitch_deg))
    return ScanPose('camera_optical_frame', 'camera_scan', rotation)


def test_nothing_is_published_before_other_publishers_had_time_to_appear() -> None:
    claim = TransformClaim(wait_s=4.0)
    assert not claim.request(POSE, 100.0)
    assert claim.state == 'waiting 4 s for another publisher of camera_scan'
    assert not claim.request(POSE, 103.9)
    assert claim.request(POSE, 104.0)
    assert claim.state == 'published: camera_optical_frame -> camera_scan'


@pytest.mark.parametrize('is_static', [True, False])
@pytest.mark.parametrize(
    ('parent', 'child'),
    [('base_link', 'camera_scan'), ('/base_link', '/camera_scan'), ('camera_scan', 'sonar')],
)
def test_a_frame_that_tf_has_is_left_alone(is_static: bool, parent: str, child: str) -> None:
    claim = TransformClaim(wait_s=0.0)
    claim.hear(ScanPose(parent, child, LEVEL), is_static=is_static)
    assert not claim.request(POSE, 0.0)
    assert claim.is_taken
    assert claim.state == 'not published: another node publishes camera_scan'


def test_other_frames_and_its_own_message_do_not_take_it() -> None:
    claim = TransformClaim(wait_s=0.0)
    claim.hear(ScanPose('base_link', 'camera_optical_frame', LEVEL), is_static=True)
    assert claim.request(POSE, 0.0)
    claim.hear(POSE, is_static=True)
    assert not claim.is_taken
    assert not claim.request(POSE, 0.1)  # once is enough
    assert claim.state.startswith('published')


def test_a_late_publisher_of_the_frame_takes_it_over() -> None:
    claim = TransformClaim(wait_s=0.0)
    assert claim.request(POSE, 0.0)
    claim.hear(ScanPose('base_link', 'camera_scan', LEVEL), is_static=True)
    assert not claim.request(pitched(30.0), 1.0)
    assert claim.state == 'not published: another node publishes camera_scan'


@pytest.mark.parametrize(('change_deg', 'is_published'), [(0.09, False), (0.11, True)])
def test_it_is_published_again_when_the_mounting_changes(
    change_deg: float, is_published: bool
) -> None:
    claim = TransformClaim(wait_s=0.0)
    assert claim.request(pitched(10.0), 0.0)
    assert claim.request(pitched(10.0 + change_deg), 0.1) is is_published


def test_small_changes_add_up() -> None:
    claim = TransformClaim(wait_s=0.0)
    assert claim.request(pitched(10.0), 0.0)
    assert not claim.request(pitched(10.06), 0.1)
    assert claim.request(pitched(10.12), 0.2)


def test_another_scan_frame_waits_for_other_publishers_again() -> None:
    claim = TransformClaim(wait_s=2.0)
    claim.request(POSE, 0.0)
    assert claim.request(POSE, 2.0)
    other = ScanPose('camera_optical_frame', 'base_scan', LEVEL)
    assert not claim.request(other, 3.0)
    assert claim.request(other, 5.0)


def test_a_transform_heard_before_the_first_request_counts() -> None:
    claim = TransformClaim(wait_s=0.0)
    claim.hear(ScanPose('base_link', 'base_scan', LEVEL), is_static=True)
    assert claim.request(POSE, 0.0)
    assert not claim.request(ScanPose('camera_optical_frame', 'base_scan', LEVEL), 1.0)


@pytest.mark.parametrize(
    ('pose', 'reason'),
    [
        (ScanPose('', '', LEVEL), 'the images have no frame_id'),
        (ScanPose('', 'camera_scan', LEVEL), 'the images have no frame_id'),
        (ScanPose('camera', 'camera', LEVEL), 'scan_frame_id camera is the frame of the images'),
    ],
)
def test_frames_that_make_no_transform(pose: ScanPose, reason: str) -> None:
    claim = TransformClaim(wait_s=0.0)
    assert not claim.request(pose, 0.0)
    assert claim.state == f'not published: {reason}'


def test_the_message_has_no_translation() -> None:
    message = transform_message(
        ScanPose('camera', 'camera_scan', Quaternion(0.1, 0.2, 0.3, 0.4)), Time(sec=3)
    )
    assert (message.header.frame_id, message.child_frame_id) == ('camera', 'camera_scan')
    assert message.header.stamp == Time(sec=3)
    rotation = message.transform.rotation
    assert (rotation.x, rotation.y, rotation.z, rotation.w) == (0.1, 0.2, 0.3, 0.4)
    assert message.transform.translation.x == 0.0


class TwoNodes:
    """A node that publishes the transform, and one beside it."""

    def __init__(self) -> None:
        rclpy.init()
        self.node, self.peer = Node('camera_node'), Node('peer')
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._executor.add_node(self.peer)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self.peer.destroy_node()
        rclpy.shutdown()

    def wait_for(self, condition: Any) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, 'waited in vain'
            self._executor.spin_once(timeout_sec=0.02)

    def late_listener(self) -> list[Any]:
        """Subscribe to /tf_static; what is latched arrives at once."""
        from tf2_msgs.msg import TFMessage

        messages: list[Any] = []
        qos = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.peer.create_subscription(TFMessage, '/tf_static', messages.append, qos)
        return messages


@pytest.fixture
def nodes() -> Iterator[TwoNodes]:
    nodes = TwoNodes()
    yield nodes
    nodes.close()


def update(transform: ScanTransform, pitch_deg: float = 0.0) -> None:
    mounting = CameraMounting(0.3, pitch_deg)
    transform.update('camera_optical_frame', 'camera_scan', mounting, Time(sec=1))


def test_without_tf2_msgs_the_state_says_so(
    nodes: TwoNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'tf2_msgs.msg', None)
    transform = ScanTransform(nodes.node)
    update(transform)
    assert transform.state == 'not published: tf2_msgs is not installed'
    transform.close()


@needs_tf2_msgs
def test_the_transform_is_latched_and_follows_the_mounting(nodes: TwoNodes) -> None:
    transform = ScanTransform(nodes.node, wait_s=0.0)
    update(transform, 10.0)
    update(transform, 20.0)
    messages = nodes.late_listener()
    nodes.wait_for(lambda: messages)
    (stamped,) = messages[-1].transforms
    expected = scan_rotation(CameraMounting(0.3, 20.0))
    assert stamped == transform_message(
        ScanPose('camera_optical_frame', 'camera_scan', expected), Time(sec=1)
    )
    # Its own messages came back, and it publishes all the same.
    for _ in range(20):
        nodes.wait_for(lambda: True)
    update(transform, 30.0)
    nodes.wait_for(lambda: len(messages) == 2)
    assert transform.state == 'published: camera_optical_frame -> camera_scan'
    transform.close()


@needs_tf2_msgs
@pytest.mark.parametrize('topic', ['/tf', '/tf_static'])
def test_another_publisher_is_respected_and_the_latched_transform_withdrawn(
    nodes: TwoNodes, topic: str
) -> None:
    from tf2_msgs.msg import TFMessage

    transform = ScanTransform(nodes.node, wait_s=0.0)
    update(transform)
    publisher = nodes.peer.create_publisher(
        TFMessage, topic, QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    )
    robot = transform_message(ScanPose('base_link', 'camera_scan', LEVEL), Time(sec=5))

    def is_taken() -> bool:
        publisher.publish(TFMessage(transforms=[robot]))
        update(transform)
        return transform.state == 'not published: another node publishes camera_scan'

    nodes.wait_for(is_taken)
    nodes.peer.destroy_publisher(publisher)
    messages = nodes.late_listener()
    nodes.wait_for(lambda: messages)
    assert messages[-1].transforms == []
    transform.close()


@needs_tf2_msgs
def test_close_leaves_nothing_behind(nodes: TwoNodes) -> None:
    before = [len(list(nodes.node.subscriptions)), len(list(nodes.node.publishers))]
    for _ in range(3):
        transform = ScanTransform(nodes.node, wait_s=0.0)
        update(transform)
        transform.close()
        update(transform)  # a frame that was on its way
    after = [len(list(nodes.node.subscriptions)), len(list(nodes.node.publishers))]
    assert after == before
    assert DISCOVERY_WAIT_S > 2.5
