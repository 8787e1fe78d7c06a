# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Both nodes by one command: neither outlives the other, nor the command itself."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import signal
import sys

import pytest

pytest.importorskip('rclpy', reason='needs rclpy: run scripts/test, or source a ROS 2')

from robot import Robot, RosProcess


@pytest.fixture
def robot() -> Iterator[Robot]:
    """Give a robot, and end all its processes."""
    robot = Robot()
    yield robot
    robot.close()


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
    ('victim', 'signal_number', 'status'),
    [
        ('bringup', signal.SIGTERM, 0),
        ('bringup', signal.SIGINT, 0),
        ('bringup', signal.SIGKILL, -signal.SIGKILL),
        ('depth_node', signal.SIGKILL, 1),
    ],
    ids=['SIGTERM', 'SIGINT', 'killed', 'depth_node killed'],
)
def test_whatever_ends_first_a_final_stop_is_sent_and_nobody_stays(
    robot: Robot, victim: str, signal_number: int, status: int
) -> None:
    bringup = robot.start_node('bringup')
    robot.wait_for(lambda: robot.stops, 'the heartbeat')
    pids = children(bringup)
    assert sorted(pids) == ['alert_node', 'depth_node']
    os.kill((pids | {'bringup': bringup.popen.pid})[victim], signal_number)
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
