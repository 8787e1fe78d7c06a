# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""depth.launch.py with real processes: what it starts, where its arguments go, how it ends."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import importlib.util
from pathlib import Path
import signal
import subprocess
import sys
import time
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip('launch_ros', reason='launch_ros is not on PyPI: run this on a ROS 2 machine')

from fcrn_depth_ros.ros.ros_version import ros_distro
from fcrn_depth_ros.ros.transport import profiles_variable
from launch import LaunchContext
from launch.actions import DeclareLaunchArgument
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter_client import AsyncParameterClient
from sensor_msgs.msg import Image
from std_msgs.msg import Bool
from tiny_models import write_model

LAUNCH_FILE = Path(__file__).resolve().parent.parent.parent / 'launch' / 'depth.launch.py'
PATIENCE_S = 40.0
LAUNCH = """
import sys
from launch import LaunchService
from launch.actions import IncludeLaunchDescription
from launch import LaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
arguments = [argument.split(':=', 1) for argument in sys.argv[2:]]
service = LaunchService()
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    PythonLaunchDescriptionSource(sys.argv[1]), launch_arguments=arguments)]))
sys.exit(service.run())
"""


@pytest.fixture
def launch_module() -> ModuleType:
    specification = importlib.util.spec_from_file_location('depth_launch', LAUNCH_FILE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@contextlib.contextmanager
def launched(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the launch file in a process of its own, and see that it does not outlive the test."""
    process = subprocess.Popen(
        [sys.executable, '-c', LAUNCH, str(LAUNCH_FILE), *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_S)


class Peer:
    """A node that watches what the launched nodes do."""

    def __init__(self) -> None:
        rclpy.init()
        self.node = Node('launch_test_peer')
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown()

    def wait_for(self, condition: Any, what: str) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            self._executor.spin_once(timeout_sec=0.05)
        pytest.fail(f'waited {PATIENCE_S:g} s in vain for {what}')

    def nodes(self) -> set[str]:
        return {
            f'{namespace.rstrip("/")}/{name}'
            for name, namespace in self.node.get_node_names_and_namespaces()
        }

    def parameter_values(self, node: str, names: list[str]) -> list[Any]:
        client = AsyncParameterClient(self.node, node)
        self.wait_for(client.services_are_ready, f'the parameter services of {node}')
        future = client.get_parameters(names)
        self.wait_for(future.done, f'the parameters of {node}')
        return [
            rclpy.parameter.parameter_value_to_python(value) for value in future.result().values
        ]


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    return write_model(tmp_path / 'tiny.onnx')


def test_the_arguments_are_there_and_described(launch_module: ModuleType) -> None:
    arguments = {
        entity.name: entity
        for entity in launch_module.generate_launch_description().entities
        if isinstance(entity, DeclareLaunchArgument)
    }
    assert set(arguments) >= {
        'namespace',
        'params_file',
        'use_sim_time',
        'log_level',
        'autostart',
        'model_file',
        'image_topic',
        'camera_info_topic',
        'image_transport',
        'alert',
        'rviz',
        'tune_transport',
    }
    assert all(len(argument.description) > 20 for argument in arguments.values())


def test_by_default_both_nodes_run_at_the_root_and_ctrl_c_ends_all(
    peer: Peer, model_file: Path
) -> None:
    with launched(f'model_file:={model_file}') as process:
        peer.wait_for(lambda: {'/depth_node', '/alert_node'} <= peer.nodes(), 'both nodes')
        expected = {
            '/depth/image_rect',
            '/depth/camera_info',
            '/depth/scan',
            '/proximity/range',
            '/stop',
            '/alert/state',
            '/diagnostics',
        }
        peer.wait_for(
            lambda: expected <= dict(peer.node.get_topic_names_and_types()).keys(), str(expected)
        )
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert output.count('process has finished cleanly') == 2
    peer.wait_for(
        lambda: not {'/depth_node', '/alert_node'} & peer.nodes(), 'both nodes to be gone'
    )


def test_arguments_reach_the_nodes_in_a_namespace(peer: Peer, model_file: Path) -> None:
    stops, depths = [], []
    peer.node.create_subscription(Bool, '/robot/stop', stops.append, 10)
    peer.node.create_subscription(Image, '/robot/depth/image_rect', depths.append, 10)
    publisher = peer.node.create_publisher(Image, '/front/image_raw', 10)
    pixels = np.full((24, 32, 3), 100, dtype=np.uint8)
    picture = Image(height=24, width=32, encoding='rgb8', step=96, data=pixels.tobytes())
    picture.header.frame_id = 'front_optical_frame'
    with launched(
        'namespace:=robot',
        f'model_file:={model_file}',
        'image_topic:=/front/image_raw',
        'camera_info_topic:=/front/camera_info',
        'camera_height_m:=0.25',
        'camera_pitch_deg:=-4',
    ):
        peer.wait_for(publisher.get_subscription_count, 'the subscription of image_topic')
        assert peer.node.count_subscribers('/front/camera_info') == 1

        def depth_arrives() -> bool:
            picture.header.stamp = peer.node.get_clock().now().to_msg()
            publisher.publish(picture)
            return bool(depths)

        peer.wait_for(depth_arrives, 'a depth image')
        assert (depths[0].encoding, depths[0].header.frame_id) == ('32FC1', 'front_optical_frame')
        peer.wait_for(lambda: stops, 'the heartbeat')
        assert peer.parameter_values(
            '/robot/depth_node', ['camera_height_m', 'camera_pitch_deg', 'near_distance_m']
        ) == [0.25, -4.0, 1.0]


def test_the_params_file_is_obeyed_and_arguments_come_before_it(
    peer: Peer, model_file: Path, tmp_path: Path
) -> None:
    params_file = tmp_path / 'mine.yaml'
    params_file.write_text(
        '/**/depth_node:\n  ros__parameters:\n    near_distance_m: 0.7\n'
        f'    autostart: false\n    camera_height_m: 0.4\n    model_file: {model_file}\n'
    )
    with launched(f'params_file:={params_file}', 'alert:=false', 'camera_height_m:=0.6'):
        peer.wait_for(lambda: '/depth_node' in peer.nodes(), 'depth_node')
        assert peer.parameter_values(
            '/depth_node', ['near_distance_m', 'camera_height_m', 'autostart']
        ) == [0.7, 0.6, False]
        assert '/alert_node' not in peer.nodes()


@pytest.mark.parametrize(
    ('argument', 'expected'),
    [
        ('params_file:=/none.yaml', "params_file must be an existing YAML file, got '/none.yaml'"),
        ('camera_height_m:=low', "camera_height_m must be a number, got 'low'"),
        (
            'image_transport:=theora',
            'Argument "image_transport" provided value "theora" is not valid',
        ),
    ],
)
def test_a_bad_argument_is_an_error_before_anything_starts(argument: str, expected: str) -> None:
    with launched(argument) as process:
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert expected in output
    assert 'process started' not in output


@pytest.mark.parametrize(
    ('argument', 'chosen', 'is_tuned'),
    [
        ('true', {}, True),
        ('true', {'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4'}, False),
        ('false', {}, False),
    ],
)
def test_the_transport_is_tuned_unless_the_user_has_chosen(
    launch_module: ModuleType, argument: str, chosen: dict[str, str], is_tuned: bool
) -> None:
    context = LaunchContext()
    variable = profiles_variable(ros_distro(context.environment))
    context.environment.pop(variable, None)
    context.environment.update(chosen)
    context.launch_configurations['tune_transport'] = argument
    try:
        launch_module.tune_transport(context)
        assert context.environment.pop(variable, '').endswith('/fastdds.xml') is is_tuned
    finally:
        for name in chosen:
            del context.environment[name]


@pytest.mark.parametrize('pitch_deg', [0.0, 20.0, -35.0])
def test_the_scan_frame_is_level_and_looks_ahead(
    launch_module: ModuleType, pitch_deg: float
) -> None:
    options = launch_module.level_rotation(pitch_deg)
    x, y, z, w = (float(options[options.index(f'--q{axis}') + 1]) for axis in 'xyzw')
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    pitch = np.radians(pitch_deg)
    down = np.array([0.0, np.cos(pitch), np.sin(pitch)])  # in the optical frame, pitched down
    np.testing.assert_allclose(rotation[:, 2], -down, atol=1e-9)
    np.testing.assert_allclose(rotation[:, 1], [-1.0, 0.0, 0.0], atol=1e-9)
