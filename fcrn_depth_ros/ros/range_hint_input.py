# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A range sensor beside the camera, from its topic to its beam in each picture."""

from __future__ import annotations

import threading

from rclpy.node import Node
from sensor_msgs.msg import Range

from . import quality_of_service as qos
from ..scale.range_hint import RangeHint, RangeHintTrack
from ..wire.range_hint_reading import range_hint_reading


class RangeHintInput:
    """
    Listens to `range_hint`; filled by the executor's thread, asked by the worker's.

    Parameters
    ----------
    node : rclpy.node.Node
        The node that subscribes.

    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._track = RangeHintTrack()
        self.frame = ''
        self._subscription = node.create_subscription(
            Range,
            'range_hint',
            self._on_range,
            qos.sensor_input(),
            qos_overriding_options=qos.overridable(),
        )

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def at(self, stamp_ns: int) -> RangeHint | None:
        """Return what was measured when a picture was taken; None where nothing was."""
        with self._lock:
            return self._track.at(stamp_ns)

    def _on_range(self, message: Range) -> None:
        hint = range_hint_reading(message)
        self.frame = message.header.frame_id
        with self._lock:
            before = self._track.fault
            self._track.add(hint)
            fault = self._track.fault
        if fault and fault != before:
            self._node.get_logger().warning(
                f'range_hint is not used: {fault}', throttle_duration_sec=5.0
            )
