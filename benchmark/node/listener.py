# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Notes when each depth map arrives, in a process of its own.

Prints `ready` once a node publishes depth, and at the end of standard input, as JSON, the stamp
and the time of arrival of each map, how many were not whole, the last values of depth_node in
/diagnostics, and which networks it has named there.
"""

from __future__ import annotations

import json
import sys
import threading
import time

from diagnostic_msgs.msg import DiagnosticArray
from fcrn_depth_ros.ros.diagnostic_keys import DEPTH_ESTIMATION, MODEL
from fcrn_depth_ros.ros.stamps import nanoseconds
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import Image

# mono8 is what the tutorial node publishes.
_PIXEL_BYTES = {'32FC1': 4, '16UC1': 2, 'mono8': 1}


def main() -> None:
    """Listen until standard input closes."""
    rclpy.init()
    node = Node('benchmark_listener')
    frames_ns: list[tuple[int, int]] = []
    diagnostics: dict[str, str] = {}

    models: list[str] = []
    broken = 0

    def take(message: Image) -> None:
        nonlocal broken
        frames_ns.append((nanoseconds(message.header.stamp), time.time_ns()))
        row = message.width * _PIXEL_BYTES.get(message.encoding, 0)
        is_whole = message.step == row and len(message.data) == row * message.height
        broken += not is_whole

    def read(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith(DEPTH_ESTIMATION):
                diagnostics.update({pair.key: pair.value for pair in status.values})
                if diagnostics[MODEL] not in models[-1:]:
                    models.append(diagnostics[MODEL])

    subscription = node.create_subscription(Image, 'depth/image_rect', take, 50)
    node.create_subscription(DiagnosticArray, '/diagnostics', read, 10)
    while node.count_publishers(subscription.topic_name) == 0:
        rclpy.spin_once(node, timeout_sec=0.05)
    print('ready', flush=True)
    ended = threading.Event()

    def await_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=await_end, name='await_end', daemon=True).start()
    while not ended.is_set():
        rclpy.spin_once(node, timeout_sec=0.1)
    heard = {'frames_ns': frames_ns, 'broken': broken, 'diagnostics': diagnostics}
    print(json.dumps({**heard, 'models': models}), flush=True)
    node.destroy_node()
    rclpy.shutdown()


if __name__ == '__main__':
    main()
