# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
A camera driver: pictures at a fixed rate, from a process of its own.

Prints `ready` once a node has subscribed, starts at a line on standard input, prints the stamps
as JSON at the end, which is no later than that of standard input, and lives until that closes.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from typing import Any

from fcrn_depth_ros.ros.messages import camera_info_message
from fcrn_depth_ros.ros.stamps import time_message
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from .pictures import CameraInput, INPUTS, intrinsics, number, picture_data

# What camera drivers use: reliable, so that every subscription matches.
_QUEUE_DEPTH = 10


def messages(camera: CameraInput) -> list[Any]:
    """Return the messages that are sent in turn; only their stamps change."""
    header = Header(frame_id='camera_optical_frame')
    data = picture_data(camera)
    if camera.is_compressed:
        return [CompressedImage(header=header, format='jpeg', data=jpeg) for jpeg in data]
    return [
        Image(
            header=header,
            height=camera.height_px,
            width=camera.width_px,
            encoding='rgb8',
            step=3 * camera.width_px,
            data=pixels,
        )
        for pixels in data
    ]


def main() -> None:
    """Publish for a while."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--input', choices=INPUTS, required=True)
    parser.add_argument('--rate', type=float, required=True)
    parser.add_argument('--seconds', type=float, required=True)
    arguments = parser.parse_args()
    camera = INPUTS[arguments.input]
    pictures = messages(camera)
    rclpy.init()
    node = Node('benchmark_camera')
    topic = 'image/compressed' if camera.is_compressed else 'image'
    publisher = node.create_publisher(type(pictures[0]), topic, _QUEUE_DEPTH)
    info_publisher = node.create_publisher(CameraInfo, 'camera_info', _QUEUE_DEPTH)
    info = camera_info_message(Header(frame_id='camera_optical_frame'), intrinsics(camera))
    while publisher.get_subscription_count() == 0:
        rclpy.spin_once(node, timeout_sec=0.05)
    print('ready', flush=True)
    sys.stdin.readline()
    stamps_ns = []
    ended = threading.Event()

    def await_end() -> None:
        sys.stdin.read()
        ended.set()

    end = threading.Thread(target=await_end, name='await_end', daemon=True)
    end.start()
    start_s = time.perf_counter()
    for count in range(round(arguments.rate * arguments.seconds)):
        if ended.wait(max(0.0, start_s + count / arguments.rate - time.perf_counter())):
            break
        picture = pictures[count % len(pictures)]
        number(picture.data, camera, count)
        stamps_ns.append(time.time_ns())
        picture.header.stamp = info.header.stamp = time_message(stamps_ns[-1])
        info_publisher.publish(info)
        publisher.publish(picture)
    print(json.dumps({'stamps_ns': stamps_ns}), flush=True)
    end.join()
    node.destroy_node()
    rclpy.shutdown()


if __name__ == '__main__':
    main()
