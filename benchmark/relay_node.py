# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
A node that looks at nothing: each picture is answered by a depth map that was ready before.

What rclpy and the middleware take to bring a picture into a node of Python and a depth map out of
it; no depth node of Python can be less late.
"""

from __future__ import annotations

import argparse

from fcrn_depth_ros.ros import quality_of_service as qos
from fcrn_depth_ros.ros.free_memory import keep_free_memory
from fcrn_depth_ros.ros.messages import depth_image_message
import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from .node.pictures import INPUTS

# As the embedded network gives it.
_DEPTH_SIZE_HW = (112, 144)


class RelayNode(Node):
    """Picture in, the same depth map out, with depth_node's topics and qualities of service."""

    def __init__(self, name: str) -> None:
        super().__init__('relay_node')
        camera = INPUTS[name]
        self._depth_m = np.full(_DEPTH_SIZE_HW, 2.0, np.float32)
        self._publisher = self.create_publisher(
            Image, 'depth/image_rect', qos.sensor_output(), event_callbacks=qos.no_events()
        )
        kind, topic = (
            (CompressedImage, 'image/compressed') if camera.is_compressed else (Image, 'image')
        )
        self.create_subscription(kind, topic, self._answer, qos.sensor_input())

    def _answer(self, message: Image | CompressedImage) -> None:
        self._publisher.publish(depth_image_message(message.header, self._depth_m, '32FC1'))


def main() -> None:
    """Spin until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--input', choices=INPUTS, required=True)
    arguments = parser.parse_args()
    keep_free_memory()  # as depth_node does
    rclpy.init()
    rclpy.spin(RelayNode(arguments.input))


if __name__ == '__main__':
    main()
