# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a node opens it closes: fifty lifecycle cycles leave everything as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import gc
from pathlib import Path
import sys
import threading
from types import ModuleType
from typing import Any

from fcrn_depth_ros.nodes.alert_node import AlertNode
from fcrn_depth_ros.nodes.depth_node import DepthNode
import pytest
import rclpy
from rclpy.lifecycle import TransitionCallbackReturn
from running_node import parameters
from test_tf_mounting import StandInBuffer, StandInListener
from tiny_models import write_model

pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='needs /proc')

CYCLES = 50
# The first cycles load modules and fill caches.
WARM_UP_CYCLES = 3
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


@pytest.fixture
def context() -> Iterator[None]:
    """Keep rclpy up for one test."""
    rclpy.init()
    yield
    rclpy.shutdown()


def holdings(node: Any) -> dict[str, int]:
    """Count what a node and its process have open."""
    gc.collect()
    return {
        'publishers': len(list(node.publishers)),
        'subscriptions': len(list(node.subscriptions)),
        'timers': len(list(node.timers)),
        'services': len(list(node.services)),
        'clients': len(list(node.clients)),
        'guard conditions': len(list(node.guards)),
        'managed entities': len(node._managed_entities),
        'Python threads': threading.active_count(),
        'threads': len(list(Path('/proc/self/task').iterdir())),
        'file descriptors': len(list(Path('/proc/self/fd').iterdir())),
        'topics of the node': len(
            node.get_publisher_names_and_types_by_node(node.get_name(), node.get_namespace())
        )
        + len(node.get_subscriber_names_and_types_by_node(node.get_name(), node.get_namespace())),
    }


def cycle(node: Any, bad: Mapping[str, Any], good: Mapping[str, Any]) -> None:
    """Fail to configure, then go through every state."""
    node.set_parameters(parameters(bad))
    assert node.trigger_configure() == FAILURE
    node.set_parameters(parameters(good))
    for trigger in (
        node.trigger_configure,
        node.trigger_activate,
        node.trigger_deactivate,
        node.trigger_activate,
        node.trigger_deactivate,
        node.trigger_cleanup,
    ):
        assert trigger() == SUCCESS


def assert_nothing_is_left(node: Any, bad: Mapping[str, Any], good: Mapping[str, Any]) -> None:
    for _ in range(WARM_UP_CYCLES):
        cycle(node, bad, good)
    before = holdings(node)
    for _ in range(CYCLES):
        cycle(node, bad, good)
    assert holdings(node) == before


def test_cycles_of_depth_node_leave_nothing(
    context: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tf2_ros: Any = ModuleType('tf2_ros')
    tf2_ros.Buffer, tf2_ros.TransformListener = StandInBuffer, StandInListener
    tf2_ros.TransformException = KeyError
    monkeypatch.setitem(sys.modules, 'tf2_ros', tf2_ros)
    model = str(write_model(tmp_path / 'tiny.onnx'))
    values = {'autostart': False, 'floor_frame': 'base_footprint'}
    node = DepthNode(parameter_overrides=parameters(values))
    try:
        assert_nothing_is_left(node, {'model_file': '/nowhere/x.onnx'}, {'model_file': model})
    finally:
        node.destroy_node()


def test_cycles_of_alert_node_leave_nothing(context: None, tmp_path: Path) -> None:
    node = AlertNode(parameter_overrides=parameters({'autostart': False, 'realtime_priority': 0}))
    try:
        assert_nothing_is_left(
            node,
            {'buzzer': 'sound', 'buzzer_sound_file': '/nowhere/x.wav'},
            {'buzzer_sound_file': str(tmp_path / 'beeps.wav')},
        )
    finally:
        node.destroy_node()


@pytest.mark.parametrize('context_ends_first', [False, True])
@pytest.mark.parametrize('node_class', [DepthNode, AlertNode])
def test_a_node_that_is_destroyed_while_active_leaves_no_thread(
    node_class: type, context_ends_first: bool, tmp_path: Path
) -> None:
    rclpy.init()
    values: dict[type, Any] = {
        DepthNode: {'model_file': str(write_model(tmp_path / 'tiny.onnx'))},
        AlertNode: {
            'realtime_priority': 0,
            'buzzer': 'sound',
            'buzzer_sound_file': str(tmp_path / 'beeps.wav'),
        },
    }
    before = set(threading.enumerate())
    node = node_class(parameter_overrides=parameters(values[node_class]))
    assert set(threading.enumerate()) > before
    if context_ends_first:
        rclpy.shutdown()
    node.destroy_node()
    assert set(threading.enumerate()) == before
    rclpy.try_shutdown()
