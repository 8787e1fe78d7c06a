# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
What depth.launch.py offers and starts, as plain data. ROS-free, so that it is tested without ROS.

``LAUNCH_ARGUMENTS`` is what `ros2 launch ... --show-args` prints. :func:`plan_launch` turns the
values of the arguments into processes; an argument that is wrong raises before anything starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .node_settings import NODE_SETTINGS
from .package_share import PACKAGE_NAME
from ..errors import ConfigurationError
from ..settings import check_value, describe_settings, SettingDescription

_BOOLEAN = ('true', 'false')

# Arguments that are parameters of the nodes by the same name. Empty leaves a parameter alone.
_PARAMETERS = {
    'depth_node': (
        'autostart',
        'image_transport',
        'rectify',
        'model_file',
        'camera_height_m',
        'camera_pitch_deg',
        'camera_roll_deg',
        'camera_x_m',
        'camera_y_m',
        'camera_yaw_deg',
        'floor_frame',
        'use_mounting_topic',
        'publish_tf',
        'scan_frame_id',
    ),
    'alert_node': (
        'autostart',
        'camera_x_m',
        'camera_y_m',
        'camera_yaw_deg',
        'footprint_radius_m',
        'footprint',
        'cmd_vel_type',
    ),
}
# Arguments that name a topic which these nodes subscribe to.
_INPUT_TOPICS = {
    'odom': ('depth_node', 'alert_node'),
    'range_hint': ('depth_node',),
    'scan_hint': ('depth_node',),
    'mounting': ('depth_node',),
}

# Topics of depth_node that rviz/depth.rviz shows, by their names at the root.
RVIZ_TOPICS = (
    'depth/image_rect',
    'depth/camera_info',
    'depth/image_color',
    'depth/points',
    'depth/scan',
    'proximity/range',
)


@dataclass(frozen=True)
class LaunchArgument:
    """
    One argument of the launch file.

    Attributes
    ----------
    name, default, description : str
        As `--show-args` prints them.
    choices : tuple of str
        The allowed values; empty where any text is.

    """

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedProcess:
    """
    One process to be started.

    Attributes
    ----------
    executable : str
        Name in `package`, or a path where `package` is empty.
    package : str
        ROS package; empty where pip installed the executable.
    name, namespace : str
        Of the node.
    params_file : str
        YAML file with parameters; empty for none.
    parameters : mapping of str to value
        Come after the file.
    remappings : tuple of pairs of str
        From, to.
    arguments : tuple of str
        Of the command line, before the ROS arguments.
    log_level : str
        Least severe messages that are logged.
    respawn : bool
        Whether it is started again when it ends.

    """

    executable: str
    package: str
    name: str
    namespace: str
    log_level: str
    params_file: str = ''
    parameters: Mapping[str, bool | float | str] = field(default_factory=dict)
    remappings: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] = ()
    respawn: bool = False


def _settings_of(node: str) -> dict[str, tuple[Any, SettingDescription]]:
    return {
        name: described
        for config in NODE_SETTINGS[node]
        for name, described in describe_settings(config).items()
    }


def _parameter(name: str) -> LaunchArgument:
    """Make the argument of a parameter from its setting."""
    nodes = [node for node, names in _PARAMETERS.items() if name in names]
    default, setting = _settings_of(nodes[0])[name]
    choices = setting.choices
    if isinstance(default, bool):
        default, choices = str(default).lower(), _BOOLEAN
    bounds = '' if setting.minimum is None else f', {setting.minimum:g} to {setting.maximum:g}'
    if_empty = f'else {default}' if default != '' else 'if it has one'
    return LaunchArgument(
        name,
        '',
        f'Parameter of {" and ".join(nodes)}{bounds}. {setting.description} Left empty: the '
        f'value of params_file, {if_empty}.',
        ('', *choices) if choices else (),
    )


LAUNCH_ARGUMENTS = (
    LaunchArgument('namespace', '', 'Namespace of the nodes and of all relative topics.'),
    LaunchArgument(
        'params_file',
        '',
        'YAML file with parameters of the nodes. Left empty: the defaults, and what an including '
        'launch file sets with SetParameter. Start from copies of config/depth_node.yaml and '
        'config/alert_node.yaml.',
    ),
    LaunchArgument(
        'use_sim_time',
        '',
        'Take the time from /clock, as in a simulation or with a bag that is played. Left empty: '
        'the value of params_file, else false.',
        ('', *_BOOLEAN),
    ),
    LaunchArgument(
        'log_level',
        'info',
        'Least severe messages that are logged.',
        ('debug', 'info', 'warn', 'error', 'fatal'),
    ),
    _parameter('autostart'),
    LaunchArgument(
        'image_topic',
        'image',
        'Topic of the camera images. With image_transport compressed: the topic without its '
        '/compressed.',
    ),
    LaunchArgument('camera_info_topic', 'camera_info', 'Topic of the calibration of the camera.'),
    LaunchArgument(
        'odom_topic',
        'odom',
        'Topic of the odometry of the robot (Odometry): a witness of scale for depth_node, and '
        'what alert_node remembers obstacles with.',
    ),
    LaunchArgument(
        'range_hint_topic',
        'range_hint',
        'Topic of a sonar or time-of-flight sensor beside the camera (Range), a witness of scale.',
    ),
    LaunchArgument(
        'scan_hint_topic',
        'scan_hint',
        'Topic of a laser scanner near the camera (LaserScan), a witness of scale.',
    ),
    LaunchArgument(
        'mounting_topic',
        'mounting',
        'Topic of the pose of the camera above the floor (PoseStamped), where use_mounting_topic '
        'is true.',
    ),
    *(_parameter(name) for name in _PARAMETERS['depth_node'] if name != 'autostart'),
    LaunchArgument('alert', 'true', 'Start alert_node too.', _BOOLEAN),
    _parameter('cmd_vel_type'),
    _parameter('footprint_radius_m'),
    _parameter('footprint'),
    LaunchArgument(
        'cmd_vel_in_topic',
        'cmd_vel_in',
        'Topic of the velocity commands that alert_node checks.',
    ),
    LaunchArgument(
        'cmd_vel_out_topic',
        'cmd_vel_out',
        'Topic of the velocity commands that alert_node lets pass; this one drives the robot.',
    ),
    LaunchArgument(
        'respawn',
        'true',
        'Start depth_node and alert_node again when they end, after a delay; not after they '
        'refused their parameters.',
        _BOOLEAN,
    ),
    LaunchArgument(
        'rviz',
        'false',
        'Start rviz2 with a view of every output; needs the package rviz2.',
        _BOOLEAN,
    ),
    LaunchArgument(
        'dashboard',
        'false',
        'Serve a page that shows everything in any browser, at http://127.0.0.1:8731/ unless '
        'params_file says otherwise; needs the package aiohttp.',
        _BOOLEAN,
    ),
    LaunchArgument(
        'dashboard_control',
        'false',
        'Let that page set parameters, and reset, enable and mute the alert.',
        _BOOLEAN,
    ),
    LaunchArgument(
        'camera_frame',
        'camera_optical_frame',
        'frame_id of the images: the fixed frame of rviz2.',
    ),
    LaunchArgument(
        'tf_in_namespace',
        'false',
        'Use the topics tf and tf_static in the namespace instead of /tf and /tf_static, as a '
        'Nav2 in a namespace does.',
        _BOOLEAN,
    ),
    LaunchArgument(
        'tune_transport',
        'true',
        'Give Fast DDS enough shared memory for large images (config/fastdds.xml), unless its '
        'transport is chosen already.',
        _BOOLEAN,
    ),
)


def plan_launch(
    arguments: Mapping[str, str],
    *,
    share: Path,
    scripts: Path,
    has_package: Callable[[str], bool],
    distro: str,
) -> tuple[PlannedProcess, ...]:
    """
    Decide which processes to start.

    Parameters
    ----------
    arguments : mapping
        Values of all LAUNCH_ARGUMENTS.
    share : Path
        Share directory of this package.
    scripts : Path
        Where pip puts executables.
    has_package : callable
        Whether the ROS package of a name is installed.
    distro : str
        Name of the ROS 2 distribution, for advice.

    Returns
    -------
    tuple of PlannedProcess
        In the order in which they start.

    Raises
    ------
    ConfigurationError
        If an argument is wrong, or rviz2 is wanted and not installed.

    """
    _check_choices(arguments)
    params_file = _params_file(arguments['params_file'])
    remapped_tf = (
        (('/tf', 'tf'), ('/tf_static', 'tf_static'))
        if arguments['tf_in_namespace'] == 'true'
        else ()
    )

    def ours(name: str, *remappings: tuple[str, str]) -> PlannedProcess:
        package, executable = _our_executable(name, share, scripts)
        return PlannedProcess(
            executable=executable,
            package=package,
            name=name,
            namespace=arguments['namespace'],
            log_level=arguments['log_level'],
            params_file=params_file,
            parameters={**_sim_time(arguments), **_overrides(name, arguments)},
            remappings=remappings,
            respawn=arguments['respawn'] == 'true',
        )

    def inputs(node: str) -> list[tuple[str, str]]:
        return [
            (topic, arguments[f'{topic}_topic'])
            for topic, nodes in _INPUT_TOPICS.items()
            if node in nodes
        ]

    image = arguments['image_topic']
    processes = [
        ours(
            'depth_node',
            ('image', image),
            ('image/compressed', f'{image}/compressed'),
            ('camera_info', arguments['camera_info_topic']),
            *inputs('depth_node'),
            *remapped_tf,
        )
    ]
    if arguments['alert'] == 'true':
        processes.append(
            ours(
                'alert_node',
                ('cmd_vel_in', arguments['cmd_vel_in_topic']),
                ('cmd_vel_out', arguments['cmd_vel_out_topic']),
                *inputs('alert_node'),
            )
        )
    if arguments['dashboard'] == 'true':
        page = ours('dashboard')
        if arguments['dashboard_control'] == 'true':
            page = replace(page, parameters={**page.parameters, 'control': True})
        processes.append(page)
    if arguments['rviz'] == 'true':
        if not has_package('rviz2'):
            raise ConfigurationError(
                f'rviz must be false where the package rviz2 is not installed, got true; install '
                f'ros-{distro}-rviz2, or leave rviz:=true out'
            )
        processes.append(
            PlannedProcess(
                executable='rviz2',
                package='rviz2',
                name='rviz2',
                namespace=arguments['namespace'],
                log_level=arguments['log_level'],
                # The same file, since it may set use_sim_time for all nodes.
                params_file=params_file,
                parameters=_sim_time(arguments),
                remappings=(
                    ('/image', image),
                    *((f'/{topic}', topic) for topic in RVIZ_TOPICS),
                    *remapped_tf,
                ),
                arguments=(
                    '-d',
                    str(share / 'rviz' / 'depth.rviz'),
                    '-f',
                    arguments['camera_frame'],
                ),
            )
        )
    return tuple(processes)


def _check_choices(arguments: Mapping[str, str]) -> None:
    # launch checks the choices too, but an including launch file can set a configuration itself.
    for argument in LAUNCH_ARGUMENTS:
        value = arguments[argument.name]
        if argument.choices and value not in argument.choices:
            expected = ', '.join(map(repr, argument.choices))
            raise ConfigurationError(
                f'{argument.name} must be one of {expected}, got {value!r}; '
                f'meaning: {argument.description}'
            )


def _params_file(text: str) -> str:
    if not text:
        return ''
    path = Path(text).expanduser()
    if not path.is_file():
        raise ConfigurationError(
            f'params_file must be an existing YAML file, got {str(path)!r}; leave it out to use '
            'the defaults'
        )
    return str(path)


def _sim_time(arguments: Mapping[str, str]) -> dict[str, bool | float | str]:
    text = arguments['use_sim_time']
    return {'use_sim_time': text == 'true'} if text else {}


def _overrides(node: str, arguments: Mapping[str, str]) -> dict[str, bool | float | str]:
    """Convert the arguments that override parameters; those left empty are not among them."""
    settings = _settings_of(node)
    overrides: dict[str, bool | float | str] = {}
    for name in _PARAMETERS.get(node, ()):
        text = arguments[name]
        if text:
            default, description = settings[name]
            value = _convert(name, text, default)
            check_value(name, value, default, description)
            overrides[name] = value
    return overrides


def _convert(name: str, text: str, default: object) -> bool | float | str:
    if isinstance(default, bool):
        return text == 'true'
    if not isinstance(default, float):
        return text
    try:
        return float(text)
    except ValueError:
        raise ConfigurationError(
            f'{name} must be a number, got {text!r}; for example {name}:=0.3'
        ) from None


def _our_executable(name: str, share: Path, scripts: Path) -> tuple[str, str]:
    """Find the package and the executable where colcon puts it, else where pip puts it."""
    if (share.parent.parent / 'lib' / PACKAGE_NAME / name).exists():
        return PACKAGE_NAME, name
    return '', str(scripts / name)
