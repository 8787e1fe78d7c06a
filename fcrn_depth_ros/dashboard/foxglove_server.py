# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
What the page records, live, for Foxglove and Lichtblick: a WebSocket server with typed channels.

Foxglove's own SDK serves it, to this machine only. A topic is subscribed to while a viewer shows
it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.node import Node

from .recording import LATCHED, TOPICS, TYPE_NAMES
from ..errors import ConfigurationError
from ..ros import quality_of_service as qos

ADDRESS = '127.0.0.1'
# Messages that wait for a viewer; the oldest goes first.
_BACKLOG = 32


class FoxgloveServer:
    """
    The server, and the subscriptions that its viewers need.

    Parameters
    ----------
    node : rclpy.node.Node
        Subscribes.
    port : int
        0 takes a free one.
    post : callable
        Hands work to the executor's thread.

    Raises
    ------
    ConfigurationError
        If the port is taken, or a package is missing.

    """

    def __init__(self, node: Node, port: int, post: Callable[..., None]) -> None:
        try:
            import foxglove
            from rosbags.typesys import get_typestore, Stores
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f'foxglove_port needs the Python package {error.name}, which is not installed; '
                "run pip install 'fcrn_depth_ros[foxglove]'"
            ) from error
        self._node, self._post = node, post
        self._foxglove = foxglove
        self._types = get_typestore(Stores.LATEST)
        self._context = foxglove.Context()
        self._channels: dict[str, Any] = {}
        self._kinds: dict[str, tuple[type, bool]] = {}
        self._viewers: Counter[str] = Counter()
        self._subscriptions: dict[str, Any] = {}
        try:
            self._server = foxglove.start_server(
                name='fcrn_depth_ros',
                host=ADDRESS,
                port=port,
                # It calls the methods that are there.
                server_listener=self,  # type: ignore[arg-type]
                context=self._context,
                message_backlog_size=_BACKLOG,
            )
        except (OSError, RuntimeError) as error:
            raise ConfigurationError(
                f'foxglove_port must be free, got {port}: {error}; choose another'
            ) from error
        self.port = int(self._server.port)

    # Executor thread -----------------------------------------------------------------------

    def offer(self, namespace: str, picture: str, picture_type: type) -> None:
        """Offer the topics of a robot, and the picture that its depth_node reads, if any."""
        for name, message_type in TOPICS.items():
            topic = name if name.startswith('/') else f'{namespace.rstrip("/")}/{name}'
            self._offer(topic, message_type, name in LATCHED)
        if picture:
            self._offer(picture, picture_type, False)

    def close(self) -> None:
        """Unsubscribe, and end the server."""
        self._server.stop()
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _offer(self, topic: str, message_type: type, is_latched: bool) -> None:
        if topic in self._channels:
            return
        name = TYPE_NAMES[message_type]
        text, _ = self._types.generate_msgdef(name, ros_version=2)
        self._kinds[topic] = message_type, is_latched
        self._channels[topic] = self._foxglove.Channel(
            topic,
            schema=self._foxglove.Schema(name=name, encoding='ros2msg', data=text.encode()),
            message_encoding='cdr',
            context=self._context,
        )

    def _follow(self, topic: str, change: int) -> None:
        self._viewers[topic] += change
        is_wanted = self._viewers[topic] > 0
        if is_wanted and topic not in self._subscriptions:
            message_type, is_latched = self._kinds[topic]
            self._subscriptions[topic] = self._node.create_subscription(
                message_type,
                topic,
                partial(self._send, topic),
                qos.latched() if is_latched else qos.sensor_input(),
                raw=True,
            )
        elif not is_wanted and topic in self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop(topic))

    def _send(self, topic: str, data: bytes) -> None:
        now_ns = int(self._node.get_clock().now().nanoseconds)
        self._channels[topic].log(data, log_time=now_ns)

    # Threads of the server -----------------------------------------------------------------

    def on_subscribe(self, client: Any, channel: Any) -> None:
        """Take notice of a viewer."""
        self._post(self._follow, channel.topic, 1)

    def on_unsubscribe(self, client: Any, channel: Any) -> None:
        """Take notice that a viewer has gone."""
        self._post(self._follow, channel.topic, -1)
