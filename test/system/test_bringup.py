# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Both nodes by one command: they end with it, and one that dies is started again."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import signal
import sys
import time

import numpy as np
import pytest
from robot import Robot, RosProcess
from tiny_models import write_model


@pytest.fixture
def robot() -> Iterator[Robot]:
    """Give a robot, and end all its processes."""
    robot = Robot()
    yield robot
    robot.close()


def start_chain(robot: Robot, folder: Path) -> RosProcess:
    """Start bringup and a camera; the network sees 3 m everywhere, whatever it is shown."""
    model = write_model(folder / 'tiny.onnx', output=np.full((1, 1, 24, 32), 3.0, np.float32))
    robot.start_camera()
    return robot.start_node(
        'bringup', {'alert_node:assume_scale_verified': True, 'depth_node:model_file': model}
    )


def children(process: RosProcess) -> dict[str, int]:
    """Give the process ids of the nodes that bringup started."""
    path = Path(f'/proc/{process.popen.pid}/task/{process.popen.pid}/children')
    commands = {
        int(pid): Path(f'/proc/{pid}/cmdline').read_bytes().split(b'\0')
        for pid in path.read_text().split()
    }
    return {
        name: pid
        for name in ('alert_node', 'depth_node')
        for pid, command in commands.items()
        if f'fcrn_depth_ros.nodes.{name}'.encode() in command
    }


def is_gone(pid: int) -> bool:
    """Return whether a process has ended, even where nobody has asked for its status yet."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] == 'Z'
    except FileNotFoundError:
        return True


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='needs /proc')
@pytest.mark.parametrize(
    ('signal_number', 'status'),
    [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)],
    ids=['SIGTERM', 'SIGINT', 'killed'],
)
def test_the_end_of_bringup_sends_a_final_stop_and_nobody_stays(
    robot: Robot, signal_number: int, status: int
) -> None:
    bringup = robot.start_node('bringup')
    robot.wait_for(lambda: robot.stops, 'the heartbeat')
    pids = children(bringup)
    assert sorted(pids) == ['alert_node', 'depth_node']
    bringup.send(signal_number)
    robot.wait_for(lambda: bringup.popen.poll() is not None, 'the end of bringup')
    assert bringup.popen.returncode == status
    robot.wait_for(lambda: all(map(is_gone, pids.values())), 'the end of both nodes')
    robot.wait_for(lambda: 'no longer active' in robot.state, 'the final stop')
    assert robot.stops[-1].message.data


@pytest.mark.parametrize('signal_number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_nodes_still_start_is_no_failure(
    robot: Robot, signal_number: int
) -> None:
    bringup = robot.start_node('bringup')
    robot.wait_for(lambda: len(children(bringup)) == 2, 'both nodes')
    bringup.send(signal_number)
    robot.wait_for(lambda: bringup.popen.poll() is not None, 'the end of bringup')
    assert bringup.popen.returncode == 0


def test_a_bad_parameter_of_either_node_ends_both_with_its_status(robot: Robot) -> None:
    bringup = robot.start_node('bringup', {'depth_node:near_distance_m': -1.0})
    robot.wait_for(lambda: bringup.popen.poll() is not None, 'the end of bringup')
    assert bringup.popen.returncode == 2


def test_a_node_that_dies_is_started_again_while_the_robot_is_held(
    robot: Robot, tmp_path: Path
) -> None:
    bringup = start_chain(robot, tmp_path)
    robot.wait_until_driving()
    before = children(bringup)
    killed_s = time.monotonic()
    os.kill(before['depth_node'], signal.SIGKILL)
    robot.wait_until_stopped(killed_s)
    robot.wait_until_driving()
    after = children(bringup)
    assert after['alert_node'] == before['alert_node']
    assert after['depth_node'] != before['depth_node']
    os.kill(after['alert_node'], signal.SIGKILL)
    robot.wait_for(
        lambda: children(bringup).get('alert_node', after['alert_node']) != after['alert_node'],
        'the restart of alert_node',
    )
    robot.wait_until_driving()
    assert children(bringup)['depth_node'] == after['depth_node']
    assert bringup.end() == 0


def test_without_restarts_a_node_that_dies_ends_both(robot: Robot) -> None:
    bringup = robot.start(
        [sys.executable, '-m', 'fcrn_depth_ros.nodes.bringup', '--restarts', '0']
    )
    robot.wait_for(lambda: robot.stops, 'the heartbeat')
    pids = children(bringup)
    os.kill(pids['depth_node'], signal.SIGKILL)
    robot.wait_for(lambda: bringup.popen.poll() is not None, 'the end of bringup')
    assert bringup.popen.returncode == 1
    assert all(map(is_gone, pids.values()))
    robot.wait_for(lambda: 'no longer active' in robot.state, 'the final stop')
    assert robot.stops[-1].message.data
