# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Watch a run from outside and report it: what came in, how late, how near, and the alert.

A process of its own that subscribes to the camera and to what depth_node and alert_node publish.
It ends when the publisher of `image` goes away, or at Ctrl-C, and then writes the report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import math
from pathlib import Path
import sys
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
from numpy.typing import NDArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image, Range
from std_msgs.msg import Float32, String, UInt8

from ..alert.verdict import AlertState
from ..camera.depth_encoding import from_millimetres
from ..camera.image_messages import image_to_rgb
from ..errors import FrameError, ToolInputError
from ..perception.proximity import ProximityConfig
from ..report.drawing import format_distance
from ..report.run_record import KeptFrame, RunRecord, WaitingImages
from ..ros import quality_of_service as qos
from ..ros.depth_account import depth_node_account
from ..ros.diagnostic_keys import DEPTH_ESTIMATION, status_name
from ..ros.diagnostics import Level
from ..ros.parameters import ParameterGroup
from ..ros.process import run_nodes
from ..ros.ros_version import ros_distro
from ..ros.stamps import nanoseconds
from ..settings import setting, Settings
from ..wire.contents import near_mask

_PROGRESS_PERIOD_S = 1.0
_POLL_S = 0.2
# The last frames are still in the works when the camera goes, and diagnostics come at 1 Hz.
_LAST_WORDS_AFTER_S = 0.5
_LAST_WORDS_TIMEOUT_S = 10.0
_QUEUE = 120
# An account is complete only where these arrive of every picture.
_ACCOUNT = ('image', 'depth/near', 'depth/image_rect', 'proximity', 'proximity/range')


@dataclass(frozen=True)
class RecorderConfig(Settings):
    """What is recorded, and where to."""

    out: str = setting(
        'demo_out',
        'Folder for summary.json, contact_sheet.png and the video; made if missing.',
        read_only=True,
    )
    reliable: bool = setting(
        True,
        'Ask for every picture of `image`; false for a camera that publishes best effort.',
        read_only=True,
    )
    first_image_timeout_s: float = setting(
        60.0,
        'Give up when no picture has come after this many seconds.',
        minimum=0.1,
        maximum=86400.0,
        read_only=True,
    )


class DemoRecorder(Node):
    """
    The node `demo_recorder`.

    It has depth_node's parameters of proximity too, for the captions. A second subscription to
    `image`, until the first picture, tells image_source that depth_node's outputs are connected:
    pictures that went out before would be missing in the account. Where they never are, it comes
    after half of `first_image_timeout_s`.

    Parameters
    ----------
    **kwargs
        Passed to rclpy's Node, for example `parameter_overrides`.

    Raises
    ------
    FcrnDepthError
        If a parameter is unusable, or the folder cannot be made.

    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('demo_recorder', **kwargs)
        self.exit_status: int | None = None
        parameters = ParameterGroup(
            self, (RecorderConfig, ProximityConfig), is_configured=lambda: True
        )
        self._config = parameters.get(RecorderConfig)
        self._folder = _make_folder(self._config.out)
        proximity = parameters.get(ProximityConfig)
        self._max_range_m = proximity.max_range_m
        self._record = RunRecord(proximity)
        self._images: WaitingImages[Image] = WaitingImages()
        self._near: WaitingImages[Image] = WaitingImages()
        self._started_s = self._progress_s = time.monotonic()
        self._progress_count = 0
        self._camera_seen = False
        self._ended_s: float | None = None
        self._last_diagnostics_s = -math.inf
        namespace = self.get_namespace().rstrip('/')
        self._depth_status_name = status_name(f'{namespace}/depth_node', DEPTH_ESTIMATION)
        self._depth_node_level = Level.OK
        self._depth_node_text = ''
        self._connections = self._subscribe()
        self._connected: Subscription[Image] | None = None
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_PROGRESS_PERIOD_S, self._show_progress, clock=steady)
        self.create_timer(_POLL_S, self._look_for_the_end, clock=steady)

    def shut_down(self) -> None:
        """Write the report."""
        try:
            for path in self._record.write(self._folder, ros_distro()):
                _print(f'wrote {path}')
        except ToolInputError as error:
            print(f'error: {error}', file=sys.stderr)
            self.exit_status = 2
        self._print_account()
        if self.exit_status is None:
            self.exit_status = 0
        if not self._record.processed_count:
            self._print_error()
            self.exit_status = 1

    def _subscribe(self) -> list[Subscription[Any]]:
        reliability = (
            ReliabilityPolicy.RELIABLE if self._config.reliable else ReliabilityPolicy.BEST_EFFORT
        )
        pictures = QoSProfile(depth=_QUEUE, reliability=reliability)
        results = QoSProfile(depth=_QUEUE, reliability=ReliabilityPolicy.RELIABLE)
        subscriptions: tuple[tuple[type, str, Callable[..., None], QoSProfile], ...] = (
            (Image, 'image', self._on_image, pictures),
            # Published before the depth, it is taken before it.
            (Image, 'depth/near', self._on_near, results),
            (Image, 'depth/image_rect', self._on_depth, results),
            (Float32, 'proximity', self._on_proximity, results),
            (Range, 'proximity/range', self._on_range, results),
            (UInt8, 'alert/level', self._on_level, qos.latched()),
            (String, 'alert/state', self._on_state, qos.latched()),
            (DiagnosticArray, '/diagnostics', self._on_diagnostics, results),
        )
        made = {
            topic: self.create_subscription(message_type, topic, callback, profile)
            for message_type, topic, callback, profile in subscriptions
        }
        return [made[topic] for topic in _ACCOUNT]

    def _ask_for_pictures(self) -> None:
        patience_s = self._config.first_image_timeout_s / 2.0
        connected = all(topic.get_publisher_count() for topic in self._connections)
        if self._connected is None and (connected or self._elapsed_s() > patience_s):
            self._connected = self.create_subscription(Image, 'image', _ignore, 1)

    def _on_image(self, message: Image) -> None:
        if not self._record.published_count:
            self._started_s = self._progress_s = time.monotonic()
            if self._connected is not None:
                self.destroy_subscription(self._connected)
        stamp_ns = nanoseconds(message.header.stamp)
        self._record.add_image(stamp_ns)
        self._images.put(stamp_ns, message)

    def _on_near(self, message: Image) -> None:
        self._near.put(nanoseconds(message.header.stamp), message)

    def _on_depth(self, message: Image, info: dict[str, int]) -> None:
        stamp_ns = nanoseconds(message.header.stamp)
        # When the publisher handed it to DDS: what this process needs to take it is not counted.
        self._record.add_depth(stamp_ns, info['source_timestamp'])
        image, near = self._images.take(stamp_ns), self._near.take(stamp_ns)
        if image is None or not self._record.wants_picture(stamp_ns):
            return
        try:
            self._record.keep(
                KeptFrame(
                    stamp_ns,
                    image_to_rgb(image),
                    _depth_m(message),
                    None if near is None else near_mask(near),
                )
            )
        except FrameError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=_PROGRESS_PERIOD_S)

    def _on_proximity(self, message: Float32) -> None:
        self._record.add_proximity(message.data)

    def _on_range(self, message: Range) -> None:
        self._record.add_nearest(nanoseconds(message.header.stamp), message.range)

    def _on_level(self, message: UInt8, info: dict[str, int]) -> None:
        try:
            self._record.add_state(info['source_timestamp'], AlertState(message.data))
        except ValueError:
            self.get_logger().warning(
                f'alert/level must be 0 to 4, got {message.data}; left out of the report',
                throttle_duration_sec=_PROGRESS_PERIOD_S,
            )

    def _on_state(self, message: String) -> None:
        _print(f'{self._elapsed_s():6.1f} s  alert: {message.data}')

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == self._depth_status_name:
                self._record.add_account(depth_node_account(status))
                self._last_diagnostics_s = time.monotonic()
                self._depth_node_level = Level(status.level)
                self._depth_node_text = status.message

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started_s

    def _show_progress(self) -> None:
        record, now_s = self._record, time.monotonic()
        if not record.published_count or self._ended_s is not None:
            return
        rate_hz = (record.processed_count - self._progress_count) / max(
            now_s - self._progress_s, 1e-3
        )
        self._progress_count, self._progress_s = record.processed_count, now_s
        _print(
            f'{self._elapsed_s():6.1f} s  {record.published_count} images, '
            f'{record.processed_count} depth maps, {rate_hz:4.1f} Hz  nearest '
            f'{format_distance(record.last_nearest_m, self._max_range_m)}  '
            + ('' if record.last_state is None else record.last_state.name)
        )

    def _look_for_the_end(self) -> None:
        now_s = time.monotonic()
        published = self.count_publishers('image') > 0
        camera_left = self._camera_seen and not published
        self._camera_seen |= published
        if not self._record.published_count:
            self._ask_for_pictures()
            if (
                camera_left
                or self._depth_node_level is Level.ERROR
                or self._elapsed_s() > self._config.first_image_timeout_s
            ):
                self.exit_status = 1
        elif self._ended_s is None:
            if camera_left:
                self._ended_s = now_s
        elif (
            self._last_diagnostics_s > self._ended_s + _LAST_WORDS_AFTER_S
            or now_s > self._ended_s + _LAST_WORDS_TIMEOUT_S
        ):
            self.exit_status = 0

    def _print_account(self) -> None:
        record = self._record
        dropped = record.dropped_count
        reasons = ', '.join(f'{count} {reason}' for reason, count in record.drop_reasons.items())
        _print(
            f'{record.published_count} images published = {record.processed_count} processed '
            f'+ {"unknown" if dropped is None else dropped} dropped'
            + (f' ({reasons})' if reasons else '')
        )
        if times := record.times():
            _print(times)
        if dropped is None or record.unaccounted_count():
            _print(
                f'{record.unaccounted_count()} images are not accounted for: they were lost on '
                'the way, or depth_node was not asked after the last one'
            )

    def _print_error(self) -> None:
        if not self._record.published_count and self._depth_node_level is not Level.ERROR:
            reason = (
                f'image must be published, got none in {self._elapsed_s():.0f} s; check '
                'that image_source runs in the same ROS_DOMAIN_ID'
            )
        else:
            reason = (
                'depth/image_rect must be published, got none; depth_node reports: '
                f'{self._depth_node_text or "nothing, is it running?"}'
            )
        print(f'error: {reason}', file=sys.stderr)


def _make_folder(path: str) -> Path:
    folder = Path(path).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / '.writable'
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ToolInputError(
            f'out must be a folder that can be written to, got {folder}: {error.strerror}; '
            'choose another'
        ) from error
    return folder


def _ignore(message: Image) -> None:
    pass


def _depth_m(message: Image) -> NDArray[np.float32]:
    size = message.height, message.width
    if message.encoding == '16UC1':
        return from_millimetres(np.frombuffer(message.data, np.uint16).reshape(size))
    return np.frombuffer(message.data, np.float32).reshape(size)


def _print(line: str) -> None:
    print(line, flush=True)


def main(args: list[str] | None = None) -> int:
    """Record one run and write its report."""
    return run_nodes([DemoRecorder], args, tune_transport=True)


if __name__ == '__main__':
    sys.exit(main())
