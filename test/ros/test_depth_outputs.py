# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A signal goes out where somebody listens, and costs nothing where nobody does."""

from __future__ import annotations

from collections.abc import Iterator
import time
from typing import Any

from fcrn_depth_ros.estimation.onnx_model import embedded_model_path, load_onnx_model
from fcrn_depth_ros.ros import quality_of_service as qos
from fcrn_depth_ros.ros.depth_outputs import DepthOutputs
import pytest
import rclpy
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Bool

PATIENCE_S = 20.0


@pytest.fixture
def node() -> Iterator[LifecycleNode]:
    rclpy.init()
    made = LifecycleNode('outputs', namespace='signals')
    yield made
    made.destroy_node()
    rclpy.shutdown()


def test_only_what_is_heard_is_published(
    node: LifecycleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = DepthOutputs(node, load_onnx_model(embedded_model_path()).card)
    published: list[tuple[str, Any]] = []
    monkeypatch.setattr(
        outputs, '_publish', lambda topic, message: published.append((topic, message.data))
    )
    outputs.publish_unknown()
    assert published == []
    node.create_subscription(Bool, 'proximity/near', print, qos.signal())
    deadline_s = time.monotonic() + PATIENCE_S
    while not outputs.anyone_listens() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    outputs.publish_unknown()
    assert published == [('proximity/near', True)]
    outputs.destroy()
