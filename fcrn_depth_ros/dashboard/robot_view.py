# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
What one robot publishes, while somebody watches it.

The subscriptions exist only while a page is open: what has no subscriber, depth_node does not
compute. Callbacks run in the executor's thread; `status` and `take_frame` may be called from any.

Each wait of rclpy's executor costs as much as encoding a picture, so few topics end it: the depth,
the share of near pixels, and what changes rarely. All else is taken when one of these comes, or a
tenth of a second later. Pictures stay serialized until a page is ready for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
import math
import threading
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
from numpy.typing import NDArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image, LaserScan, PointCloud2, Range
from std_msgs.msg import Bool, Float32, String, UInt8

from .frames import at_most, confidence_part, depth_part, jpeg, near_part, pack
from .parameter_values import ParameterValues
from .remembered import remembered
from .verdict import Heard, judge, Word
from ..camera.depth_encoding import from_millimetres
from ..camera.image_messages import compressed_image_to_rgb, image_to_rgb
from ..errors import FcrnDepthError, ImageFormatError
from ..ros import quality_of_service as qos
from ..ros.polled_subscription import PolledSubscription
from ..ros.serialized_image import read_serialized_image
from ..ros.stamps import serialized_stamp_ns
from ..wire.contents import near_mask
from ..wire.scale_news import SCALE_STATES
from ..wire.stamps import nanoseconds

_KEPT_PICTURES = 12
# What ends no wait is taken this often while nothing else comes.
_POLL_PERIOD_S = 0.1
# A picture that depth does not come for is shown alone after this time.
_DEPTH_PATIENCE_S = 0.6
# So long after a confidence, a depth waits for its own.
_CONFIDENCE_PATIENCE_S = 0.5
_RATE_WINDOW_S = 3.0
_AGES = 30
_PICTURES: dict[str, type] = {
    'sensor_msgs/msg/Image': Image,
    'sensor_msgs/msg/CompressedImage': CompressedImage,
}
# A JPEG of the camera is handed on as it is up to this size.
_LARGEST_JPEG = 200_000
# Finer than what networks of this kind give.
_WIDEST_DEPTH_PX = 320


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
class Serialized:
    """A message as it came, and its stamp."""

    message_type: type
    stamp_ns: int
    data: bytes

    @classmethod
    def of(cls, message_type: type, data: bytes) -> Serialized:
        """Take what a raw subscription has got of a message with a header."""
        return cls(message_type, serialized_stamp_ns(data), data)

    def is_of(self, other: Serialized) -> bool:
        """Return whether both are of the same picture."""
        return self.stamp_ns == other.stamp_ns

    def read(self) -> Any:
        """Return the message, or what has its fields; ImageFormatError where it is none."""
        try:
            if self.message_type is Image:
                return read_serialized_image(self.data)
            return deserialize_message(self.data, self.message_type)
        except Exception as error:  # rclpy: of several kinds
            raise ImageFormatError(
                f'{self.message_type.__name__} must be a message that can be read, got '
                f'{error!r}; see what publishes it'
            ) from error


@dataclass(frozen=True)
class WaitingFrame:
    """Messages of one moment, not yet read nor encoded."""

    number: int
    picture: Serialized | None
    depth: Serialized | None
    color: Serialized | None
    confidence: Serialized | None
    near: Serialized | None
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
        problems = []
        for add in (self._add_picture, self._add_depth, self._add_near):
            # What is wrong with one of them hides no other.
            try:
                add(header, parts)
            except FcrnDepthError as error:
                problems.append(str(error))
        if problems:
            header['problem'] = '; '.join(problems)
        header['age_ms'] = round((self.clock_ns() - newest.stamp_ns) * 1e-6, 1)
        return pack(header, parts)

    def _add_picture(self, header: dict[str, Any], parts: dict[str, bytes]) -> None:
        if self.picture is not None:
            parts['picture'] = _picture_jpeg(self.picture.read())

    def _add_depth(self, header: dict[str, Any], parts: dict[str, bytes]) -> None:
        if self.color is not None:
            parts['color'] = jpeg(image_to_rgb(self.color.read()))
        if self.depth is None:
            return
        depth_m = _map_of(self.depth)
        header['depth'] = {'width': depth_m.shape[1], 'height': depth_m.shape[0]}
        parts['depth'] = depth_part(depth_m)
        if self.confidence is not None:
            confidence = _map_of(self.confidence)
            if confidence.shape == depth_m.shape:
                parts['confidence'] = confidence_part(confidence)

    def _add_near(self, header: dict[str, Any], parts: dict[str, bytes]) -> None:
        if self.near is not None:
            near = near_mask(self.near.read())
            header['near'] = {'width': near.shape[1], 'height': near.shape[0]}
            parts['near'] = near_part(near)


def _map_of(message: Serialized) -> NDArray[np.float32]:
    return at_most(_WIDEST_DEPTH_PX, depth_metres(message.read()))


def depth_metres(message: Any) -> NDArray[np.float32]:
    """
    Read a depth image of REP 118.

    Parameters
    ----------
    message : sensor_msgs.msg.Image
        32FC1 or 16UC1 without padding, as depth_node publishes it; or anything with its fields.

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
            f'{message.height} px; look at what publishes depth/image_rect'
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


def _picture_jpeg(message: Any) -> bytes:
    if not isinstance(message, CompressedImage):
        size = message.height, message.width, 3
        if message.encoding == 'bgr8' and message.width and len(message.data) == math.prod(size):
            # As OpenCV has it.
            return jpeg(np.frombuffer(message.data, np.uint8).reshape(size), is_bgr=True)
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
        self._pictures: deque[Serialized] = deque(maxlen=_KEPT_PICTURES)
        self._lonely: Serialized | None = None
        self._confidence: Serialized | None = None
        self._confidence_s = -math.inf
        self._depth: Serialized | None = None
        self._near_pixels: deque[Serialized] = deque(maxlen=_KEPT_PICTURES)
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
        self._polled: dict[str, PolledSubscription] = {}
        self._picture_topic = ''
        self._wants_confidence = False
        newest = qos.newest_input()
        # depth_node publishes the range before `proximity`, and the near pixels before the depth.
        self._poll_from('depth/near', Image, self._on_near_pixels, qos.sensor_input(), is_raw=True)
        for message_type, topic, callback in (
            (Bool, 'stop', self._on_stop),
            (LaserScan, 'depth/scan', self._on_scan),
            (PointCloud2, 'proximity/memory', self._on_memory),
            (Range, 'proximity/range', self._on_range),
        ):
            self._poll_from(topic, message_type, callback, newest)
        self._wake_by('proximity', Float32, self._on_proximity, newest)
        for message_type, topic, callback in (
            (Bool, 'proximity/scale_verified', self._on_scale),
            (UInt8, 'depth/scale/state', self._on_scale_state),
            (String, 'depth/scale', self._on_scale_text),
            (UInt8, 'alert/level', self._on_level),
            (String, 'alert/state', self._on_state),
        ):
            self._wake_by(topic, message_type, callback, qos.latched())
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(_POLL_PERIOD_S, self.poll, clock=steady)
        self.follow_graph()

    def close(self) -> None:
        """Unsubscribe from everything."""
        self._node.destroy_timer(self._timer)
        for topic in [*self._subscriptions, *self._polled]:
            self._unsubscribe(topic)

    def topic(self, name: str) -> str:
        """Return the full name of a topic of this robot."""
        return f'{self.namespace.rstrip("/")}/{name}'

    def _wake_by(
        self,
        topic: str,
        message_type: type,
        callback: Callable[[Any], None],
        profile: QoSProfile,
        *,
        is_raw: bool = False,
    ) -> None:
        self._subscriptions[topic] = self._node.create_subscription(
            message_type,
            self.topic(topic),
            callback,
            profile,
            raw=is_raw,
            event_callbacks=qos.no_subscription_events(),
        )

    def _poll_from(
        self,
        topic: str,
        message_type: type,
        callback: Callable[[Any], None],
        profile: QoSProfile,
        *,
        is_raw: bool = False,
    ) -> None:
        self._polled[topic] = PolledSubscription(
            self._node,
            message_type,
            topic if topic.startswith('/') else self.topic(topic),
            callback,
            profile,
            is_raw=is_raw,
            is_overridable=False,
        )

    def _unsubscribe(self, topic: str) -> None:
        if topic in self._polled:
            self._polled.pop(topic).close()
        elif topic in self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop(topic))

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
            self._poll_from(
                topic,
                message_type,
                partial(self._on_picture, message_type),
                qos.sensor_input(),
                is_raw=True,
            )
        wanted = {
            'depth/image_rect': not self.parameters.is_relative,
            # The original rule has no metres: its picture is shown instead.
            'depth/image_color': self.parameters.is_relative,
            # depth_node warns of a subscriber that its network has nothing for: only on demand.
            'depth/confidence': self._wants_confidence and not self.parameters.is_relative,
        }
        callbacks = {
            'depth/image_rect': self._on_depth,
            'depth/image_color': self._on_color,
            'depth/confidence': self._on_confidence,
        }
        for name, is_wanted in wanted.items():
            if is_wanted and name not in self._subscriptions:
                self._wake_by(name, Image, callbacks[name], qos.newest_input(), is_raw=True)
            elif not is_wanted:
                self._unsubscribe(name)

    def want_confidence(self, is_wanted: bool) -> None:
        """Subscribe to the confidence, or cease to."""
        self._wants_confidence = is_wanted
        self.follow_graph()

    def poll(self) -> None:
        """Take what has come without ending a wait of the executor."""
        self._timer.reset()
        for subscription in self._polled.values():
            subscription.poll()
        picture, self._lonely = self._lonely, None
        if picture and self._rates['depth'].age_s(time.monotonic()) > _DEPTH_PATIENCE_S:
            self._offer(picture, None, None)

    def _on_picture(self, message_type: type, data: bytes) -> None:
        self._rates['picture'].count(time.monotonic())
        self._lonely = Serialized.of(message_type, data)
        self._pictures.append(self._lonely)

    def _on_depth(self, data: bytes) -> None:
        depth = self._depth = Serialized.of(Image, data)
        self._take_seen(depth.stamp_ns)
        confidence = self._confidence
        if self._wants_confidence and (confidence is None or not confidence.is_of(depth)):
            if time.monotonic() - self._confidence_s < _CONFIDENCE_PATIENCE_S:
                return  # depth_node publishes it after the depth, and each frame is sent once
        self._offer(self._picture_of(depth), depth, None)

    def _on_color(self, data: bytes) -> None:
        color = Serialized.of(Image, data)
        self._take_seen(color.stamp_ns)
        self._offer(self._picture_of(color), None, color)

    def _take_seen(self, stamp_ns: int) -> None:
        self._rates['depth'].count(time.monotonic())
        self._ages_ms.append((self._clock_ns() - stamp_ns) * 1e-6)
        self.poll()

    def _picture_of(self, seen: Serialized) -> Serialized | None:
        return _of_stamp(self._pictures, seen)

    def _offer(
        self,
        picture: Serialized | None,
        depth: Serialized | None,
        color: Serialized | None,
    ) -> None:
        confidence = self._confidence
        if depth is None or confidence is None or not confidence.is_of(depth):
            confidence = None
        seen = depth or color
        near = _of_stamp(self._near_pixels, seen) if seen is not None else None
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

    def _on_confidence(self, data: bytes) -> None:
        confidence = self._confidence = Serialized.of(Image, data)
        self._confidence_s = time.monotonic()
        depth = self._depth
        if depth is not None and depth.is_of(confidence):
            self._offer(self._picture_of(depth), depth, None)

    def _on_near_pixels(self, data: bytes) -> None:
        self._near_pixels.append(Serialized.of(Image, data))

    def _on_scan(self, message: LaserScan) -> None:
        self._scan, self._scan_s = message, time.monotonic()

    def _on_memory(self, message: PointCloud2) -> None:
        self._memory, self._memory_s = message, time.monotonic()

    def _on_proximity(self, message: Float32) -> None:
        self._proximity, self._proximity_s = message.data, time.monotonic()
        self.poll()
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
        self.poll()
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


def _of_stamp(messages: Iterable[Serialized], seen: Serialized) -> Serialized | None:
    return next((message for message in messages if message.is_of(seen)), None)


def _level(status: DiagnosticStatus) -> int:
    # A byte of ROS arrives as bytes of length one.
    return int(status.level[0]) if isinstance(status.level, bytes) else int(status.level)


def _number(value: float) -> float | None:
    """Return a number that JSON knows: None for NaN and infinity."""
    return round(float(value), 4) if math.isfinite(value) else None
