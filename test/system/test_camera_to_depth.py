# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Real processes: image_source -> bringup -> a listener, with the source killed in between."""

from __future__ import annotations

from collections.abc import Iterator
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

import cv2
import numpy as np
import pytest
from tiny_models import write_model

_PATIENCE_S = 40.0


def start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    root = str(Path(__file__).parents[2])
    environment['PYTHONPATH'] = os.pathsep.join([root, environment.get('PYTHONPATH', '')])
    return subprocess.Popen(
        [sys.executable, '-m', f'fcrn_depth_ros.nodes.{module}', *arguments], env=environment
    )


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Write a second of pictures that the tiny network puts between 2.2 and 2.4 m away."""
    folder = tmp_path / 'pictures'
    folder.mkdir()
    blocks = np.kron(np.random.default_rng(0).integers(-20, 20, (6, 8, 1)), np.ones((8, 8, 3)))
    for count in range(20):
        picture = (230 + blocks).clip(0, 255).astype(np.uint8)
        picture[0, count] = 0  # no two pictures are alike
        cv2.imwrite(str(folder / f'{count * 0.05:.2f}.png'), picture)
    (folder / 'camera.json').write_text(
        json.dumps({'fx': 64.0, 'fy': 64.0, 'cx': 31.5, 'cy': 23.5, 'width': 64, 'height': 48})
    )
    return folder


class Listener:
    """Everything a person would echo, in this process."""

    def __init__(self) -> None:
        from fcrn_depth_ros.ros import quality_of_service as qos
        import rclpy
        from rclpy.node import Node
        from sensor_msgs.msg import Image
        from std_msgs.msg import Bool, String

        rclpy.init()
        self._rclpy = rclpy
        self._node = Node('listener')
        self.depth: list[Any] = []
        self.stops: list[bool] = []
        self.states: list[str] = []
        for kind, topic, keep, profile in (
            (Image, 'depth/image_rect', self.depth.append, 10),
            (Bool, 'stop', lambda message: self.stops.append(message.data), 10),
            (
                String,
                'alert/state',
                lambda message: self.states.append(message.data),
                qos.latched(),
            ),
        ):
            self._node.create_subscription(kind, topic, keep, profile)

    def close(self) -> None:
        self._node.destroy_node()
        self._rclpy.shutdown()

    def wait_for(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f'not within {_PATIENCE_S:g} s: {what}'
            self._rclpy.spin_once(self._node, timeout_sec=0.05)

    def state_is(self, *names: str) -> bool:
        return bool(self.states) and self.states[-1].startswith(names)


@pytest.fixture
def listener() -> Iterator[Listener]:
    listening = Listener()
    yield listening
    listening.close()


def test_depth_comes_stops_and_comes_back(
    tmp_path: Path, pictures: Path, listener: Listener
) -> None:
    model = write_model(tmp_path / 'tiny.onnx')
    bringup = start('bringup', '--ros-args', '-p', f'depth_node:model_file:={model}')
    play = ('image_source', '--images', str(pictures), '--rate', '20', '--loop')
    source = None
    try:
        listener.wait_for(lambda: listener.state_is('STOP'), 'STOP before anything was seen')
        assert all(listener.stops)
        source = start(*play)
        listener.wait_for(lambda: listener.state_is('CLEAR', 'CAUTION'), 'motion allowed')
        assert len(listener.depth) > 3

        source.kill()
        source.wait()
        listener.wait_for(lambda: listener.state_is('STALE'), 'STALE without pictures')
        listener.wait_for(lambda: listener.stops[-1], 'stop')

        source = start(*play)
        listener.wait_for(lambda: listener.state_is('CLEAR', 'CAUTION'), 'recovery')
        listener.wait_for(lambda: not listener.stops[-1], 'stop released')

        bringup.send_signal(signal.SIGTERM)
        assert bringup.wait(timeout=_PATIENCE_S) == 0
        listener.wait_for(lambda: listener.stops[-1], 'the final stop')
        source.send_signal(signal.SIGINT)
        assert source.wait(timeout=_PATIENCE_S) == 0
    finally:
        for process in (bringup, source):
            if process is not None:
                process.kill()
                process.wait()


@pytest.mark.parametrize(
    ('arguments', 'named'),
    [
        (['-p', 'near_distance_m:=-1.0'], 'near_distance_m'),
        (['-p', 'color_map:=mauve'], 'color_map'),
        (['-p', 'roi_left:=1.0'], 'roi_left must be below roi_right'),
        (
            ['-p', 'camera_height_m:=low'],
            "camera_height_m must be a finite number in [0, 20], got 'low'",
        ),
    ],
)
def test_a_bad_parameter_ends_the_process_with_a_reason(arguments: list[str], named: str) -> None:
    environment = dict(os.environ)
    environment['PYTHONPATH'] = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, '-m', 'fcrn_depth_ros.nodes.depth_node', '--ros-args', *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert named in done.stderr and 'Traceback' not in done.stderr
