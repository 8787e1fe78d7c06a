# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
depth.launch.py with real processes: what it starts, where its arguments go, how it ends.

What each argument leads to is tested without launch in test/unit/ros/test_launch_plan.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
import importlib.util
import json
import os
from pathlib import Path
import random
import re
import signal
import subprocess
import sys
import time
from types import ModuleType
from typing import Any

from ament_index_python.packages import get_package_prefix, PackageNotFoundError
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.perception.scan_frame import Quaternion, scan_rotation
from fcrn_depth_ros.ros.launch_plan import LAUNCH_ARGUMENTS
from fcrn_depth_ros.ros.ros_version import ros_distro
from fcrn_depth_ros.ros.transport import profiles_variable
from launch import LaunchContext
from launch.actions import DeclareLaunchArgument
import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Bool
from tiny_models import write_model

LAUNCH_FILE = Path(__file__).resolve().parent.parent.parent / 'launch' / 'depth.launch.py'
PATIENCE_S = 40.0
BOTH = {'/depth_node', '/alert_node'}

# What `ros2 launch` does with a launch file.
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
arguments = [argument.split(':=', 1) for argument in sys.argv[2:]]
service = LaunchService()
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    PythonLaunchDescriptionSource(sys.argv[1]), launch_arguments=arguments)]))
sys.exit(service.run())
"""

# A robot's own launch file, which includes ours in a namespace and sets a parameter.
INCLUDING = """
from launch import LaunchDescription
from launch.actions import GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import PushROSNamespace, SetParameter

def generate_launch_description():
    return LaunchDescription([GroupAction([
        PushROSNamespace('robot7'),
        SetParameter('cmd_vel_type', 'TwistStamped'),
        SetParameter('stop_distance_m', 0.45),
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource({launch_file!r}),
            launch_arguments=[('model_file', {model_file!r})],
        ),
    ])])
"""

# Stands in for rviz2: it writes down how it was called and waits for the end.
STUB = """\
#!{python}
import json, pathlib, signal, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
pathlib.Path({record!r}).write_text(json.dumps(sys.argv[1:]))
while True:
    signal.pause()
"""


@pytest.fixture
def launch_module() -> ModuleType:
    specification = importlib.util.spec_from_file_location('depth_launch', LAUNCH_FILE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Launched:
    """A launch file in a process of its own."""

    def __init__(self, log: Path, launch_file: Path, *arguments: str) -> None:
        self._log = log
        with log.open('w') as output:
            self.process = subprocess.Popen(
                [sys.executable, '-c', LAUNCH, str(launch_file), *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        return self._log.read_text()

    def pids(self, node: str) -> list[int]:
        """List the processes of a node that were started so far."""
        return [
            int(pid)
            for pid in re.findall(
                rf'\[{node}-\d+\]: process started with pid \[(\d+)\]', self.output()
            )
        ]

    def end(self) -> str:
        """Send what Ctrl-C in a terminal sends, to launch and all that it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(PATIENCE_S)
        return self.output()


Launch = Callable[..., contextlib.AbstractContextManager[Launched]]


@pytest.fixture
def launched(tmp_path: Path) -> Launch:
    """Run a launch file, and see that it does not outlive the test."""
    count = iter(range(10))

    @contextlib.contextmanager
    def launched(*arguments: str, launch_file: Path = LAUNCH_FILE) -> Iterator[Launched]:
        launch = Launched(tmp_path / f'launch{next(count)}.log', launch_file, *arguments)
        try:
            yield launch
        except BaseException:
            print(launch.output())
            raise
        finally:
            launch.end()

    return launched


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

    def topics(self) -> set[str]:
        return {name for name, _ in self.node.get_topic_names_and_types()}

    def parameter_values(self, node: str, names: list[str]) -> list[Any]:
        client = AsyncParameterClient(self.node, node)
        self.wait_for(client.services_are_ready, f'the parameter services of {node}')
        futures: list[Any] = []

        def answered() -> Any:
            # A node that was killed is known for a while after its end, and does not answer.
            if not futures or time.monotonic() - asked_s[-1] > 1.0:
                asked_s.append(time.monotonic())
                futures.append(client.get_parameters(names))
            return next((future for future in futures if future.done()), None)

        asked_s: list[float] = []
        future = self.wait_for(answered, f'the parameters of {node}')
        return [
            rclpy.parameter.parameter_value_to_python(value) for value in future.result().values
        ]


@pytest.fixture(autouse=True)
def own_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep each test to itself: a killed node is known for a while after its end."""
    monkeypatch.setenv('ROS_DOMAIN_ID', str(random.SystemRandom().randint(10, 101)))


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    return write_model(tmp_path / 'tiny.onnx')


@pytest.fixture
def rviz_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Register a package rviz2 in front of any real one, and give the file it writes."""
    prefix, record = tmp_path / 'stub', tmp_path / 'rviz2.json'
    index = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    (index / 'rviz2').touch()
    executable = prefix / 'lib' / 'rviz2' / 'rviz2'
    executable.parent.mkdir(parents=True)
    executable.write_text(STUB.format(python=sys.executable, record=str(record)))
    executable.chmod(0o755)
    known = os.environ.get('AMENT_PREFIX_PATH', '')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{prefix}:{known}')
    return record


def test_the_arguments_are_those_of_the_plan(launch_module: ModuleType) -> None:
    declared = [
        (entity.name, entity.description)
        for entity in launch_module.generate_launch_description().entities
        if isinstance(entity, DeclareLaunchArgument)
    ]
    assert [name for name, _ in declared] == [argument.name for argument in LAUNCH_ARGUMENTS]
    for (_, described), argument in zip(declared, LAUNCH_ARGUMENTS, strict=True):
        assert described.startswith(argument.description)


def test_by_default_both_nodes_run_at_the_root_and_ctrl_c_ends_all(
    launched: Launch, peer: Peer, model_file: Path
) -> None:
    with launched(f'model_file:={model_file}') as launch:
        peer.wait_for(lambda: peer.nodes() >= BOTH, 'both nodes')
        expected = {
            '/depth/image_rect',
            '/depth/camera_info',
            '/depth/scan',
            '/proximity/range',
            '/stop',
            '/alert/state',
            '/diagnostics',
        }
        peer.wait_for(lambda: expected <= peer.topics(), str(expected))
        output = launch.end()
    assert launch.process.returncode == 0
    assert output.count('process has finished cleanly') == 2
    assert len(launch.pids('depth_node')) == len(launch.pids('alert_node')) == 1
    peer.wait_for(lambda: not BOTH & peer.nodes(), 'both nodes to be gone')


def test_arguments_reach_the_nodes_in_a_namespace(
    launched: Launch, peer: Peer, model_file: Path
) -> None:
    stops, depths = [], []
    peer.node.create_subscription(Bool, '/robot/stop', stops.append, 10)
    peer.node.create_subscription(Image, '/robot/depth/image_rect', depths.append, 10)
    publisher = peer.node.create_publisher(Image, '/front/image_raw', 10)
    with launched(
        'namespace:=robot',
        f'model_file:={model_file}',
        'image_topic:=/front/image_raw',
        'camera_info_topic:=/front/camera_info',
        'camera_height_m:=0.25',
        'camera_pitch_deg:=-4',
        'cmd_vel_in_topic:=/nav_vel',
        'cmd_vel_out_topic:=base_vel',
        'cmd_vel_type:=TwistStamped',
    ):
        peer.wait_for(publisher.get_subscription_count, 'the subscription of image_topic')
        peer.wait_for(lambda: peer.node.count_subscribers('/front/camera_info'), 'camera_info')

        def depth_arrives() -> bool:
            publisher.publish(picture(peer, 'front_optical_frame'))
            return bool(depths)

        peer.wait_for(depth_arrives, 'a depth image')
        assert (depths[0].encoding, depths[0].header.frame_id) == ('32FC1', 'front_optical_frame')
        peer.wait_for(lambda: stops, 'the heartbeat')
        peer.wait_for(lambda: {'/nav_vel', '/robot/base_vel'} <= peer.topics(), 'velocity topics')
        assert peer.parameter_values(
            '/robot/depth_node', ['camera_height_m', 'camera_pitch_deg', 'near_distance_m']
        ) == [0.25, -4.0, 1.0]
        assert peer.parameter_values('/robot/alert_node', ['cmd_vel_type']) == ['TwistStamped']


@pytest.mark.parametrize('key', ['/**', '/depth_node', '/**/depth_node', 'depth_node'])
def test_the_params_file_is_obeyed_and_arguments_come_before_it(
    launched: Launch, peer: Peer, model_file: Path, tmp_path: Path, key: str
) -> None:
    params_file = tmp_path / 'mine.yaml'
    params_file.write_text(
        f'{key}:\n  ros__parameters:\n    near_distance_m: 0.7\n'
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
        ('camera_height_m:=21', 'camera_height_m must be a finite number in [0, 20], got 21.0'),
        (
            'image_transport:=theora',
            'Argument "image_transport" provided value "theora" is not valid',
        ),
    ],
)
def test_a_bad_argument_is_an_error_before_anything_starts(
    launched: Launch, argument: str, expected: str
) -> None:
    with launched(argument) as launch:
        launch.process.wait(PATIENCE_S)
    assert launch.process.returncode == 1
    assert expected in launch.output()
    assert 'process started' not in launch.output()


def test_rviz2_is_started_with_our_view_and_ends_with_the_rest(
    launched: Launch, peer: Peer, model_file: Path, rviz_record: Path
) -> None:
    with launched(
        f'model_file:={model_file}',
        'namespace:=robot',
        'image_topic:=/front/image_raw',
        'rviz:=true',
        'camera_frame:=front_optical_frame',
        'use_sim_time:=true',
        'tf_in_namespace:=true',
    ) as launch:
        peer.wait_for(rviz_record.exists, 'rviz2')
        peer.wait_for(lambda: peer.nodes() >= {'/robot/depth_node', '/robot/alert_node'}, 'both')
        output = launch.end()
    assert launch.process.returncode == 0
    assert output.count('process has finished cleanly') == 3
    arguments = json.loads(rviz_record.read_text())
    assert arguments[0] == '-d' and Path(arguments[1]).name == 'depth.rviz'
    assert Path(arguments[1]).is_file()
    assert arguments[2:4] == ['-f', 'front_optical_frame']
    for expected in (
        '__node:=rviz2',
        '__ns:=/robot',
        '/image:=/front/image_raw',
        '/depth/scan:=depth/scan',
        '/tf_static:=tf_static',
    ):
        assert expected in arguments
    files = [Path(after) for flag, after in zip(arguments, arguments[1:], strict=False)
             if flag == '--params-file']  # fmt: skip
    assert any('use_sim_time: true' in file.read_text() for file in files)


def test_without_rviz2_one_line_says_so_and_nothing_starts(launched: Launch) -> None:
    try:
        get_package_prefix('rviz2')
    except PackageNotFoundError:
        pass
    else:
        pytest.skip('rviz2 is installed here')
    with launched('rviz:=true') as launch:
        launch.process.wait(PATIENCE_S)
    assert launch.process.returncode == 1
    output = launch.output()
    assert output.count('the package rviz2 is not installed') == 1
    assert f'install ros-{ros_distro()}-rviz2, or leave rviz:=true out' in output
    assert 'Traceback' not in output
    assert 'process started' not in output


def test_two_robots_side_by_side_do_not_share_a_topic(
    launched: Launch, peer: Peer, model_file: Path
) -> None:
    arguments = (f'model_file:={model_file}', 'tf_in_namespace:=true')
    with launched(*arguments, 'namespace:=robot1'), launched(*arguments, 'namespace:=robot2'):
        expected = {f'/robot{n}/{node}_node' for n in (1, 2) for node in ('depth', 'alert')}
        peer.wait_for(lambda: peer.nodes() >= expected, str(expected))
        peer.wait_for(lambda: '/robot2/alert/level' in peer.topics(), 'the last topic')
        peer.wait_for(lambda: '/robot1/alert/level' in peer.topics(), 'the last topic')
        ours = {topic for topic in peer.topics() if not topic.startswith(('/robot1/', '/robot2/'))}
        assert ours <= {'/diagnostics', '/parameter_events', '/rosout', '/clock'}


@pytest.mark.parametrize('node', ['depth_node', 'alert_node'])
def test_a_killed_node_is_started_again(
    launched: Launch, peer: Peer, model_file: Path, node: str
) -> None:
    with launched(f'model_file:={model_file}') as launch:
        peer.wait_for(lambda: peer.nodes() >= BOTH, 'both nodes')
        (pid,) = launch.pids(node)
        os.kill(pid, signal.SIGKILL)
        peer.wait_for(lambda: len(launch.pids(node)) == 2, 'a new process')
        (other,) = launch.pids(({'depth_node', 'alert_node'} - {node}).pop())
        os.kill(other, 0)  # the other one runs on
        values = peer.parameter_values(f'/{node}', ['autostart'])
        assert values == [True]
        output = launch.end()
    assert launch.process.returncode == 0
    assert output.count('process has finished cleanly') == 2


def test_respawn_false_leaves_a_killed_node_dead(
    launched: Launch, peer: Peer, model_file: Path
) -> None:
    with launched(f'model_file:={model_file}', 'respawn:=false', 'alert:=false') as launch:
        peer.wait_for(lambda: '/depth_node' in peer.nodes(), 'depth_node')
        (pid,) = launch.pids('depth_node')
        os.kill(pid, signal.SIGKILL)
        launch.process.wait(PATIENCE_S)  # nothing is left to run
    assert 'process has died' in launch.output()


def test_refused_parameters_are_no_reason_to_start_again(launched: Launch, tmp_path: Path) -> None:
    params_file = tmp_path / 'bad.yaml'
    params_file.write_text('/**:\n  ros__parameters:\n    near_distance_m: -1.0\n')
    with launched(f'params_file:={params_file}', 'alert:=false') as launch:
        launch.process.wait(PATIENCE_S)
    assert 'near_distance_m must be' in launch.output()
    assert 'refused its parameters and is not started again' in launch.output()
    assert len(launch.pids('depth_node')) == 1


def test_an_include_sets_parameters_and_namespace_also_after_a_crash(
    launched: Launch, peer: Peer, model_file: Path, tmp_path: Path
) -> None:
    robot = tmp_path / 'robot.launch.py'
    robot.write_text(INCLUDING.format(launch_file=str(LAUNCH_FILE), model_file=str(model_file)))
    names = ['cmd_vel_type', 'stop_distance_m', 'release_distance_m']
    with launched(launch_file=robot) as launch:
        both = {'/robot7/depth_node', '/robot7/alert_node'}
        peer.wait_for(lambda: peer.nodes() >= both, 'both nodes')
        expected = ['TwistStamped', 0.45, 0.65]
        assert peer.parameter_values('/robot7/alert_node', names) == expected
        (pid,) = launch.pids('alert_node')
        os.kill(pid, signal.SIGKILL)
        peer.wait_for(lambda: len(launch.pids('alert_node')) == 2, 'a new process')
        assert peer.parameter_values('/robot7/alert_node', names) == expected


@pytest.mark.skipif(
    importlib.util.find_spec('tf2_msgs') is None,
    reason='tf2_msgs is not on PyPI: run this on a ROS 2 machine',
)
def test_the_transform_of_the_scan_follows_the_params_file(
    launched: Launch, peer: Peer, model_file: Path, tmp_path: Path
) -> None:
    from tf2_msgs.msg import TFMessage

    params_file = tmp_path / 'mine.yaml'
    params_file.write_text(
        '/**:\n  ros__parameters:\n    camera_height_m: 0.3\n    camera_pitch_deg: 20.0\n'
        '    camera_roll_deg: 5.0\n    scan_frame_id: my_scan\n'
    )
    transforms = []
    peer.node.create_subscription(
        TFMessage,
        '/tf_static',
        lambda message: transforms.extend(message.transforms),
        QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL),
    )
    peer.node.create_subscription(Image, 'depth/image_rect', lambda _: None, 10)
    publisher = peer.node.create_publisher(Image, 'image', 10)
    with launched(
        f'model_file:={model_file}', f'params_file:={params_file}', 'alert:=false', 'rviz:=false'
    ):

        def transform_arrives() -> bool:
            publisher.publish(picture(peer, 'camera_optical_frame'))
            return bool(transforms)

        peer.wait_for(transform_arrives, 'the transform')
    (stamped,) = transforms
    assert (stamped.header.frame_id, stamped.child_frame_id) == (
        'camera_optical_frame',
        'my_scan',
    )
    rotation = stamped.transform.rotation
    published = Quaternion(rotation.x, rotation.y, rotation.z, rotation.w)
    expected = scan_rotation(CameraMounting(0.3, 20.0, 5.0))
    assert published.angle_to_deg(expected) < 1e-3


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
    for known in LAUNCH_ARGUMENTS:
        context.launch_configurations[known.name] = known.default
    context.launch_configurations['tune_transport'] = argument
    try:
        assert len(launch_module.start_all(context)) == 2
        assert context.environment.pop(variable, '').endswith('/fastdds.xml') is is_tuned
    finally:
        for name in chosen:
            del context.environment[name]


def picture(peer: Peer, frame_id: str) -> Image:
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    message = Image(height=24, width=32, encoding='rgb8', step=96, data=pixels.tobytes())
    message.header.frame_id = frame_id
    message.header.stamp = peer.node.get_clock().now().to_msg()
    return message
