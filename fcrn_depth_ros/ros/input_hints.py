# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Warnings about what depth_node receives: no frame_id, a lens that is not rectified."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node

from ..perception.observation import Observation


class InputHints:
    """
    Warn once per activation about inputs that work, but probably not as meant.

    Parameters
    ----------
    node : rclpy.node.Node
        Logs.

    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.restart()

    def restart(self) -> None:
        """Warn again of everything."""
        self._has_checked_frame_id = self._has_checked_lens = False

    def check_image(self, message: Any, seen: Observation) -> None:
        """Check the first image for a frame_id, and its lens for distortion that stays."""
        if not self._has_checked_frame_id:
            self._has_checked_frame_id = True
            if not message.header.frame_id:
                self._node.get_logger().warning(
                    'frame_id of the image must be the optical frame of the camera, got an empty '
                    'one; TF, rviz2 and Nav2 cannot place the outputs: set it in the driver'
                )
        if not self._has_checked_lens and seen.has_unrectified_distortion:
            self._has_checked_lens = True
            self._node.get_logger().warning(
                'camera_info has lens distortion and rectify is false: that is right for a '
                'rectified image (image_rect) only; for a raw image set rectify to true'
            )


def compressed_topic(node: Node) -> str:
    """
    Return the topic of compressed images, whichever of the two names a user remaps.

    Parameters
    ----------
    node : rclpy.node.Node
        Remappings are those of its command line.

    Returns
    -------
    str
        `image/compressed` where that name is remapped itself, else the remapped `image` with
        `/compressed` after it, as image_transport does.

    """
    direct = node.resolve_topic_name('image/compressed')
    unmapped = f'{node.get_namespace().rstrip("/")}/image/compressed'
    if direct != unmapped:
        return direct
    return f'{node.resolve_topic_name("image")}/compressed'
