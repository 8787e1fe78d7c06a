# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
What one robot publishes, while somebody watches it.

The subscriptions exist only while a page is open: what has no subscriber, depth_node does not
compute. Callbacks run in the executor's thread; `status` and `take_frame` may be called from any.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
import math
import threading
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image, LaserScan, PointCloud2, Range
from std_msgs.msg import Bool, Float32, String, UInt8

from .frames import confidence_part, depth_part, jpeg, near_part, pack
from .parameter_values import ParameterValues
from .remembered import remembered
from .verdict import Heard, judge, Word
from ..camera.depth_encoding import from_millimetres
from ..camera.image_messages import compressed_image_to_rgb, image_to_rgb
from ..errors import FcrnDepthError, ImageFormatError
from ..ros import quality_of_service as qos
from ..wire.contents import near_mask
from ..wire.scale_news import SCALE_STATES
from ..wire.stamps import nanoseconds

_KEPT_PICTURES = 12
# A picture that depth does not come for is shown alone after this time.
_DEPTH_PATIENCE_S = 0.6
_RATE_WINDOW_S = 3.0
_AGES = 30
_PICTURES: dict[str, type] = {
    'sensor_msgs/msg/Image': Image,
    'sensor_msgs/msg/CompressedImage': CompressedImage,
}
# A JPEG of the camera is handed on as it is up to this size.
_LARGEST_JPEG = 200_000


class Rate:
    """How often something came lately. Time is an argument."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque(maxlen=200)

    def count(self, now_s: float) -> None:
        """Count one at a steady time."""
        self._times_s.append(now_s)

    def hz(self, now_s: float) -> float:
        """Return the rate over the last seconds."""
        return sum(now_s - time_s < _RATE_WINDOW_S for time_s in self._times_s) / _RATE_WINDOW_S

    def age_s(self, now_s: float) -> float:
        """Return the time since the last one; +Inf before the first."""
        return now_s - self._times_s[-1] if self._times_s else math.inf


@dataclass(frozen=True)
class WaitingFrame:
    """Messages of one moment, not yet encoded."""

    number: int
    picture: Image | CompressedImage | None
    depth: Image | None
    color: Image | None
    confidence: Image | None
    near: Image | None
    clock_ns: Callable[[], int]

    def encode(self) -> bytes:
        """
        Make the message to the page; takes some milliseconds, in a thread of its own.

        Returns
        -------
        bytes
            As :func:`~fcrn_depth_ros.dashboard.frames.pack` returns them.

        """
        header: dict[str, Any] = {'number': self.number}
        parts: dict[str, bytes] = {}
        newest = self.depth or self.color or self.picture
        assert newest is not None
        try:
            if self.picture is not None:
                parts['picture'] = _picture_jpeg(self.picture)
            if self.color is not None:
                parts['color'] = jpeg(image_to_rgb(self.color))
            if self.depth is not None:
                depth_m = depth_metres(self.depth)
                header['depth'] = {'width': depth_m.shape[1], 'height': depth_m.shape[0]}
                parts['depth'] = depth_part(depth_m)
                if self.confidence is not None:
                    confidence = depth_metres(self.confidence)
                    if confidence.shape == depth_m.shape:
                        parts['confidence'] = confidence_part(confidence)
            if self.near is not None:
                near = near_mask(self.near)
                header['near'] = {'width': near.shape[1], 'height': near.shape[0]}
                parts['near'] = near_part(near)
        except FcrnDepthError as error:
            header['problem'] = str(error)
        age_ms = (self.clock_ns() - nanoseconds(newest.header.stamp)) * 1e-6
        header['age_ms'] = round(age_ms, 1)
        return pack(header, parts)


def depth_metres(message: Image) -> NDArray[np.float32]:
    """
    Read a depth image of REP 118.

    Parameters
    ----------
    message : sensor_msgs.msg.Image
        32FC1 or 16UC1 without padding, as depth_node publishes it.

    Returns
    -------
    ndarray of float32, shape (H, W)
        Metres; NaN where unknown.

    Raises
    ------
    ImageFormatError
        If it is anything else.

    """
    order = '>' if message.is_bigendian else '<'
    sample = {'32FC1': 'f4', '16UC1': 'u2'}.get(message.encoding)
    if sample is None or not message.width or not message.height:
        raise ImageFormatError(
            f'depth image must be 32FC1 or 16UC1, got {message.encoding!r} of {message.width}x'
            f'{message.height} px; look at what publishes {message.header.frame_id}'
        )
    samples = np.frombuffer(message.data, dtype=order + sample)
    if samples.size != message.width * message.height:
        raise ImageFormatError(
            f'depth image must hold {message.width}x{message.height} pixels without padding, '
            f'got {samples.size}; publish rows without padding'
        )
    pixels = samples.reshape(message.height, message.width)
    if sample == 'u2':
        return from_millimetres(pixels.astype(np.uint16))
    return pixels.astype(np.float32)


def _picture_jpeg(message: Image | CompressedImage) -> bytes:
    if isinstance(message, Image):
        return jpeg(image_to_rgb(message))
    data = bytes(message.data)
    if data[:2] == b'\xff\xd8' and len(data) <= _LARGEST_JPEG:
        return data
    return jpeg(compressed_image_to_rgb(message))


def picture_of(node: Node, namespace: str) -> tuple[str, type]:
    """Return name and type of the picture that a depth_node reads; no name without a node."""
    try:
        read = node.get_subscriber_names_and_types_by_node('depth_node', namespace)
    except Exception:  # rclpy: NodeNameNonExistentError; depth_node does not run (any more)
        read = []
    for name, type_names in read:
        for type_name in type_names:
            if type_name in _PICTURES:
                return name, _PICTURES[type_name]
    return '', Image


class RobotView:
    """
    The topics of one namespace.

    Parameters
    ----------
    node : rclpy.node.Node
        Subscribes.
    namespace : str
        Of the robot: `/` or `/robot1`.
    on_frame : callable
        Called in the executor's thread when a frame waits.
    on_word : callable
        Called in the executor's thread when the word has changed, or a reading has come below the
        distance of caution.

    """

    def __init__(
        self,
        node: Node,
        namespace: str,
        on_frame: Callable[[], None],
        on_word: Callable[[], None],
    ) -> None:
        self._node, self.namespace = node, namespace
        self._on_frame, self._on_word = on_frame, on_word
        self._word: Word | None = None
        self._is_close = False
        self.parameters = ParameterValues()
        self._lock = threading.Lock()
        self._waiting: WaitingFrame | None = None
        self._number = 0
        self._pictures: deque[Image | CompressedImage] = deque(maxlen=_KEPT_PICTURES)
        self._confidence: Image | None = None
        self._depth: Image | None = None
        self._near_pixels: deque[Image] = deque(maxlen=_KEPT_PICTURES)
        self._rates = {name: Rate() for name in ('picture', 'depth', 'range', 'stop')}
        self._ages_ms: deque[float] = deque(maxlen=_AGES)
        self._level: int | None = None
        self._state = ''
        self._stop: bool | None = None
        self._proximity = math.nan
        self._proximity_s = -math.inf
        self._range: Range | None = None
        self._range_s = -math.inf
        self._scale_verified: bool | None = None
        self._scale_state: int | None = None
        self._scale_text = ''
        self._scan: LaserScan | None = None
        self._scan_s = -math.inf
        self._memory: PointCloud2 | None = None
        self._memory_s = -math.inf
        self._diagnostics: dict[str, tuple[float, DiagnosticStatus]] = {}
        self._subscriptions: dict[str, Any] = {}
        self._picture_topic = ''
        self._wants_confidence = False
        newest = qos.newest_input()
        for message_type, topic, callback, profile in (
            # Published before the depth, it is taken before it; each depth finds its own.
            (Image, 'depth/near', self._on_near_pixels, qos.sensor_input()),
            (Image, 'depth/image_rect', self._on_depth, newest),
            (LaserScan, 'depth/scan', self._on_scan, newest),
            (PointCloud2, 'proximity/memory', self._on_memory, newest),
            (Float32, 'proximity', self._on_proximity, newest),
            (Range, 'proximity/range', self._on_range, newest),
            (Bool, 'proximity/scale_verified', self._on_scale, qos.latched()),
            (UInt8, 'depth/scale/state', self._on_scale_state, qos.latched()),
            (String, 'depth/scale', self._on_scale_text, qos.latched()),
            (Bool, 'stop', self._on_stop, newest),
            (UInt8, 'alert/level', self._on_level, qos.latched()),
            (String, 'alert/state', self._on_state, qos.latched()),
        ):
            self._subscribe(topic, message_type, callback, profile)
        self.follow_graph()

    def close(self) -> None:
        """Unsubscribe from everything."""
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def topic(self, name: str) -> str:
        """Return the full name of a topic of this robot."""
        return f'{self.namespace.rstrip("/")}/{name}'

    def _subscribe(
        self, topic: str, message_type: type, callback: Callable[[Any], None], profile: Any
    ) -> None:
        full = topic if topic.startswith('/') else self.topic(topic)
        self._subscriptions[topic] = self._node.create_subscription(
            message_type, full, callback, profile
        )

    def _unsubscribe(self, topic: str) -> None:
        subscription = self._subscriptions.pop(topic, None)
        if subscription is not None:
            self._node.destroy_subscription(subscription)

    # Executor thread -----------------------------------------------------------------------

    def follow_graph(self) -> None:
        """Subscribe to the picture that depth_node reads, whatever its name, and to extras."""
        topic, message_type = picture_of(self._node, self.namespace)
        if not topic and not self._picture_topic:
            topic = self.topic('image')
        if topic and topic != self._picture_topic:
            self._unsubscribe(self._picture_topic)
            self._pictures.clear()
            self._picture_topic = topic
            self._subscribe(topic, message_type, self._on_picture, qos.newest_input())
        wanted = {
            # A relative map is no distance: depth_node publishes its picture only.
            'depth/image_color': self.parameters.is_relative,
            # depth_node warns of a subscriber that its network has nothing for: only on demand.
            'depth/confidence': self._wants_confidence,
        }
        callbacks = {'depth/image_color': self._on_color, 'depth/confidence': self._on_confidence}
        for name, is_wanted in wanted.items():
            if is_wanted and name not in self._subscriptions:
                self._subscribe(name, Image, callbacks[name], qos.newest_input())
            elif not is_wanted:
                self._unsubscribe(name)

    def want_confidence(self) -> None:
        """Subscribe to the confidence from now on."""
        self._wants_confidence = True
        self.follow_graph()

    def _on_picture(self, message: Image | CompressedImage) -> None:
        now_s = time.monotonic()
        self._rates['picture'].count(now_s)
        self._pictures.append(message)
        if self._rates['depth'].age_s(now_s) > _DEPTH_PATIENCE_S:
            self._offer(message, None, None)

    def _on_depth(self, message: Image) -> None:
        now_s = time.monotonic()
        self._rates['depth'].count(now_s)
        self._depth = message
        stamp_ns = nanoseconds(message.header.stamp)
        self._ages_ms.append((self._clock_ns() - stamp_ns) * 1e-6)
        self._offer(self._picture_of(stamp_ns), message, None)

    def _on_color(self, message: Image) -> None:
        self._rates['depth'].count(time.monotonic())
        stamp_ns = nanoseconds(message.header.stamp)
        self._ages_ms.append((self._clock_ns() - stamp_ns) * 1e-6)
        self._offer(self._picture_of(stamp_ns), None, message)

    def _picture_of(self, stamp_ns: int) -> Image | CompressedImage | None:
        for picture in reversed(self._pictures):
            if nanoseconds(picture.header.stamp) == stamp_ns:
                return picture
        return None

    def _offer(
        self,
        picture: Image | CompressedImage | None,
        depth: Image | None,
        color: Image | None,
    ) -> None:
        confidence = self._confidence
        if depth is None or confidence is None or confidence.header != depth.header:
            confidence = None
        seen = depth or color
        near = next((n for n in self._near_pixels if seen and n.header == seen.header), None)
        with self._lock:
            self._number += 1
            self._waiting = WaitingFrame(
                self._number,
                picture,
                depth,
                color,
                confidence,
                near,
                self._clock_ns,
            )
        self._on_frame()

    def _clock_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _on_confidence(self, message: Image) -> None:
        self._confidence = message
        # It is published after the depth that it belongs to.
        depth = self._depth
        if depth is not None and depth.header == message.header:
            self._offer(self._picture_of(nanoseconds(depth.header.stamp)), depth, None)

    def _on_near_pixels(self, message: Image) -> None:
        self._near_pixels.append(message)

    def _on_scan(self, message: LaserScan) -> None:
        self._scan, self._scan_s = message, time.monotonic()

    def _on_memory(self, message: PointCloud2) -> None:
        self._memory, self._memory_s = message, time.monotonic()

    def _on_proximity(self, message: Float32) -> None:
        self._proximity, self._proximity_s = message.data, time.monotonic()
        self._look_at_word()

    def _on_range(self, message: Range) -> None:
        now_s = time.monotonic()
        self._rates['range'].count(now_s)
        self._range, self._range_s = message, now_s
        # A phone lets the first such reading be felt; alert_node waits for the next.
        is_close = self._asks_for_caution(message)
        if is_close and not self._is_close:
            self._on_word()
        self._is_close = is_close

    def _asks_for_caution(self, message: Range) -> bool:
        """Return whether alert_node will say CAUTION or worse if the next reading agrees."""
        caution_m, margin_m, is_assumed = (
            self.parameters.value('alert_node', name)
            for name in ('caution_distance_m', 'unverified_margin_m', 'assume_scale_verified')
        )
        if not isinstance(caution_m, float) or not isinstance(margin_m, float):
            return False
        is_unverified = message.variance <= 0.0 and not is_assumed
        return bool(message.range < caution_m + (margin_m if is_unverified else 0.0))

    def _on_scale(self, message: Bool) -> None:
        self._scale_verified = message.data

    def _on_scale_state(self, message: UInt8) -> None:
        self._scale_state = message.data

    def _on_scale_text(self, message: String) -> None:
        self._scale_text = message.data

    def _on_stop(self, message: Bool) -> None:
        self._stop = message.data
        self._rates['stop'].count(time.monotonic())

    def _on_level(self, message: UInt8) -> None:
        self._level = message.data

    def _on_state(self, message: String) -> None:
        self._state = message.data
        # The level comes first, and its reason is this one.
        self._look_at_word()

    def _look_at_word(self) -> None:
        word, _ = self._judge(time.monotonic())
        if word is not self._word:
            self._word = word
            self._on_word()

    def on_diagnostics(self, status: DiagnosticStatus) -> None:
        """Take a status of a node of this robot."""
        self._diagnostics[status.name] = (time.monotonic(), status)

    # Any thread ----------------------------------------------------------------------------

    def take_frame(self) -> WaitingFrame | None:
        """Take the newest frame; None where it has been taken."""
        with self._lock:
            waiting, self._waiting = self._waiting, None
        return waiting

    def status(self) -> dict[str, Any]:
        """Return what the page shows beside pictures, as JSON values."""
        now_s = time.monotonic()
        word, reason = self._judge(now_s)
        rates, ages_ms = self._rates, list(self._ages_ms)
        return {
            'type': 'status',
            'robot': self.namespace,
            'word': word.value,
            'reason': reason,
            'stop': self._stop,
            'heartbeat_age_s': _number(rates['stop'].age_s(now_s)),
            'proximity': _number(self._proximity),
            'proximity_age_s': _number(now_s - self._proximity_s),
            'range': self._range_values(now_s),
            'scale_verified': self._scale_verified,
            'scale_contradicted': self._scale_state == SCALE_STATES['contradicted'],
            'scale_text': self._scale_text,
            'scan': self._scan_values(now_s),
            'memory': self._memory_values(now_s),
            'picture_hz': rates['picture'].hz(now_s),
            'depth_hz': rates['depth'].hz(now_s),
            'picture_age_s': _number(rates['picture'].age_s(now_s)),
            'depth_age_s': _number(rates['depth'].age_s(now_s)),
            'latency_ms': _number(float(np.median(ages_ms)) if ages_ms else math.nan),
        }

    def _judge(self, now_s: float) -> tuple[Word, str]:
        return judge(
            Heard(
                self._level,
                self._state,
                self._rates['stop'].age_s(now_s),
                self._proximity,
                now_s - self._proximity_s,
            )
        )

    def _range_values(self, now_s: float) -> dict[str, Any] | None:
        message = self._range
        if message is None:
            return None
        return {
            'm': _number(message.range),
            'max_m': _number(message.max_range),
            'sigma_m': _number(math.sqrt(max(0.0, message.variance))),
            'verified': message.variance > 0.0,
            'close': self._is_close,
            'received_age_s': _number(now_s - self._range_s),
            'age_s': _number((self._clock_ns() - nanoseconds(message.header.stamp)) * 1e-9),
        }

    def _scan_values(self, now_s: float) -> dict[str, Any] | None:
        message = self._scan
        if message is None:
            return None
        return {
            'angle_min': _number(message.angle_min),
            'angle_increment': _number(message.angle_increment),
            'range_max': _number(message.range_max),
            # Unknown (NaN) is null; nothing within the range (REP 117: +Inf) is negative.
            'ranges': [-1 if value == math.inf else _number(value) for value in message.ranges],
            'received_age_s': _number(now_s - self._scan_s),
        }

    def _memory_values(self, now_s: float) -> dict[str, Any] | None:
        message = self._memory
        if message is None:
            return None
        place = [
            self.parameters.value('alert_node', name)
            for name in ('camera_x_m', 'camera_y_m', 'camera_yaw_deg')
        ]
        return {**remembered(message, place), 'received_age_s': _number(now_s - self._memory_s)}

    def diagnostics(self) -> dict[str, Any]:
        """Return the latest status of each node, as JSON values."""
        now_s = time.monotonic()
        return {
            'type': 'diagnostics',
            'robot': self.namespace,
            'nodes': [
                {
                    'name': name,
                    'level': _level(status),
                    'message': status.message,
                    'age_s': _number(now_s - received_s),
                    'values': [[pair.key, pair.value] for pair in status.values],
                }
                for name, (received_s, status) in sorted(self._diagnostics.copy().items())
            ],
        }


def _level(status: DiagnosticStatus) -> int:
    # A byte of ROS arrives as bytes of length one.
    return int(status.level[0]) if isinstance(status.level, bytes) else int(status.level)


def _number(value: float) -> float | None:
    """Return a number that JSON knows: None for NaN and infinity."""
    return round(float(value), 4) if math.isfinite(value) else None
