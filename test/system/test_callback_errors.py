# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""No message ends a process, not even one at which rclpy's own callbacks raise."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import subprocess
import sys
import time

import pytest
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from robot import Robot

NODE = """
import sys
from fcrn_depth_ros.ros.process import run_nodes
from rclpy.node import Node
class Failing(Node):
    calls = 0
    exit_status = None
    def __init__(self):
        super().__init__('failing')
        self.create_timer(0.01, self.fail)
    def fail(self):
        self.calls += 1
        if {condition}:
            raise ValueError(f'call {{self.calls}}')
        if self.calls == 60:
            self.exit_status = 7
    def shut_down(self):
        print('shut down', flush=True)
sys.exit(run_nodes([Failing]))
"""


def run(condition: str) -> tuple[int, str]:
    process = subprocess.run(
        [sys.executable, '-c', NODE.format(condition=condition)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=60,
        check=False,
    )
    assert process.stdout == 'shut down\n'
    return process.returncode, process.stderr


def test_a_callback_that_raises_now_and_then_does_not_end_the_process() -> None:
    status, log = run('self.calls <= 19')
    assert status == 7
    assert log.count('a callback must not raise') == 19
    assert 'ValueError: call 19' in log


def test_a_callback_that_raises_all_the_time_ends_it_as_a_failure() -> None:
    status, log = run('True')
    assert status == 1
    assert 'ValueError: call 20' in log and 'call 21' not in log


@pytest.fixture
def robot() -> Iterator[Robot]:
    """Give a robot, and end all its processes."""
    robot = Robot()
    yield robot
    robot.close()


def test_a_parameter_of_a_type_that_does_not_exist_does_not_end_a_node(robot: Robot) -> None:
    alert = robot.start_alert()
    robot.start_source()
    robot.wait_until_driving()
    sent_s = time.monotonic()
    client = robot.node.create_client(SetParameters, 'alert_node/set_parameters')
    robot.wait_for(client.service_is_ready, 'the parameter service')
    bad = Parameter(name='stop_distance_m', value=ParameterValue(type=77))
    client.call_async(SetParameters.Request(parameters=[bad]))
    # Answered by the same thread after it.
    reader = robot.node.create_client(GetParameters, 'alert_node/get_parameters')
    robot.wait_for(reader.service_is_ready, 'the parameter service')
    answer = reader.call_async(GetParameters.Request(names=['stop_distance_m']))
    robot.wait_for(answer.done, 'an answer')
    assert alert.popen.poll() is None
    robot.wait_until_driving()
    assert not any(received.message.data for received in robot.stops.since(sent_s))
    assert alert.end() == 0


@pytest.mark.parametrize(
    ('arguments', 'variables', 'named'),
    [
        (['--params-file', '/nothing.yaml'], {}, '/nothing.yaml'),
        (['--bogus'], {}, '--bogus'),
        (['-r', '__ns:=/bad-ns'], {}, '__ns:=/bad-ns'),
        ([], {'ROS_LOG_DIR': '/proc/nothing'}, '/proc/nothing'),
    ],
)
def test_what_keeps_ros_from_starting_is_one_line(
    arguments: list[str], variables: dict[str, str], named: str
) -> None:
    result = subprocess.run(
        [sys.executable, '-m', 'fcrn_depth_ros.nodes.alert_node', '--ros-args', *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        timeout=60,
    )
    assert result.returncode == 2
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith('error: ROS must be able to start, got ')
    assert named in last
    assert 'Traceback' not in result.stderr
