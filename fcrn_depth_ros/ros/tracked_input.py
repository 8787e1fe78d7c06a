# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A topic whose readings are kept by time: filled by the executor, asked by the worker."""

from __future__ import annotations

from collections.abc import Callable
import threading
from typing import Any, Generic, Protocol, TypeVar

from rclpy.node import Node

from . import quality_of_service as qos

Kept = TypeVar('Kept', covariant=True)


class _Track(Protocol[Kept]):
    fault: str

    def add(self, reading: Any, /) -> None: ...

    def at(self, stamp_ns: int) -> Kept | None: ...


class TrackedInput(Generic[Kept]):
    """
    Listens to a topic, and warns when a reading cannot be used.

    Parameters
    ----------
    node : rclpy.node.Node
        The node that subscribes.
    message_type : type
        Of the topic.
    topic : str
        Its name.
    read : callable
        Message -> what the track takes, and the frame that it is about.
    track : OdometryTrack or HintTrack
        Keeps the readings.
    trouble : str
        What a reading that cannot be used means, for the log.

    Attributes
    ----------
    frame : str
        Of the latest message; empty before the first.

    """

    def __init__(
        self,
        node: Node,
        message_type: type,
        topic: str,
        read: Callable[[Any], tuple[Any, str]],
        track: _Track[Kept],
        trouble: str,
    ) -> None:
        self._node, self._read, self._trouble = node, read, trouble
        self._track = track
        self._lock = threading.Lock()
        self.frame = ''
        self._subscription = node.create_subscription(
            message_type,
            topic,
            self._on_message,
            qos.sensor_input(),
            qos_overriding_options=qos.overridable(),
        )

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def at(self, stamp_ns: int) -> Kept | None:
        """Return what was measured when a picture was taken; None where nothing was."""
        with self._lock:
            return self._track.at(stamp_ns)

    def _on_message(self, message: Any) -> None:
        reading, self.frame = self._read(message)
        with self._lock:
            before = self._track.fault
            self._track.add(reading)
            fault = self._track.fault
        if fault and fault != before:
            self._node.get_logger().warning(f'{self._trouble}: {fault}', throttle_duration_sec=5.0)
