# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Real processes: depth_node notices that pictures do not arrive, and names what helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import subprocess
import sys
import time
from typing import Any

import pytest
from tiny_models import write_model

pytest.importorskip('rclpy')

# The small messages only, and once told pictures of 6 MB through 0.5 MB of shared memory.
_CAMERA = """
from array import array
import sys, threading, time
import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
rclpy.init()
node = Node('camera')
images = node.create_publisher(Image, 'image', qos_profile_sensor_data)
infos = node.create_publisher(CameraInfo, 'camera_info', 10)
picture = Image(width=1920, height=1080, step=5760, encoding='rgb8')
picture.data = array('B', bytes(1920 * 1080 * 3))
told = threading.Thread(target=sys.stdin.readline, daemon=True)
told.start()
while True:
    infos.publish(CameraInfo())
    if not told.is_alive():
        images.publish(picture)
    time.sleep(0.1)
"""
_PATIENCE_S = 60.0


def environment() -> dict[str, str]:
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('FASTDDS_', 'FASTRTPS_'))
    }
    root = str(Path(__file__).parents[2])
    variables['PYTHONPATH'] = os.pathsep.join([root, variables.get('PYTHONPATH', '')])
    return variables


@contextmanager
def running(*command: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open('wb') as stream:
        process = subprocess.Popen(
            [sys.executable, *command],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=stream,
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Diagnostics:
    """What depth_node says of its pictures."""

    def __init__(self) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        import rclpy
        from rclpy.node import Node

        self._rclpy = rclpy
        self.problem = ''
        rclpy.init()
        self._node = Node('listener')
        self._node.create_subscription(DiagnosticArray, '/diagnostics', self._take, 10)

    def close(self) -> None:
        self._node.destroy_node()
        self._rclpy.shutdown()

    def wait_for(self, text: str) -> str:
        deadline = time.monotonic() + _PATIENCE_S
        while text not in self.problem and time.monotonic() < deadline:
            self._rclpy.spin_once(self._node, timeout_sec=0.1)
        assert text in self.problem
        return self.problem

    def _take(self, message: Any) -> None:
        (status,) = message.status
        problem = {pair.key: pair.value for pair in status.values}['pictures in transport']
        if problem != 'nothing noticed':
            assert problem in status.message
            self.problem = problem


def test_pictures_that_do_not_arrive(tmp_path: Path) -> None:
    model = write_model(tmp_path / 'tiny.onnx')
    log = tmp_path / 'node.log'
    node = ['-m', 'fcrn_depth_ros.nodes.depth_node', '--ros-args', '-p', f'model_file:={model}']
    diagnostics = Diagnostics()
    try:
        with running(*node, log=log), running('-c', _CAMERA, log=tmp_path / 'camera') as camera:
            assert camera.stdin is not None
            silence = 'camera_info arrives, but no picture on /image'
            said = [diagnostics.wait_for(silence)]
            camera.stdin.write(b'pictures\n')
            camera.stdin.flush()
            loss = 'pictures on /image were lost in transport'
            said.append(diagnostics.wait_for(loss))
    finally:
        diagnostics.close()
    for problem in said:
        assert '_PROFILES_FILE set to config/fastdds.xml' in problem
        assert 'rmem_max' not in problem  # the camera is on this machine
    assert silence in log.read_text() and loss in log.read_text()
