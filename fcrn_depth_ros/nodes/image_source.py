# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Publish a folder of pictures, a video or a webcam as `image` and `camera_info`.

A reader thread decodes ahead, a player thread publishes each picture when it is due; the executor
is left to parameters. Stamps are the node's time at publishing. The process ends with 0 at the
end of the recording, with 1 when a webcam stops delivering (it is not reopened: the number of a
webcam that is plugged in again may be another's; let a supervisor start the node anew), and with
2 when the source or its calibration is unusable. Whatever ends one of the threads ends the
process, with a line that says why; a driver that never returns cannot hold it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import closing
import queue
import sys
import threading
import time
from typing import Any

import cv2
import numpy as np
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from ..camera.camera_file import CameraFile
from ..camera.playback import (
    check_utf8,
    FrameSource,
    FrameSourceConfig,
    load_camera_file,
    open_source,
    TimedFrame,
)
from ..errors import ConfigurationError, FcrnDepthError, FrameError, ImageFormatError
from ..ros import quality_of_service as qos
from ..ros.hang_guard import must_end
from ..ros.messages import camera_info_message, image_message
from ..ros.node_settings import ImageSourceSettings, NODE_SETTINGS
from ..ros.parameters import given_options, ParameterGroup
from ..ros.process import run_nodes

# OpenCV gives up a network camera after half a minute.
_OPENING_LIMIT_S = 120.0
_DECODED_AHEAD = 8
_POLL_S = 0.1
# A best-effort subscriber that has just been matched still loses what comes at once.
_SETTLE_S = 1.0
# A publisher that keeps reliably what a subscriber has not taken yet: two seconds of video.
_RELIABLE_DEPTH = 60
_JPEG_QUALITY = 90
_TOLERATED_DELAY_S = 0.05
_ACKNOWLEDGE_S = 2.0
# How long the end of the process waits for a driver that may never return.
_JOIN_S = 1.0


class ImageSource(Node):
    """
    The node `image_source`.

    Parameters
    ----------
    open_frames : callable
        Opens what the parameters name.
    **kwargs
        Passed to rclpy's Node, for example `parameter_overrides`.

    Raises
    ------
    FcrnDepthError
        If the source, its calibration or a parameter is unusable.

    """

    def __init__(
        self, open_frames: Callable[[FrameSourceConfig], FrameSource] = open_source, **kwargs: Any
    ) -> None:
        super().__init__('image_source', **kwargs)
        self.exit_status: int | None = None
        self.published_count = 0
        parameters = ParameterGroup(
            self, NODE_SETTINGS['image_source'], is_configured=lambda: True
        )
        self._source_config = parameters.get(FrameSourceConfig)
        self._config = parameters.get(ImageSourceSettings)
        with must_end('the opening of the source', _OPENING_LIMIT_S):
            self._source = open_frames(self._source_config)
        self._camera_file = load_camera_file(self._source_config)
        self._camera_info: CameraInfo | None = None
        self._image_publishers = self._make_image_publishers()
        self._info_publisher = self._make_publisher(CameraInfo, 'camera_info')
        self._stopping = threading.Event()
        self._decoded: queue.Queue[TimedFrame | Exception | None] = queue.Queue(_DECODED_AHEAD)
        # Daemons: one that is blocked in a driver must not keep the process.
        self._reader = threading.Thread(target=self._read, name='reader', daemon=True)
        self._player = threading.Thread(target=self._play, name='player', daemon=True)
        self.get_logger().info(
            _printable(
                f'plays {self._source.description}, '
                + ('no camera file: uncalibrated' if self._camera_file is None else 'calibrated')
            )
        )
        self._reader.start()
        self._player.start()

    def shut_down(self) -> None:
        """Stop playing."""
        self._stopping.set()
        self._player.join(_JOIN_S)
        self._reader.join(_JOIN_S)
        if self._reader.is_alive():
            self.get_logger().warning(
                f'{self._source.description} has not returned from reading a picture; leaving it'
            )

    def _make_image_publishers(self) -> list[Publisher[Any]]:
        types = {
            'raw': (Image,),
            'compressed': (CompressedImage,),
            'both': (Image, CompressedImage),
        }[self._config.image_transport]
        return [
            self._make_publisher(kind, 'image' if kind is Image else 'image/compressed')
            for kind in types
        ]

    def _make_publisher(self, message_type: type, topic: str) -> Publisher[Any]:
        profile = (
            QoSProfile(depth=_RELIABLE_DEPTH, reliability=ReliabilityPolicy.RELIABLE)
            if self._config.reliable
            else qos.sensor_input()
        )
        return self.create_publisher(
            message_type, topic, profile, qos_overriding_options=qos.overridable()
        )

    # Reader thread -------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            with closing(self._source.frames(self._warn)) as frames:
                for frame in frames:
                    if not self._put(frame):
                        return
            self._put(None)
        except Exception as error:
            # Whatever it is, the player must hear of it, or it would wait for ever.
            self._put(error)

    def _put(self, item: TimedFrame | Exception | None) -> bool:
        while not self._stopping.is_set():
            try:
                self._decoded.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False

    # Player thread -------------------------------------------------------------------------

    def _play(self) -> None:
        status = 1
        try:
            status = self._play_to_the_end()
        finally:
            # The executor waits for nothing else.
            self.exit_status = status

    def _play_to_the_end(self) -> int:
        started_s = time.monotonic()
        failure = ''
        try:
            frames = self._decoded_frames()
            first = next(frames, None)
            if first is not None and self._wait_for_subscribers(first):
                started_s = time.monotonic()
                self._publish_in_time(first, frames, started_s)
                if not self.published_count:
                    raise FrameError('pictures must be publishable, got none; see the warnings')
        except FcrnDepthError as error:
            failure = str(error)
        except Exception as error:
            failure = f'internal error: {error!r}'
        played_s = time.monotonic() - started_s
        if failure:
            self.get_logger().error(_printable(failure))
        self._wait_until_acknowledged()
        self.get_logger().info(f'published {self.published_count} pictures in {played_s:.1f} s')
        if not failure:
            return 0
        return 1 if self.published_count else 2

    def _wait_until_acknowledged(self) -> None:
        if not self._config.reliable:
            return
        deadline_s = time.monotonic() + _ACKNOWLEDGE_S
        for publisher in self._image_publishers:
            while not self._stopping.is_set() and time.monotonic() < deadline_s:
                if publisher.wait_for_all_acked(Duration(seconds=_POLL_S)):
                    break

    def _decoded_frames(self) -> Iterator[TimedFrame]:
        while not self._stopping.is_set():
            reader_lives = self._reader.is_alive()
            try:
                item = self._decoded.get(timeout=_POLL_S)
            except queue.Empty:
                if not reader_lives:
                    raise FrameError(
                        'pictures must be read to their end, got an end without a reason; '
                        'see the log above'
                    ) from None
                continue
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield item

    def _wait_for_subscribers(self, first: TimedFrame) -> bool:
        wanted = self._config.wait_for_subscribers
        if not wanted:
            return True
        deadline_s = time.monotonic() + self._config.wait_timeout_s
        while self._subscriber_count() < wanted and not self._stopping.is_set():
            if time.monotonic() > deadline_s:
                self.get_logger().warning(
                    f'subscribers must be {wanted}, got {self._subscriber_count()} after '
                    f'{self._config.wait_timeout_s:g} s; publishing all the same'
                )
                break
            self._stopping.wait(_POLL_S)
        # They know the camera before the first picture comes.
        settled_s = time.monotonic() + _SETTLE_S
        while time.monotonic() < settled_s and not self._stopping.wait(_POLL_S):
            self._info_publisher.publish(
                self._describe_camera(self._header(), first.image_bgr.shape)
            )
        return not self._stopping.is_set()

    def _subscriber_count(self) -> int:
        return sum(publisher.get_subscription_count() for publisher in self._image_publishers)

    def _publish_in_time(
        self, first: TimedFrame, frames: Iterator[TimedFrame], started_s: float
    ) -> None:
        self._publish(first)
        duration_s = self._source_config.duration_s
        delay_s = -first.due_s
        for frame in frames:
            due_s = frame.due_s + delay_s
            now_s = time.monotonic() - started_s
            if duration_s and max(due_s, now_s) >= duration_s:
                return
            if not self._source.is_live:
                # A player that fell behind goes on at its rate; it does not catch up in a burst.
                delay_s += max(0.0, now_s - due_s - _TOLERATED_DELAY_S)
                if self._stopping.wait(max(0.0, due_s - now_s)):
                    return
            self._publish(frame)

    def _header(self) -> Header:
        return Header(stamp=self.get_clock().now().to_msg(), frame_id=self._config.frame_id)

    def _publish(self, frame: TimedFrame) -> None:
        header = self._header()
        info = self._describe_camera(header, frame.image_bgr.shape)
        try:
            messages = [
                image_message(header, frame.image_bgr, 'bgr8')
                if publisher.msg_type is Image
                else _jpeg_message(header, frame.image_bgr)
                for publisher in self._image_publishers
            ]
        except ImageFormatError as error:
            self._warn(f'picture passed over: {error}')
            return
        self._info_publisher.publish(info)
        for publisher, message in zip(self._image_publishers, messages, strict=True):
            publisher.publish(message)
        self.published_count += 1

    def _warn(self, text: str) -> None:
        self.get_logger().warning(_printable(text))

    def _describe_camera(self, header: Header, shape: tuple[int, ...]) -> CameraInfo:
        height, width = shape[:2]
        info = self._camera_info
        if info is None or (info.height, info.width) != (height, width):
            info = raw_camera_info(self._camera_file, width, height)
            self._camera_info = info
        info.header = header
        return info


def raw_camera_info(camera_file: CameraFile | None, width_px: int, height_px: int) -> CameraInfo:
    """
    Describe pictures as they come from the camera, distortion included.

    Parameters
    ----------
    camera_file : CameraFile or None
        None gives the CameraInfo of an uncalibrated camera: K and P are zero.
    width_px, height_px : int
        Size of the pictures.

    Returns
    -------
    sensor_msgs.msg.CameraInfo
        P is K: the focal length after rectification is left to whoever rectifies.

    Raises
    ------
    ToolInputError
        If the calibration is of pictures of another shape.

    """
    if camera_file is None:
        return CameraInfo(width=width_px, height=height_px)
    lens = camera_file.fitted_to(width_px, height_px).calibration
    info = camera_info_message(Header(), lens.intrinsics)
    info.distortion_model = lens.distortion_model
    # plumb_bob without coefficients is written as five zeros.
    info.d = lens.distortion.tolist() or info.d
    return info


def _jpeg_message(header: Header, image_bgr: np.ndarray) -> CompressedImage:
    try:
        encoded, data = cv2.imencode('.jpg', image_bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    except cv2.error:
        encoded = False
    if not encoded:
        height, width = image_bgr.shape[:2]
        raise ImageFormatError(
            f'picture must be encodable as JPEG, got {width}x{height} px; make it smaller, or '
            'set image_transport to raw'
        )
    return CompressedImage(header=header, format='bgr8; jpeg compressed bgr8', data=data.tobytes())


def _printable(text: str) -> str:
    # A file name that is not UTF-8 is no text that rclpy could log.
    return text.encode('utf-8', 'backslashreplace').decode()


def parse_command_line(arguments: list[str]) -> list[Parameter[Any]]:
    """
    Read the options that stand beside `--ros-args`.

    Parameters
    ----------
    arguments : list of str
        Without the program's name and the ROS arguments.

    Returns
    -------
    list of rclpy.parameter.Parameter
        One for each option given.

    """
    parser = argparse.ArgumentParser(
        prog='image_source',
        description='Publish pictures as image and camera_info.',
        epilog='Every setting is also a ROS parameter: --ros-args -p frame_id:=front_optical',
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--images', metavar='DIR', help='folder of pictures')
    source.add_argument('--video', metavar='FILE', help='video file')
    source.add_argument('--camera', metavar='N', type=int, help='number of a webcam')
    parser.add_argument(
        '--rate',
        metavar='HZ',
        type=float,
        dest='rate_hz',
        help='pictures a second (default: as recorded)',
    )
    parser.add_argument(
        '--duration',
        metavar='S',
        type=float,
        dest='duration_s',
        help='stop after this many seconds',
    )
    parser.add_argument(
        '--camera-file',
        metavar='FILE',
        help='camera.json or ROS calibration YAML',
    )
    parser.add_argument('--loop', action='store_const', const=True, help='start again at the end')
    return given_options(parser, arguments)


def main(args: list[str] | None = None) -> int:
    """Play one source to its end or to a signal."""
    arguments = list(sys.argv if args is None else args)
    try:
        for argument in arguments[1:]:
            check_utf8('argument', argument)
    except ConfigurationError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    overrides = parse_command_line(remove_ros_args(arguments)[1:])
    return run_nodes(
        [lambda: ImageSource(parameter_overrides=overrides)], arguments, tune_transport=True
    )


if __name__ == '__main__':
    sys.exit(main())
