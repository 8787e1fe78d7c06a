# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What depth.launch.py would start, for which arguments, without launch and without ROS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import re
from typing import Any

from fcrn_depth_ros.errors import ConfigurationError
from fcrn_depth_ros.ros.launch_plan import (
    LAUNCH_ARGUMENTS,
    plan_launch,
    PlannedProcess,
    RVIZ_TOPICS,
)
from fcrn_depth_ros.ros.node_settings import NODE_SETTINGS
from fcrn_depth_ros.settings import describe_settings
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
DEFAULTS = {argument.name: argument.default for argument in LAUNCH_ARGUMENTS}

Plan = Callable[..., dict[str, PlannedProcess]]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Plan a launch with some arguments; everything else is as by default."""

    def plan(
        packages: tuple[str, ...] = ('rviz2',), **arguments: str
    ) -> dict[str, PlannedProcess]:
        assert set(arguments) <= set(DEFAULTS)
        processes = plan_launch(
            {**DEFAULTS, **arguments},
            share=tmp_path / 'share' / 'fcrn_depth_ros',
            scripts=Path('/opt/venv/bin'),
            has_package=packages.__contains__,
            distro='kilted',
        )
        return {process.name: process for process in processes}

    return plan


def test_by_default_both_nodes_start_and_no_parameter_is_pinned(plan: Plan) -> None:
    processes = plan()
    assert list(processes) == ['depth_node', 'alert_node']
    for process in processes.values():
        assert process.params_file == ''
        assert dict(process.parameters) == {}  # so that SetParameter of an include has effect
        assert process.namespace == ''
        assert process.respawn
        assert process.log_level == 'info'
    assert processes['depth_node'].remappings == (
        ('image', 'image'),
        ('image/compressed', 'image/compressed'),
        ('camera_info', 'camera_info'),
        ('odom', 'odom'),
        ('range_hint', 'range_hint'),
        ('scan_hint', 'scan_hint'),
        ('mounting', 'mounting'),
    )
    assert processes['alert_node'].remappings == (
        ('cmd_vel_in', 'cmd_vel_in'),
        ('cmd_vel_out', 'cmd_vel_out'),
        ('odom', 'odom'),
    )


def test_the_page_is_started_on_demand_and_changes_nothing_by_default(plan: Plan) -> None:
    page = plan(dashboard='true')['dashboard']
    assert dict(page.parameters) == {}
    assert page.respawn
    assert dict(plan(dashboard='true', dashboard_control='true')['dashboard'].parameters) == {
        'control': True
    }
    assert 'dashboard' not in plan(dashboard_control='true')


def test_alert_false_leaves_alert_node_out(plan: Plan) -> None:
    assert list(plan(alert='false')) == ['depth_node']


@pytest.mark.parametrize(
    ('argument', 'text', 'value', 'nodes'),
    [
        ('use_sim_time', 'true', True, {'depth_node', 'alert_node', 'rviz2'}),
        ('use_sim_time', 'false', False, {'depth_node', 'alert_node', 'rviz2'}),
        ('autostart', 'false', False, {'depth_node', 'alert_node'}),
        ('image_transport', 'compressed', 'compressed', {'depth_node'}),
        ('rectify', 'true', True, {'depth_node'}),
        ('model_file', '/models/mine.onnx', '/models/mine.onnx', {'depth_node'}),
        ('camera_height_m', '0.3', 0.3, {'depth_node'}),
        ('camera_height_m', '1', 1.0, {'depth_node'}),
        ('camera_pitch_deg', '-80', -80.0, {'depth_node'}),
        ('camera_roll_deg', '180', 180.0, {'depth_node'}),
        ('camera_x_m', '-0.1', -0.1, {'depth_node', 'alert_node'}),
        ('camera_y_m', '0.1', 0.1, {'depth_node', 'alert_node'}),
        ('camera_yaw_deg', '-5', -5.0, {'depth_node', 'alert_node'}),
        ('footprint_radius_m', '0.17', 0.17, {'alert_node'}),
        (
            'footprint',
            '[[0.2, 0.1], [0.2, -0.1], [-0.2, 0]]',
            '[[0.2, 0.1], [0.2, -0.1], [-0.2, 0]]',
            {'alert_node'},
        ),
        ('floor_frame', 'base_footprint', 'base_footprint', {'depth_node'}),
        ('publish_tf', 'false', False, {'depth_node'}),
        ('scan_frame_id', 'base_scan', 'base_scan', {'depth_node'}),
        ('cmd_vel_type', 'TwistStamped', 'TwistStamped', {'alert_node'}),
    ],
)
def test_an_argument_becomes_the_parameter_of_the_nodes_that_have_it(
    plan: Plan, argument: str, text: str, value: object, nodes: set[str]
) -> None:
    processes = plan(rviz='true', **{argument: text})
    having = {name for name, process in processes.items() if argument in process.parameters}
    assert having == nodes
    for name in nodes:
        (only,) = processes[name].parameters.items()
        assert only == (argument, value)
        assert type(only[1]) is type(value)


def test_topics_are_remapped(plan: Plan) -> None:
    processes = plan(
        image_topic='/front/image_raw',
        camera_info_topic='/front/camera_info',
        cmd_vel_in_topic='nav_vel',
        cmd_vel_out_topic='/cmd_vel',
        odom_topic='/odometry/filtered',
        range_hint_topic='/sonar',
        scan_hint_topic='/scan',
        mounting_topic='/mast/pose',
        rviz='true',
    )
    assert processes['depth_node'].remappings == (
        ('image', '/front/image_raw'),
        ('image/compressed', '/front/image_raw/compressed'),
        ('camera_info', '/front/camera_info'),
        ('odom', '/odometry/filtered'),
        ('range_hint', '/sonar'),
        ('scan_hint', '/scan'),
        ('mounting', '/mast/pose'),
    )
    assert processes['alert_node'].remappings == (
        ('cmd_vel_in', 'nav_vel'),
        ('cmd_vel_out', '/cmd_vel'),
        ('odom', '/odometry/filtered'),
    )
    assert ('/image', '/front/image_raw') in processes['rviz2'].remappings


def test_everything_is_in_the_namespace(plan: Plan) -> None:
    processes = plan(namespace='robot1', rviz='true', tf_in_namespace='true')
    assert {process.namespace for process in processes.values()} == {'robot1'}
    tf = {('/tf', 'tf'), ('/tf_static', 'tf_static')}
    assert tf <= set(processes['depth_node'].remappings)
    assert tf <= set(processes['rviz2'].remappings)
    # Relative targets, which rviz2 resolves in its namespace as the nodes do.
    assert ('/depth/scan', 'depth/scan') in processes['rviz2'].remappings


def test_by_default_tf_is_not_remapped(plan: Plan) -> None:
    for process in plan(namespace='robot1', rviz='true').values():
        assert '/tf' not in dict(process.remappings)


def test_rviz2_shows_the_frame_of_the_camera(plan: Plan, tmp_path: Path) -> None:
    rviz = plan(rviz='true', camera_frame='front_optical_frame', use_sim_time='true')['rviz2']
    config = str(tmp_path / 'share' / 'fcrn_depth_ros' / 'rviz' / 'depth.rviz')
    assert rviz.arguments == ('-d', config, '-f', 'front_optical_frame')
    assert dict(rviz.parameters) == {'use_sim_time': True}
    assert (rviz.package, rviz.executable) == ('rviz2', 'rviz2')
    assert not rviz.respawn  # a person who closes the window means it


def test_without_rviz2_nothing_is_planned(plan: Plan) -> None:
    with pytest.raises(ConfigurationError, match='install ros-kilted-rviz2, or leave rviz:=true'):
        plan(packages=(), rviz='true')
    assert list(plan(packages=())) == ['depth_node', 'alert_node']


def test_the_params_file_goes_to_every_process(plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / 'mine.yaml'
    file.write_text('/**:\n  ros__parameters: {use_sim_time: true}\n')
    for process in plan(params_file=str(file), rviz='true').values():
        assert process.params_file == str(file)


def test_the_params_file_may_lie_in_the_home_directory(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'mine.yaml').write_text('')
    assert plan(params_file='~/mine.yaml')['depth_node'].params_file == str(tmp_path / 'mine.yaml')


def test_respawn_false(plan: Plan) -> None:
    assert not any(process.respawn for process in plan(respawn='false').values())


def test_log_level(plan: Plan) -> None:
    levels = {process.log_level for process in plan(log_level='debug', rviz='true').values()}
    assert levels == {'debug'}


def test_executables_of_pip_and_of_colcon(plan: Plan, tmp_path: Path) -> None:
    process = plan()['depth_node']
    assert (process.package, process.executable) == ('', '/opt/venv/bin/depth_node')
    folder = tmp_path / 'lib' / 'fcrn_depth_ros'
    folder.mkdir(parents=True)
    (folder / 'depth_node').touch()
    process = plan()['depth_node']
    assert (process.package, process.executable) == ('fcrn_depth_ros', 'depth_node')


@pytest.mark.parametrize(
    ('argument', 'text', 'message'),
    [
        ('params_file', '/none.yaml', "must be an existing YAML file, got '/none.yaml'; leave it"),
        ('params_file', '/', "must be an existing YAML file, got '/'; leave it"),
        ('camera_height_m', 'low', "a number, got 'low'; for example camera_height_m:=0.3"),
        ('camera_height_m', '20.1', r'in \[0, 20\], got 20.1'),
        ('camera_height_m', 'nan', r'in \[0, 20\], got nan'),
        ('camera_pitch_deg', '-80.1', r'in \[-80, 80\], got -80.1'),
        ('camera_roll_deg', 'inf', r'a finite number in \[-180, 180\], got inf'),
        ('image_transport', 'theora', "'compressed', got 'theora'"),
        ('cmd_vel_type', 'twist', "must be one of '', 'auto', 'Twist', 'TwistStamped', got 'twi"),
        ('rectify', 'True', "must be one of '', 'true', 'false', got 'True'"),
        ('respawn', '', "must be one of 'true', 'false', got ''"),
        ('log_level', 'warning', "got 'warning'"),
    ],
)
def test_a_wrong_argument_raises_before_anything_starts(
    plan: Plan, argument: str, text: str, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as raised:
        plan(**{argument: text})
    assert str(raised.value).startswith(f'{argument} must be ')


def test_every_argument_is_described_in_sentences() -> None:
    assert len(DEFAULTS) == len(LAUNCH_ARGUMENTS)  # no name twice
    for argument in LAUNCH_ARGUMENTS:
        assert re.fullmatch(r'[A-Zfr].{10,}\.', argument.description, re.DOTALL), argument
        assert '  ' not in argument.description
        if argument.choices:
            assert argument.default in argument.choices


def test_the_description_names_the_nodes_and_the_bounds_of_a_parameter() -> None:
    descriptions = {argument.name: argument.description for argument in LAUNCH_ARGUMENTS}
    assert descriptions['autostart'].startswith('Parameter of depth_node and alert_node. ')
    assert descriptions['camera_height_m'].startswith('Parameter of depth_node, 0 to 20. ')
    assert descriptions['cmd_vel_type'].startswith('Parameter of alert_node. ')


def test_the_arguments_that_users_ask_for_are_there() -> None:
    assert set(DEFAULTS) >= {
        'namespace',
        'params_file',
        'use_sim_time',
        'image_topic',
        'camera_info_topic',
        'rectify',
        'floor_frame',
        'camera_roll_deg',
        'cmd_vel_type',
        'cmd_vel_in_topic',
        'cmd_vel_out_topic',
        'respawn',
        'publish_tf',
        'scan_frame_id',
        'rviz',
    }


def test_rviz_shows_topics_that_depth_node_publishes() -> None:
    config = yaml.safe_load((ROOT / 'rviz' / 'depth.rviz').read_text())
    displays = config['Visualization Manager']['Displays']
    shown = {display['Topic']['Value'] for display in displays if 'Topic' in display}
    assert shown - {'/image'} <= {f'/{topic}' for topic in RVIZ_TOPICS}


def test_a_parameter_left_empty_keeps_the_default_that_the_text_names() -> None:
    settings: dict[str, Any] = {
        name: default
        for classes in NODE_SETTINGS.values()
        for config in classes
        for name, (default, _) in describe_settings(config).items()
    }
    named = 0
    for argument in LAUNCH_ARGUMENTS:
        if argument.name in settings and settings[argument.name] != '':
            default = settings[argument.name]
            text = str(default).lower() if isinstance(default, bool) else str(default)
            assert f'params_file, else {text}.' in argument.description
            assert 'Parameter of' in argument.description
            named += 1
    assert named >= 7
