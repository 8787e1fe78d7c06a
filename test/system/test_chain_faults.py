# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Camera, depth_node and alert_node as real processes: whatever link breaks, the robot stops.

No time is asserted here, a busy machine may be slow; `measure_alert.py` measures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import signal
import time

import numpy as np
import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from robot import Robot, RosProcess
from tiny_models import write_model


@dataclass
class Chain:
    """The robot and the two processes in front of its alert_node."""

    robot: Robot
    camera: RosProcess
    depth_node: RosProcess


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """Drive with a network that sees 3 m everywhere, whatever it is shown."""
    model = write_model(tmp_path / 'tiny.onnx', output=np.full((1, 1, 24, 32), 3.0, np.float32))
    robot = Robot()
    try:
        robot.start_alert()
        depth_node = robot.start_node('depth_node', {'model_file': model})
        camera = robot.start_camera()
        robot.wait_until_driving()
        yield Chain(robot, camera, depth_node)
    finally:
        robot.close()


def said_since(robot: Robot, time_s: float) -> list[str]:
    return [received.message.data for received in robot.states.since(time_s)]


@pytest.mark.parametrize(
    ('victim', 'signal_number'),
    [
        ('camera', signal.SIGKILL),
        ('camera', signal.SIGSTOP),
        ('depth_node', signal.SIGKILL),
        ('depth_node', signal.SIGSTOP),
    ],
    ids=['camera unplugged', 'camera hangs', 'depth_node killed', 'depth_node hangs'],
)
def test_a_link_that_dies_or_hangs_stops_the_robot(
    chain: Chain, victim: str, signal_number: int
) -> None:
    fault_s = time.monotonic()
    getattr(chain, victim).send(signal_number)
    chain.robot.wait_until_stopped(fault_s)
    assert chain.robot.state.startswith('STALE: no distance for')
    if signal_number == signal.SIGSTOP:
        getattr(chain, victim).send(signal.SIGCONT)
        chain.robot.wait_until_driving()


@pytest.mark.parametrize(
    ('behaviour', 'state'),
    [
        ('frozen', 'STALE: the same stamp for'),
        ('covered', 'STOP: the distance is unknown'),
        ('old', 'STALE: stamp went back by 3.6e+03 s'),
        ('future', 'STALE: stamp lies 3.6e+03 s in the future'),
    ],
)
def test_pictures_that_cannot_be_trusted_stop_the_robot_until_they_can(
    chain: Chain, behaviour: str, state: str
) -> None:
    fault_s = time.monotonic()
    chain.camera.tell(behaviour)
    chain.robot.wait_until_stopped(fault_s)
    said = said_since(chain.robot, fault_s)
    assert any(text.startswith(state) for text in said), said
    chain.camera.tell('good')
    chain.robot.wait_until_driving()


def test_depth_that_becomes_all_nan_by_a_setting_stops_the_robot(chain: Chain) -> None:
    robot = chain.robot
    client = robot.node.create_client(SetParameters, '/depth_node/set_parameters')
    robot.wait_for(client.service_is_ready, 'the parameter service')
    for farthest_m, stops in ((1.0, True), (10.0, False)):
        change_s = time.monotonic()
        future = client.call_async(
            SetParameters.Request(
                parameters=[Parameter('max_depth_m', value=farthest_m).to_parameter_msg()]
            )
        )
        robot.wait_for(future.done, 'the answer')
        assert future.result().results[0].successful, future.result().results[0].reason
        if stops:
            robot.wait_until_stopped(change_s)
            assert any(
                text.startswith('STOP: the distance is unknown')
                for text in said_since(robot, change_s)
            )
        else:
            robot.wait_until_driving()
