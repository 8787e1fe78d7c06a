# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Run one node in this process and talk to it over real DDS, for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
import time
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

PATIENCE_S = 20.0


def parameters(values: Mapping[str, Any]) -> list[Parameter]:
    """Make parameter overrides of names and values."""
    return [Parameter(name, value=value) for name, value in values.items()]


class RunningNode:
    """
    A node under test with a second node beside it that publishes to it and listens to it.

    Parameters
    ----------
    make_node : callable
        Makes the node under test; called while rclpy is up.

    """

    def __init__(self, make_node: Callable[[], Any]) -> None:
        rclpy.init()
        try:
            self.node = make_node()
        except BaseException:
            rclpy.shutdown()
            raise
        self._executor = SingleThreadedExecutor()
        self.peer = Node('peer')
        self._executor.add_node(self.peer)
        self._executor.add_node(self.node)
        self.received: dict[str, list[Any]] = {}
        self._publishers: dict[str, Any] = {}

    def close(self) -> None:
        """Shut the node down as its process would."""
        self.node.shut_down()
        self._executor.shutdown()
        self.node.destroy_node()
        self.peer.destroy_node()
        rclpy.shutdown()

    def listen(self, message_type: type, topic: str) -> list[Any]:
        """Subscribe and give the list that fills with messages; returns when connected."""
        messages = self.received.setdefault(topic, [])
        subscription = self.peer.create_subscription(
            message_type,
            topic,
            messages.append,
            QoSProfile(
                depth=50,
                reliability=ReliabilityPolicy.RELIABLE,
                durability=DurabilityPolicy.VOLATILE,
            ),
        )
        self.wait_for(lambda: self.peer.count_publishers(subscription.topic_name) > 0)
        return messages

    def publish(self, topic: str, message: Any) -> None:
        """Publish to the node under test, once it has subscribed."""
        if topic not in self._publishers:
            self._publishers[topic] = self.peer.create_publisher(type(message), topic, 10)
            self.wait_for(lambda: self._publishers[topic].get_subscription_count() > 0)
        self._publishers[topic].publish(message)

    def wait_for(self, condition: Callable[[], Any], what: str = '') -> Any:
        """Spin until the condition holds, and give its value; fail after a long patience."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            self._executor.spin_once(timeout_sec=0.02)
        raise AssertionError(f'not within {PATIENCE_S:g} s: {what or condition}')

    def spin(self, count: int) -> None:
        """Let both nodes work for a while."""
        for _ in range(count):
            self._executor.spin_once(timeout_sec=0.02)
