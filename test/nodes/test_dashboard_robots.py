# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The ROS side of the page beside a real alert_node: finding, watching, asking."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import threading
from typing import Any

from fake_robots import wait_for
from fcrn_depth_ros.dashboard.robots import Answer, RecordingPlace, Robots
from fcrn_depth_ros.errors import ConfigurationError
from fcrn_depth_ros.nodes.alert_node import AlertNode
from fcrn_depth_ros.nodes.dashboard import Dashboard
from mcap.reader import make_reader
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import Range
from std_msgs.msg import Bool, String, UInt8

ANSWER_S = 60.0


class Graph:
    """An alert_node, the robots of a page, and an executor in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rclpy.init()
        self.alert = AlertNode()
        self.page = Node('page')
        self.other = self.page.create_publisher(Range, '/two/proximity/range', 1)
        self.robots = Robots(
            self.page, lambda robot: None, lambda: None, RecordingPlace(folder, 1_000_000)
        )
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.alert)
        self.executor.add_node(self.page)
        self._thread = threading.Thread(target=self._spin)
        self._ends = threading.Event()
        self._thread.start()

    def _spin(self) -> None:
        while not self._ends.is_set():
            self.executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        self._ends.set()
        self._thread.join()
        self.alert.shut_down()
        self.executor.shutdown()
        self.alert.destroy_node()
        self.page.destroy_node()
        rclpy.shutdown()

    def parameter(self, name: str) -> Any:
        """Give what the page shows of a parameter of alert_node; None where nothing."""
        view = self.robots.views.get('/')
        shown = view.parameters.nodes.get('alert_node', {}).get(name) if view else None
        return shown

    def set_value(self, name: str, value: Any, node: str = 'alert_node') -> Answer:
        return self.robots.set_parameter('/', node, name, value).result(ANSWER_S)


@pytest.fixture(scope='module')
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    graph = Graph(tmp_path_factory.mktemp('recordings'))
    graph.robots.watch('/')
    wait_for(lambda: graph.parameter('latch'), 'the parameters come')
    yield graph
    graph.close()


def test_robots_are_found_by_their_topics(graph: Graph) -> None:
    wait_for(lambda: graph.robots.names == ('/', '/two'), 'both are found')


def test_bounds_come_from_the_descriptors(graph: Graph) -> None:
    shown = graph.parameter('stop_distance_m')
    assert (shown.kind, shown.value, shown.minimum, shown.maximum) == ('double', 0.5, 0.01, 100.0)
    assert 'STOP' in shown.description


def test_a_change_reaches_the_node_and_comes_back(graph: Graph) -> None:
    assert graph.set_value('caution_distance_m', 1.25) == Answer(True, '')
    assert graph.alert.get_parameter('caution_distance_m').value == 1.25
    wait_for(lambda: graph.parameter('caution_distance_m').value == 1.25, 'it comes back')


def test_a_change_by_somebody_else_is_shown(graph: Graph) -> None:
    graph.alert.set_parameters([Parameter('latch', value=True)])
    wait_for(lambda: graph.parameter('latch').value is True, 'it is shown')


@pytest.mark.parametrize('value', [1000, 'x', True])
def test_a_refusal_is_the_nodes_own(graph: Graph, value: Any) -> None:
    answer = graph.set_value('stop_distance_m', value)
    assert not answer.ok
    assert answer.message.startswith('stop_distance_m must be a finite number in [0.01, 100]')


def test_services_of_the_alert(graph: Graph) -> None:
    muted = graph.robots.call('/', 'mute', True).result(ANSWER_S)
    assert muted == Answer(True, 'muted: the buzzer is silent, the alert works on')
    reset = graph.robots.call('/', 'reset', True).result(ANSWER_S)
    assert not reset.ok and reset.message.startswith('refused')


def test_what_does_not_run_is_named(graph: Graph) -> None:
    answer = graph.robots.call('/two', 'reset', True).result(ANSWER_S)
    assert answer == Answer(False, '/two/alert_node/reset is not there: its node does not run')
    answer = graph.set_value('near_distance_m', 1.0, node='depth_node')
    assert answer == Answer(False, "depth_node of / has reported no parameter 'near_distance_m'")


def test_the_state_is_seen(graph: Graph) -> None:
    view = graph.robots.views['/']
    wait_for(lambda: view.status()['word'] == 'STOP', 'alert_node holds the robot')
    wait_for(lambda: view.diagnostics()['nodes'], 'diagnostics come')


def test_a_recording_can_be_read_back_message_by_message(graph: Graph) -> None:
    graph.other.publish(Range())
    assert graph.robots.record('/', False).result(ANSWER_S) == Answer(False, '/ is not recorded')
    assert graph.robots.record('/', True).result(ANSWER_S).ok
    again = graph.robots.record('/', True).result(ANSWER_S)
    assert not again.ok and 'recorded already' in again.message
    recording = graph.robots._recordings['/']
    wait_for(lambda: recording.file.messages > 10, 'messages come')
    status = graph.robots.recording('/')
    assert status is not None and status['on'] and ' MB in ' in status['text']
    answer = graph.robots.record('/', False).result(ANSWER_S)
    assert answer.ok and str(graph.folder) in answer.message
    assert graph.robots.recording('/') is None
    (path,) = graph.folder.glob('*.mcap')
    kinds = {'/alert/level': UInt8, '/alert/state': String, '/stop': Bool}
    found = {}
    with path.open('rb') as file:
        for schema, channel, message in make_reader(file).iter_messages():
            assert schema is not None and schema.encoding == 'ros2msg'
            if channel.topic in kinds:
                found[channel.topic] = deserialize_message(message.data, kinds[channel.topic])
    assert found['/alert/level'] == UInt8(data=2) and found['/stop'] == Bool(data=True)
    assert found['/alert/state'].data.startswith('STOP: ')
    # With rosbags, which Rerun and others are like, from the definitions in the file.
    with AnyReader([path]) as bag:
        levels = [
            bag.deserialize(data, connection.msgtype).data
            for connection, _, data in bag.messages()
            if connection.topic == '/alert/level'
        ]
    assert levels == [2]


def test_a_folder_that_cannot_be_written_to_is_named(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = graph.folder / 'no_folder'
    file.write_text('')
    monkeypatch.setenv('ROS_HOME', str(file))
    options = {'address': '0.0.0.0', 'port': 0}
    with pytest.raises(ConfigurationError, match='set ROS_HOME to a folder'):
        Dashboard(parameter_overrides=[Parameter(name, value=options[name]) for name in options])


def test_nobody_watching_ends_the_subscriptions(graph: Graph) -> None:
    graph.robots.watch('/two')
    wait_for(lambda: '/two' in graph.robots.views, 'it is watched')
    graph.robots.unwatch('/two')
    wait_for(lambda: '/two' not in graph.robots.views, 'it is not watched any more')
    assert '/' in graph.robots.views
