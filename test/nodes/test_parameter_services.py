# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Parameters through the services that `ros2 param set`, `ros2 param load` and rqt call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import itertools
from pathlib import Path
from typing import Any

from fcrn_depth_ros.nodes.alert_node import AlertNode
from fcrn_depth_ros.nodes.depth_node import DepthNode
import pytest
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.parameter import (
    Parameter,
    parameter_value_to_python,
)
from rclpy.parameter_client import AsyncParameterClient
from running_node import parameters, RunningNode
from sensor_msgs.msg import Range
from std_msgs.msg import String

ROOT = Path(__file__).resolve().parents[2]
NEAR = {
    'stop_distance_m': 0.3,
    'release_distance_m': 0.4,
    'caution_distance_m': 0.5,
    'caution_release_distance_m': 0.6,
}
FAR = {name: distance_m + 3.0 for name, distance_m in NEAR.items()}
# Long timeouts, so that a slow machine cannot make a test fail.
PATIENT = {
    'release_count': 2,
    'assume_scale_verified': True,
    'source_timeout_s': 60.0,
    'max_stamp_age_s': 60.0,
    'realtime_priority': 0,
}


class Served(RunningNode):
    """A running node whose parameters are set and read as the tools do."""

    def call(self, service_type: Any, name: str, **fields: Any) -> Any:
        path = f'{self.node.get_fully_qualified_name()}/{name}'
        client = self.peer.create_client(service_type, path)
        assert client.wait_for_service(timeout_sec=20.0)
        future = client.call_async(service_type.Request(**fields))
        self.wait_for(future.done, path)
        self.peer.destroy_client(client)
        return future.result()

    def set_one(self, name: str, value: Any) -> SetParametersResult:
        message = Parameter(name, value=value).to_parameter_msg()
        return self.call(SetParameters, 'set_parameters', parameters=[message]).results[0]

    def set_all(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            result = self.set_one(name, value)
            assert result.successful, f'{name}: {result.reason}'

    def read(self, names: list[str]) -> list[Any]:
        answer = self.call(GetParameters, 'get_parameters', names=names)
        return [parameter_value_to_python(value) for value in answer.values]


@pytest.fixture
def alert() -> Iterator[Served]:
    running = Served(lambda: AlertNode(parameter_overrides=parameters(PATIENT)))
    yield running
    running.close()


def see(alert: Served, distance_m: float) -> None:
    message = Range(min_range=0.0, max_range=10.0, range=distance_m)
    message.header.stamp = alert.peer.get_clock().now().to_msg()
    alert.publish('proximity/range', message)
    alert.spin(2)


def test_four_distances_are_set_one_by_one_in_every_order(alert: Served) -> None:
    alert.set_one('margin_m', 0.0)
    for order in itertools.permutations(NEAR):
        for target in (FAR, NEAR):
            alert.set_all({name: target[name] for name in order})
            assert alert.read(list(order)) == [target[name] for name in order]


@pytest.mark.parametrize('order', [list(NEAR), list(reversed(NEAR))], ids=['upward', 'downward'])
def test_a_contradiction_in_between_stops_and_then_is_gone(
    alert: Served, order: list[str]
) -> None:
    states = alert.listen(String, 'alert/state')

    def see_until(state: str) -> None:
        def seen() -> bool:
            see(alert, 8.0)
            return bool(states) and states[-1].data.startswith(state)

        alert.wait_for(seen, state)

    see_until('CLEAR')
    ways = []
    for start, target in ((NEAR, FAR), (FAR, NEAR)):
        alert.set_all(start)
        alert.set_one('margin_m', 0.0)
        see_until('CLEAR')
        agrees = []
        for count, name in enumerate(order, 1):
            alert.set_all({name: target[name]})
            mixed = start | {key: target[key] for key in order[:count]}
            stop, release, caution, caution_release = mixed.values()
            agrees.append(stop < release and stop < caution < caution_release)
            if agrees[-1]:
                see_until('CLEAR')
            else:
                alert.wait_for(lambda: states[-1].data.startswith('STOP'), 'STOP')
                for _ in range(4):
                    see(alert, 8.0)
                assert states[-1].data.startswith('STOP')
        ways.append(agrees)
    assert sorted(ways) == [[False, False, False, True], [True] * 4]


def test_an_integer_is_taken_for_a_double(alert: Served) -> None:
    alert.set_all({'caution_release_distance_m': 3, 'caution_distance_m': 2})
    assert alert.read(['caution_distance_m', 'caution_release_distance_m']) == [2.0, 3.0]


def test_a_wrong_type_is_refused_in_our_words(alert: Served) -> None:
    assert alert.set_one('stop_distance_m', 'near').reason.startswith(
        "stop_distance_m must be a finite number in [0.01, 100], got 'near'; meaning: "
    )
    assert alert.read(['stop_distance_m']) == [0.5]


@pytest.mark.parametrize('namespace', ['', '/robot'])
@pytest.mark.parametrize('node_class', [DepthNode, AlertNode])
def test_the_shipped_file_can_be_given_at_start_and_loaded_while_the_node_runs(
    node_class: Any, namespace: str, tmp_path: Path
) -> None:
    """As `--params-file` and `ros2 param load`, which sets one value after the other."""
    name = 'depth_node' if node_class is DepthNode else 'alert_node'
    shipped = (ROOT / 'config' / f'{name}.yaml').read_text()
    path = str(tmp_path / f'{name}.yaml')
    # The process of the tests must not become a real-time one.
    Path(path).write_text(shipped.replace('realtime_priority: 20', 'realtime_priority: 0'))
    arguments = ['--ros-args', '--params-file', path]
    running = Served(lambda: node_class(cli_args=arguments, namespace=namespace))
    try:
        client = AsyncParameterClient(running.peer, running.node.get_fully_qualified_name())
        assert client.wait_for_services(20.0)
        future = client.load_parameter_file(path, use_wildcard=True)
        running.wait_for(future.done, 'the answer')
        assert len(future.result().results) > 20
        assert [result for result in future.result().results if not result.successful] == []
    finally:
        running.close()


def test_a_copy_of_the_shipped_file_holds_in_a_namespace(tmp_path: Path) -> None:
    shipped = (ROOT / 'config' / 'alert_node.yaml').read_text()
    path = tmp_path / 'my.yaml'
    path.write_text(
        shipped.replace('autostart: true', 'autostart: false').replace(
            'margin_m: 0.25', 'margin_m: 0'
        )
    )
    arguments = ['--ros-args', '--params-file', str(path)]
    running = Served(lambda: AlertNode(cli_args=arguments, namespace='/robot'))
    try:
        assert running.read(['autostart', 'margin_m']) == [False, 0.0]
    finally:
        running.close()
