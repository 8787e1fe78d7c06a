# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The transform of the scan's frame, published on /tf_static where TF has none.

tf2_msgs is imported only when a :class:`ScanTransform` is made: the ROS 2 wheels of PyPI lack it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
import threading
import time
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message

from ..camera.mounting import CameraMounting
from ..perception.scan_frame import Quaternion, scan_rotation

# A publisher is found within about 2.5 s. A static transform published before that would replace
# the robot's own in every listener that has it already.
DISCOVERY_WAIT_S = 4.0
# 0.1 degree moves a point at 8 m by 1.4 cm.
_LEAST_CHANGE_DEG = 0.1
# Our own messages come back with a delay; so many are recognised.
_REMEMBERED_POSES = 64


@dataclass(frozen=True)
class ScanPose:
    """Where the scan's frame is: at the origin of `image_frame`, rotated."""

    image_frame: str
    scan_frame: str
    rotation: Quaternion


class TransformClaim:
    """
    The rule who publishes the transform: this node, unless TF has the frame already.

    Parameters
    ----------
    wait_s : float
        How long to wait for other publishers of a frame before it is published here.

    """

    def __init__(self, wait_s: float = DISCOVERY_WAIT_S) -> None:
        self._wait_s = wait_s
        self._published: deque[ScanPose] = deque(maxlen=_REMEMBERED_POSES)
        self._static_frames: set[str] = set()
        self._dynamic_frames: set[str] = set()
        self._scan_frame = ''
        self._since_s = 0.0
        self.state = 'no image yet'

    @property
    def scan_frame(self) -> str:
        """The frame in question; empty before the first request."""
        return self._scan_frame

    @property
    def is_taken(self) -> bool:
        """Whether another node publishes the frame."""
        return self._scan_frame in self._static_frames | self._dynamic_frames

    def hear(self, pose: ScanPose, *, is_static: bool) -> None:
        """
        Take note of a transform that somebody published.

        Parameters
        ----------
        pose : ScanPose
            `image_frame` is its parent, `scan_frame` its child. The frame counts as taken in
            either role: a frame that TF knows as a parent, such as base_link, must not be given
            another parent here.
        is_static : bool
            Whether it came on /tf_static.

        """
        if pose not in self._published:
            frames = self._static_frames if is_static else self._dynamic_frames
            frames |= {pose.image_frame.lstrip('/'), pose.scan_frame.lstrip('/')}

    def request(self, pose: ScanPose, now_s: float) -> bool:
        """
        Decide whether to publish a pose now, and note that it is published.

        Parameters
        ----------
        pose : ScanPose
            Of the newest frame.
        now_s : float
            Steady time in seconds.

        Returns
        -------
        bool
            True where `pose` is to be published.

        """
        if pose.scan_frame != self._scan_frame:
            self._scan_frame, self._since_s = pose.scan_frame, now_s
        self.state = self._reason_against(pose, now_s)
        if self.state:
            return False
        self.state = f'published: {pose.image_frame} -> {pose.scan_frame}'
        last = self._published[-1] if self._published else None
        if (
            last is not None
            and (last.image_frame, last.scan_frame) == (pose.image_frame, pose.scan_frame)
            and last.rotation.angle_to_deg(pose.rotation) < _LEAST_CHANGE_DEG
        ):
            return False
        self._published.append(pose)
        return True

    def _reason_against(self, pose: ScanPose, now_s: float) -> str:
        if not pose.image_frame or not pose.scan_frame:
            return 'not published: the images have no frame_id'
        if pose.image_frame == pose.scan_frame:
            return f'not published: scan_frame_id {pose.scan_frame} is the frame of the images'
        if self.is_taken:
            return f'not published: another node publishes {pose.scan_frame}'
        if now_s - self._since_s < self._wait_s:
            return f'waiting {self._wait_s:g} s for another publisher of {pose.scan_frame}'
        return ''


class ScanTransform:
    """
    Publish the rotation from the scan's level frame to the image's frame on /tf_static.

    Once another publisher of that frame is seen, the transform is withdrawn, so that nobody who
    comes later gets it.

    Parameters
    ----------
    node : rclpy.node.Node
        Owner of the publisher and the subscriptions. Made and closed in its executor's thread.
    monotonic_s : callable
        Steady time in seconds.
    wait_s : float
        How long to wait for other publishers before the first message.

    """

    def __init__(
        self,
        node: Node,
        monotonic_s: Callable[[], float] = time.monotonic,
        wait_s: float = DISCOVERY_WAIT_S,
    ) -> None:
        self._node = node
        self._monotonic_s = monotonic_s
        self._claim = TransformClaim(wait_s)
        self._lock = threading.Lock()  # the worker thread updates, the executor's thread listens
        self._publisher: Any = None
        self._subscriptions: list[Any] = []
        try:
            from tf2_msgs.msg import TFMessage
        except ImportError:
            self._unavailable = 'not published: tf2_msgs is not installed'
            return
        self._unavailable = ''
        self._message_type = TFMessage
        self._publisher = node.create_publisher(TFMessage, '/tf_static', _static_qos(depth=1))
        self._subscriptions = [
            node.create_subscription(
                TFMessage, '/tf_static', self._on_static, _static_qos(depth=100)
            ),
            # Raw, since /tf is busy: only a message that names the frame is decoded.
            node.create_subscription(TFMessage, '/tf', self._on_dynamic, _dynamic_qos(), raw=True),
        ]

    @property
    def state(self) -> str:
        """For diagnostics: published, or why not."""
        return self._unavailable or self._claim.state

    def update(
        self, image_frame: str, scan_frame: str, mounting: CameraMounting | None, stamp: Time
    ) -> None:
        """
        Publish the transform if it is new or has changed; called for every frame.

        Parameters
        ----------
        image_frame, scan_frame : str
            Parent and child.
        mounting : CameraMounting or None
            Where the camera sits; None takes the optical axis as level.
        stamp : builtin_interfaces.msg.Time
            Of the image.

        """
        pose = ScanPose(image_frame.lstrip('/'), scan_frame.lstrip('/'), scan_rotation(mounting))
        with self._lock:
            if self._publisher is not None and self._claim.request(pose, self._monotonic_s()):
                self._publisher.publish(
                    self._message_type(transforms=[transform_message(pose, stamp)])
                )

    def close(self) -> None:
        """Destroy the publisher, which ends the transform, and the subscriptions."""
        with self._lock:
            for subscription in self._subscriptions:
                self._node.destroy_subscription(subscription)
            if self._publisher is not None:
                self._node.destroy_publisher(self._publisher)
            self._subscriptions, self._publisher = [], None

    def _on_static(self, message: Any) -> None:
        self._hear(message, is_static=True)

    def _on_dynamic(self, data: bytes) -> None:
        name = self._claim.scan_frame
        if name and name.encode() + b'\0' in data:
            self._hear(deserialize_message(data, self._message_type), is_static=False)

    def _hear(self, message: Any, *, is_static: bool) -> None:
        with self._lock:
            was_taken = self._claim.is_taken
            for transform in message.transforms:
                rotation = transform.transform.rotation
                self._claim.hear(
                    ScanPose(
                        transform.header.frame_id,
                        transform.child_frame_id,
                        Quaternion(rotation.x, rotation.y, rotation.z, rotation.w),
                    ),
                    is_static=is_static,
                )
            if self._claim.is_taken and not was_taken and self._publisher is not None:
                # An empty message takes the place of the transform that late subscribers get.
                self._publisher.publish(self._message_type())


def transform_message(pose: ScanPose, stamp: Time) -> TransformStamped:
    """
    Make the message of a pose.

    Parameters
    ----------
    pose : ScanPose
        Parent, child and rotation.
    stamp : builtin_interfaces.msg.Time
        Of the image.

    Returns
    -------
    geometry_msgs.msg.TransformStamped
        Without translation.

    """
    message = TransformStamped()
    message.header.stamp = stamp
    message.header.frame_id = pose.image_frame
    message.child_frame_id = pose.scan_frame
    rotation = message.transform.rotation
    rotation.x, rotation.y = pose.rotation.x, pose.rotation.y
    rotation.z, rotation.w = pose.rotation.z, pose.rotation.w
    return message


def _static_qos(depth: int) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


def _dynamic_qos() -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.BEST_EFFORT
    )
