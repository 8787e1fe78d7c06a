# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The Nav2 examples in config/nav2 name topics, types and limits that fit depth_node."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from fcrn_depth_ros.nodes.depth_node import DepthNode
from fcrn_depth_ros.perception.proximity import ProximityConfig
from fcrn_depth_ros.perception.scan import ScanConfig
import pytest
import rclpy
from rclpy.parameter import Parameter
from sensor_msgs.msg import LaserScan, Range
from tiny_models import write_model
import yaml

NAV2 = Path(__file__).resolve().parents[2] / 'config' / 'nav2'
TYPES = {'range': Range, 'scan': LaserScan, 'LaserScan': LaserScan}


@pytest.fixture(scope='module')
def topics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, type]:
    """Map each topic that depth_node publishes to its type."""
    rclpy.init()
    model = write_model(tmp_path_factory.mktemp('model') / 'tiny.onnx')
    node = DepthNode(parameter_overrides=[Parameter('model_file', value=str(model))])
    try:
        return {publisher.topic_name: publisher.msg_type for publisher in node.publishers}
    finally:
        node.shut_down()
        node.destroy_node()
        rclpy.shutdown()


@pytest.fixture
def monitor() -> dict[str, Any]:
    text = (NAV2 / 'collision_monitor.yaml').read_text()
    return yaml.safe_load(text)['collision_monitor']['ros__parameters']


@pytest.fixture
def costmap() -> dict[str, Any]:
    text = (NAV2 / 'local_costmap.yaml').read_text()
    return yaml.safe_load(text)['local_costmap']['local_costmap']['ros__parameters']


def test_every_source_of_the_collision_monitor_is_published_with_its_type(
    monitor: dict[str, Any], topics: dict[str, type]
) -> None:
    assert monitor['observation_sources']
    for name in monitor['observation_sources']:
        source = monitor[name]
        assert topics[f'/{source["topic"]}'] is TYPES[source['type']]
        assert not source['topic'].startswith('/')  # it follows a namespace
        assert source['enabled']


def test_the_collision_monitor_stops_when_the_distance_is_unknown(
    monitor: dict[str, Any],
) -> None:
    for name in monitor['observation_sources']:
        # A scan of NaN is a valid source without points; a silent Range is an invalid source,
        # unless its timeout is 0.
        assert monitor[name]['type'] == 'range'
        assert monitor[name]['source_timeout'] > 0.0
    assert monitor['source_timeout'] > 0.0


def test_every_polygon_is_ahead_and_triggered_by_one_point(monitor: dict[str, Any]) -> None:
    actions = []
    for name in monitor['polygons']:
        polygon = monitor[name]
        actions.append(polygon['action_type'])
        assert polygon['type'] == 'polygon'
        assert polygon['min_points'] == 1
        points = ast.literal_eval(polygon['points'])
        assert len(points) >= 3
        assert 0.0 < min(x for x, _ in points)
        # "Nothing near" must lie outside.
        assert max(x for x, _ in points) < ProximityConfig().max_range_m
    assert 'stop' in actions


def test_the_obstacle_layer_takes_the_scan_and_clears_nothing(
    costmap: dict[str, Any], topics: dict[str, type]
) -> None:
    layer = costmap['obstacle_layer']
    (name,) = layer['observation_sources'].split()
    source = layer[name]
    assert topics[source['topic']] is TYPES[source['data_type']]
    assert source['marking'] is True
    assert source['clearing'] is False
    assert source['obstacle_max_range'] <= ScanConfig().scan_range_max_m
    assert source['max_obstacle_height'] > source['min_obstacle_height']


def test_the_range_layer_does_not_draw_a_wall_where_nothing_is_near(
    costmap: dict[str, Any], topics: dict[str, type]
) -> None:
    layer = costmap['range_layer']
    for topic in layer['topics']:
        assert topics[topic] is Range
    assert layer['clear_on_max_reading'] is True
    assert layer['no_readings_timeout'] > 0.0
    # VARIABLE is right for min_range below max_range.
    assert layer['input_sensor_type'] == 'VARIABLE'


def test_every_plugin_is_described(costmap: dict[str, Any]) -> None:
    for name in costmap['plugins']:
        assert costmap[name]['plugin'].startswith('nav2_costmap_2d::')
