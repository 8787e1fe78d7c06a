# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A viewer at the Foxglove server: channels, their types, and a message of a real topic."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
import json
import threading
from typing import Any

import aiohttp
from fcrn_depth_ros.dashboard.foxglove_server import FoxgloveServer
from fcrn_depth_ros.errors import ConfigurationError
from fcrn_depth_ros.nodes.demo import free_domain_id
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Bool

pytest.importorskip('foxglove')

PROTOCOL = 'foxglove.sdk.v1'


class Robot:
    """A node that publishes `stop`, and the server beside it."""

    def __init__(self) -> None:
        rclpy.init(domain_id=free_domain_id())
        self.node = Node('robot')
        self.stop = self.node.create_publisher(Bool, '/r/stop', 1)
        self.node.create_timer(0.05, lambda: self.stop.publish(Bool(data=True)))
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.server = FoxgloveServer(self.node, 0, self.executor.create_task)
        self.server.offer('/r', '/camera/rgb', Image)
        self.server.offer('/r', '', Image)  # twice: nothing new
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def _spin(self) -> None:
        while not self._ends.is_set():
            self.executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        self._ends.set()
        self._thread.join()
        self.server.close()
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown()


@pytest.fixture
def robot() -> Iterator[Robot]:
    robot = Robot()
    yield robot
    robot.close()


async def view(port: int) -> tuple[dict[str, Any], bytes]:
    """Subscribe to `stop`; return the channels by topic, and the first message."""
    channels: dict[str, Any] = {}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f'ws://127.0.0.1:{port}', protocols=[PROTOCOL]) as socket,
    ):
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                # 1, subscription (4 bytes), time (8 bytes), message.
                assert message.data[:5] == b'\x01\x07\0\0\0'
                return channels, message.data[13:]
            said = json.loads(message.data)
            for channel in said.get('channels', []):
                channels[channel['topic']] = channel
                if channel['topic'] == '/r/stop':
                    wanted = [{'id': 7, 'channelId': channel['id']}]
                    await socket.send_json({'op': 'subscribe', 'subscriptions': wanted})
    raise AssertionError('the server has closed')


def test_a_viewer_gets_typed_channels_and_only_what_it_asks_for(robot: Robot) -> None:
    assert not robot.server._subscriptions
    channels, data = asyncio.run(asyncio.wait_for(view(robot.server.port), 60))
    assert deserialize_message(data, Bool) == Bool(data=True)
    assert {'/r/depth/near', '/r/alert/state', '/camera/rgb', '/diagnostics'} <= set(channels)
    stop = channels['/r/stop']
    assert (stop['encoding'], stop['schemaName']) == ('cdr', 'std_msgs/msg/Bool')
    assert stop['schemaEncoding'] == 'ros2msg' and 'bool data' in stop['schema']
    assert set(robot.server._subscriptions) <= {'/r/stop'}
    for _ in range(600):
        if not robot.server._subscriptions:
            break
        threading.Event().wait(0.1)
    assert not robot.server._subscriptions  # the viewer has gone


def test_a_taken_port_is_named(robot: Robot) -> None:
    port = robot.server.port
    with pytest.raises(ConfigurationError, match=f'foxglove_port must be free, got {port}'):
        FoxgloveServer(robot.node, port, robot.executor.create_task)
