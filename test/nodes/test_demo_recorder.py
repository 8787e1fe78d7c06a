# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""When the recorder of the demo lets the pictures come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from fcrn_depth_ros.nodes.demo_recorder import DemoRecorder
import pytest
from running_node import parameters, RunningNode
from sensor_msgs.msg import Image, Range
from std_msgs.msg import Float32

RESULTS = {
    'depth/near': Image,
    'depth/image_rect': Image,
    'proximity': Float32,
    'proximity/range': Range,
}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RunningNode]]:
    started: list[RunningNode] = []

    def make(**values: float) -> RunningNode:
        overrides = parameters({'out': str(tmp_path), **values})
        started.append(RunningNode(lambda: DemoRecorder(parameter_overrides=overrides)))
        return started[-1]

    yield make
    for running in started:
        running.close()


def test_pictures_are_asked_for_once_every_result_is_connected(
    start: Callable[..., RunningNode],
) -> None:
    running = start()
    camera = running.peer.create_publisher(Image, 'image', 10)
    *first, (topic, kind) = RESULTS.items()
    for name, message_type in first:
        running.peer.create_publisher(message_type, name, 10)
    running.wait_for(lambda: camera.get_subscription_count() == 1)
    running.spin(60)
    assert camera.get_subscription_count() == 1
    running.peer.create_publisher(kind, topic, 10)
    running.wait_for(lambda: camera.get_subscription_count() == 2)
    camera.publish(Image())
    running.wait_for(lambda: camera.get_subscription_count() == 1)


def test_without_depth_pictures_are_counted_after_half_of_the_patience(
    start: Callable[..., RunningNode],
) -> None:
    running = start(first_image_timeout_s=400.0)
    camera = running.peer.create_publisher(Image, 'image', 10)
    running.node._started_s -= 100.0
    running.wait_for(lambda: camera.get_subscription_count() == 1)
    running.spin(40)
    assert camera.get_subscription_count() == 1
    running.node._started_s -= 100.0
    assert running.wait_for(lambda: camera.get_subscription_count() == 2)
