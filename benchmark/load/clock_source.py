# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
A camera and a simulated clock that steps, and what both nodes make of it.

Prints `ready` once both nodes listen, begins at a line on standard input, and prints what it heard
in each phase as JSON. Times are those of this machine's steady clock.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
import json
import sys
import time

from fcrn_depth_ros.ros.messages import camera_info_message
from fcrn_depth_ros.ros.stamps import time_message
import rclpy
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Bool, Header, UInt8

from .phases import Phase, PHASES
from ..node.camera import messages
from ..node.pictures import INPUTS, intrinsics, number

_RATE_HZ = 15.0
_START_NS = 10**9 * 100_000


@dataclass
class Heard:
    """What came in one phase."""

    frames: int = 0
    stops: int = 0
    longest_silence_s: float = 0.0
    last_stop: bool | None = None
    level: int | None = None


class ClockSource:
    """Publishes and listens."""

    def __init__(self) -> None:
        self.node = Node('benchmark_clock_source')
        self.heard = Heard()
        self._level: int | None = None
        self._last_stop_s = time.monotonic()
        self._camera = INPUTS['vga_raw']
        self._pictures = messages(self._camera)
        self._header = Header(frame_id='camera_optical_frame')
        self._info = camera_info_message(self._header, intrinsics(self._camera))
        self._count = 0
        node = self.node
        self._clock = node.create_publisher(ClockMessage, '/clock', 10)
        self._images = node.create_publisher(Image, 'image', 10)
        self._infos = node.create_publisher(CameraInfo, 'camera_info', 10)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        node.create_subscription(Image, 'depth/image_rect', self._take_depth, 10)
        node.create_subscription(Bool, 'stop', self._take_stop, 10)
        node.create_subscription(UInt8, 'alert/level', self._take_level, latched)

    def await_nodes(self) -> None:
        """Wait until depth_node and alert_node are there."""
        while not (self._images.get_subscription_count() and self.node.count_publishers('stop')):
            rclpy.spin_once(self.node, timeout_sec=0.05)

    def play(self, phase: Phase, clock_ns: int, seconds: float) -> int:
        """Play a phase and return the clock at its end."""
        self.heard = Heard(level=self._level)
        clock_ns += round(phase.jump_s * 1e9)
        start_s = time.monotonic()
        for index in range(round(seconds * _RATE_HZ)):
            while (left_s := start_s + index / _RATE_HZ - time.monotonic()) > 0.0:
                rclpy.spin_once(self.node, timeout_sec=left_s)
            if phase.clock_runs:
                clock_ns += round(1e9 / _RATE_HZ)
            self._clock.publish(ClockMessage(clock=time_message(clock_ns)))
            self._publish_picture(clock_ns + round(phase.stamp_offset_s * 1e9))
            # What waits is taken now: a busy machine leaves no time between two pictures.
            rclpy.spin_once(self.node, timeout_sec=0.0)
        self._note_silence()
        self.heard.level = self._level
        return clock_ns

    def _publish_picture(self, stamp_ns: int) -> None:
        picture = self._pictures[self._count % len(self._pictures)]
        number(picture.data, self._camera, self._count)
        self._count += 1
        picture.header.stamp = self._info.header.stamp = time_message(stamp_ns)
        self._infos.publish(self._info)
        self._images.publish(picture)

    def _take_depth(self, message: Image) -> None:
        self.heard.frames += 1

    def _take_stop(self, message: Bool) -> None:
        self._note_silence()
        self._last_stop_s = time.monotonic()
        self.heard.stops += 1
        self.heard.last_stop = message.data

    def _take_level(self, message: UInt8) -> None:
        self._level = message.data

    def _note_silence(self) -> None:
        silence_s = time.monotonic() - self._last_stop_s
        self.heard.longest_silence_s = max(self.heard.longest_silence_s, silence_s)


def main() -> None:
    """Play all phases."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--seconds', type=float, required=True, help='of each phase')
    arguments = parser.parse_args()
    rclpy.init()
    source = ClockSource()
    source.await_nodes()
    print('ready', flush=True)
    sys.stdin.readline()
    clock_ns = _START_NS
    heard = []
    for phase in PHASES:
        clock_ns = source.play(phase, clock_ns, arguments.seconds)
        heard.append({'phase': phase.name, **vars(source.heard)})
    print(json.dumps(heard), flush=True)
    sys.stdin.read()
    source.node.destroy_node()
    rclpy.shutdown()


if __name__ == '__main__':
    main()
