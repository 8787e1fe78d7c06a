# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A node whose start hangs in C code, deaf to SIGTERM, is aborted; bringup starts it again."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import signal
import subprocess
import sys

from fcrn_depth_ros.ros.hang_guard import LIMIT_VARIABLE
import pytest
from robot import Robot
from test_bringup import children, start_chain

pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='needs libc')

# Python imports a module of this name at its start. While the file `hang` lies beside it, the next
# depth_node removes that file and waits for a lock that it holds itself, at the place where a
# deadlock of Fast DDS was seen.
SITE_CUSTOMIZE = """
import ctypes, os, sys
HANG = os.path.join(os.path.dirname(__file__), 'hang')
if 'fcrn_depth_ros.nodes.depth_node' in sys.orig_argv and os.path.exists(HANG):
    from rclpy.lifecycle import LifecycleNode
    def hang(*args, **kwargs):
        os.remove(HANG)
        mutex = ctypes.create_string_buffer(64)
        library = ctypes.PyDLL(None)
        library.pthread_mutex_lock(mutex)
        library.pthread_mutex_lock(mutex)
    LifecycleNode.create_lifecycle_publisher = hang
"""


@pytest.fixture
def hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the next start of depth_node hang; the file goes away once it does."""
    (tmp_path / 'sitecustomize.py').write_text(SITE_CUSTOMIZE)
    path = os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')])
    monkeypatch.setenv('PYTHONPATH', path)
    monkeypatch.setenv(LIMIT_VARIABLE, '5')
    file = tmp_path / 'hang'
    file.touch()
    return file


@pytest.fixture
def robot() -> Iterator[Robot]:
    """Give a robot, and end all its processes."""
    robot = Robot()
    yield robot
    robot.close()


def test_a_start_that_hangs_ends_though_it_is_deaf_to_sigterm(hang: Path, robot: Robot) -> None:
    command = [sys.executable, '-m', 'fcrn_depth_ros.nodes.depth_node']
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    robot.wait_for(lambda: not hang.exists(), 'the hang')
    process.terminate()
    _, log = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGABRT
    assert 'error: depth_node: configure of the node must end within 5 s' in log
    assert 'in on_configure' in log  # faulthandler's stacks


def test_bringup_starts_a_node_again_whose_start_hung(
    hang: Path, robot: Robot, tmp_path: Path
) -> None:
    bringup = start_chain(robot, tmp_path)
    robot.wait_for(lambda: not hang.exists(), 'the hang')
    first = children(bringup)
    robot.wait_for(lambda: robot.stops, 'the heartbeat')
    assert all(received.message.data for received in robot.stops)
    robot.wait_until_driving()
    second = children(bringup)
    assert second['alert_node'] == first['alert_node']
    assert second['depth_node'] != first['depth_node']
    assert bringup.end() == 0
