# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
A depth node as tutorials write it: what depth_node is measured against.

cv_bridge, a queue of 10, inference in the callback, and each map stretched from its own minimum
to its own maximum in 8 bits. Only the feeding of the network is read from the model file, so
that both nodes run the same one. Its topics have the names of depth_node's.
"""

from __future__ import annotations

import argparse
from array import array
from typing import Any

import cv2
from fcrn_depth_ros.estimation.model_card import ModelCard
import numpy as np
import onnxruntime
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image


class PlainBridge:
    """The three conversions of cv_bridge that are needed, at its cost."""

    def imgmsg_to_cv2(self, message: Image) -> Any:
        """View the pixels of an image of three channels."""
        return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)

    def compressed_imgmsg_to_cv2(self, message: CompressedImage) -> Any:
        """Decode a JPEG."""
        return cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_ANYCOLOR)

    def cv2_to_imgmsg(self, pixels: Any, encoding: str) -> Image:
        """Copy grey pixels into a message."""
        height, width = pixels.shape
        data = array('B', pixels.tobytes())
        return Image(height=height, width=width, encoding=encoding, step=width, data=data)


def make_bridge() -> Any:
    """Return cv_bridge where it works: its port on PyPI fails with OpenCV 5 and NumPy 2.3."""
    try:
        from cv_bridge import CvBridge

        bridge = CvBridge()
        message = bridge.cv2_to_imgmsg(np.zeros((2, 2, 3), np.uint8), 'rgb8')
        if bridge.imgmsg_to_cv2(message).shape == (2, 2, 3):
            return bridge
    except (AttributeError, ImportError, TypeError):
        pass
    return PlainBridge()


class TutorialNode(Node):
    """Picture in, grey picture out."""

    def __init__(self, model_file: str, threads: int, is_compressed: bool) -> None:
        super().__init__('tutorial_node')
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            model_file, options, providers=['CPUExecutionProvider']
        )
        self.card = ModelCard.from_metadata(self.session.get_modelmeta().custom_metadata_map)
        self.bridge = make_bridge()
        self.publisher = self.create_publisher(Image, 'depth/image_rect', 10)
        if is_compressed:
            self.create_subscription(CompressedImage, 'image/compressed', self.on_compressed, 10)
        else:
            self.create_subscription(Image, 'image', self.on_image, 10)

    def on_image(self, message: Image) -> None:
        """Estimate depth of a raw picture."""
        self.publish_depth(self.bridge.imgmsg_to_cv2(message), message.header)

    def on_compressed(self, message: CompressedImage) -> None:
        """Estimate depth of a JPEG."""
        picture_bgr = self.bridge.compressed_imgmsg_to_cv2(message)
        self.publish_depth(cv2.cvtColor(picture_bgr, cv2.COLOR_BGR2RGB), message.header)

    def publish_depth(self, picture_rgb: Any, header: Any) -> None:
        """Run the network and publish its map."""
        card = self.card
        resized = cv2.resize(picture_rgb, (card.input_width, card.input_height))
        tensor = (resized.astype(np.float32) - card.input_mean) * card.input_scale
        tensor = tensor.astype(np.float32)
        if card.input_layout == 'NCHW':
            tensor = tensor.transpose(2, 0, 1)
        feed = {card.input_name: tensor[None]}
        if card.mounting_input:
            shape = (1, 1, card.input_height, card.input_width)
            feed[card.mounting_input] = np.zeros(shape, np.float32)
        depth = self.session.run([card.output_name], feed)[0].squeeze()
        stretched = (depth - depth.min()) / (depth.max() - depth.min()) * 255.0
        message = self.bridge.cv2_to_imgmsg(stretched.astype(np.uint8), 'mono8')
        message.header = header
        self.publisher.publish(message)


def main() -> None:
    """Spin until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--model', required=True)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--compressed', action='store_true')
    arguments = parser.parse_args()
    rclpy.init()
    rclpy.spin(TutorialNode(arguments.model, arguments.threads, arguments.compressed))


if __name__ == '__main__':
    main()
