# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A range sensor beside the camera, from its topic to its beam in each picture."""

from __future__ import annotations

from rclpy.node import Node
from sensor_msgs.msg import Range

from .tracked_input import TrackedInput
from ..scale.range_hint import RangeHint, RangeHintTrack
from ..wire.range_hint_reading import range_hint_reading


class RangeHintInput(TrackedInput[RangeHint]):
    """
    Listens to `range_hint`.

    Parameters
    ----------
    node : rclpy.node.Node
        The node that subscribes.

    """

    def __init__(self, node: Node) -> None:
        super().__init__(
            node, Range, 'range_hint', _read, RangeHintTrack(), 'range_hint is not used'
        )


def _read(message: Range) -> tuple[RangeHint, str]:
    return range_hint_reading(message), message.header.frame_id
