# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A laser scanner beside the camera, from its topic to the scan of each picture."""

from __future__ import annotations

from rclpy.node import Node
from sensor_msgs.msg import LaserScan

from .tracked_input import TrackedInput
from ..scale.range_hint import HintTrack
from ..scale.scan_hint import ScanHint
from ..wire.scan_hint_reading import scan_hint_reading


class ScanHintInput(TrackedInput[ScanHint]):
    """
    Listens to `scan_hint`.

    Parameters
    ----------
    node : rclpy.node.Node
        The node that subscribes.

    """

    def __init__(self, node: Node) -> None:
        super().__init__(
            node, LaserScan, 'scan_hint', _read, HintTrack[ScanHint](), 'scan_hint is not used'
        )


def _read(message: LaserScan) -> tuple[ScanHint, str]:
    return scan_hint_reading(message), message.header.frame_id
