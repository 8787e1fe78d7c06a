# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What is polled arrives when it is asked for, and never wakes the executor."""

from __future__ import annotations

from collections.abc import Iterator, Sized
import time

from fcrn_depth_ros.ros import quality_of_service as qos
from fcrn_depth_ros.ros.polled_subscription import PolledSubscription
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from std_msgs.msg import String

PATIENCE_S = 20.0


@pytest.fixture
def node() -> Iterator[Node]:
    rclpy.init()
    made = Node('polling', namespace='somewhere')
    yield made
    made.destroy_node()
    rclpy.shutdown()


def poll_until(subscription: PolledSubscription, heard: Sized, count: int) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while len(heard) < count and time.monotonic() < deadline_s:
        subscription.poll()
        time.sleep(0.005)


def test_messages_wait_for_the_poll(node: Node) -> None:
    heard: list[str] = []
    subscription = PolledSubscription(
        node, String, 'words', lambda message: heard.append(message.data), qos.signal()
    )
    publisher = node.create_publisher(String, 'words', qos.signal())
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    publisher.publish(String(data='first'))
    poll_until(subscription, heard, 1)
    for word in ('second', 'third'):
        publisher.publish(String(data=word))
    for _ in range(20):
        executor.spin_once(timeout_sec=0.01)
    assert heard == ['first']
    poll_until(subscription, heard, 3)
    assert heard == ['first', 'second', 'third']
    executor.shutdown()
    subscription.close()
    assert node.count_subscribers('/somewhere/words') == 0


def test_raw_messages_come_as_they_are_on_the_wire(node: Node) -> None:
    heard: list[bytes] = []
    subscription = PolledSubscription(
        node, String, 'words', heard.append, qos.signal(), is_raw=True, is_overridable=False
    )
    publisher = node.create_publisher(String, 'words', qos.signal())
    publisher.publish(String(data='first'))
    poll_until(subscription, heard, 1)
    assert deserialize_message(heard[0], String) == String(data='first')
    assert not [
        n for n in node.get_parameters_by_prefix('') if n.startswith('qos_overrides./some')
    ]


def test_a_callback_that_fails_neither_ends_the_caller_nor_the_next_message(node: Node) -> None:
    heard: list[str] = []

    def take(message: String) -> None:
        heard.append(message.data)
        if message.data == 'bad':
            raise ValueError(message.data)

    subscription = PolledSubscription(node, String, 'words', take, qos.signal())
    publisher = node.create_publisher(String, 'words', qos.signal())
    for word in ('bad', 'good'):
        publisher.publish(String(data=word))
    poll_until(subscription, heard, 2)
    assert heard == ['bad', 'good']
