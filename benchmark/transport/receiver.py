# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Takes pictures as depth_node does, and nothing else, in a process of its own.

Prints `ready`, and at the end of standard input, as JSON, stamp and arrival of each picture, what
the middleware lost by its own count, and what depth_node would have warned of.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from typing import Any

from fcrn_depth_ros.ros import quality_of_service as qos
from fcrn_depth_ros.ros.picture_watch import PictureWatch
from fcrn_depth_ros.ros.stamps import nanoseconds
import rclpy
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image


def main() -> None:
    """Receive until standard input closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--compressed', action='store_true')
    parser.add_argument('--reliable', action='store_true')
    arguments = parser.parse_args()
    rclpy.init()
    node = Node('benchmark_receiver')
    watch = PictureWatch(node, time.monotonic)
    frames_ns: list[tuple[int, int]] = []
    problems: list[str] = []
    lost = 0

    def take(message: Any) -> None:
        frames_ns.append((nanoseconds(message.header.stamp), time.time_ns()))

    def lose(event: Any) -> None:
        nonlocal lost
        lost += event.total_count_change

    profile = qos.sensor_input()
    if arguments.reliable:
        profile.reliability = ReliabilityPolicy.RELIABLE
    kind, topic = (
        (CompressedImage, 'image/compressed') if arguments.compressed else (Image, 'image')
    )
    events = SubscriptionEventCallbacks(message_lost=lose)
    subscription = node.create_subscription(kind, topic, take, profile, event_callbacks=events)
    node.create_subscription(
        CameraInfo, 'camera_info', lambda _: watch.count_info(), qos.sensor_input()
    )
    other = 'image' if arguments.compressed else 'image/compressed'
    watch.begin(subscription.topic_name, node.resolve_topic_name(other), arguments.compressed)
    print('ready', flush=True)
    ended = threading.Event()

    def await_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=await_end, name='await_end', daemon=True).start()
    next_look_s = time.monotonic()
    while not ended.is_set():
        rclpy.spin_once(node, timeout_sec=0.1)
        if time.monotonic() >= next_look_s:
            next_look_s += 1.0
            problems.append(watch.look(len(frames_ns), lost))
    heard = {'frames_ns': frames_ns, 'lost': lost}
    print(json.dumps({**heard, 'problems': [text for text in problems if text]}), flush=True)
    node.destroy_node()
    rclpy.shutdown()


if __name__ == '__main__':
    main()
