# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Start depth_node and alert_node, and rviz2 on request.

    ros2 launch fcrn_depth_ros depth.launch.py image_topic:=/camera/image_raw \
        camera_info_topic:=/camera/camera_info camera_height_m:=0.3 camera_pitch_deg:=10

An argument that is also a parameter of the nodes is empty by default, which leaves the value of
``params_file`` in force.
"""

import math
from pathlib import Path
import sysconfig

from fcrn_depth_ros.ros.package_share import share_directory
from fcrn_depth_ros.ros.transport import tune_fast_dds
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node

SHARE = share_directory()

BOOL = ('true', 'false')
AS_IN_PARAMS_FILE = 'Empty: as in params_file, or the default'
RVIZ_TOPICS = (
    'depth/image_rect',
    'depth/camera_info',
    'depth/image_color',
    'depth/points',
    'depth/scan',
    'proximity/range',
)


def declare_arguments():
    """List the launch arguments, as `ros2 launch ... --show-args` prints them."""

    def argument(name, default, description, choices=None):
        return DeclareLaunchArgument(
            name,
            default_value=default,
            description=description,
            choices=None if choices is None else list(choices),
        )

    return [
        argument('namespace', '', 'Namespace of the nodes and of all relative topics'),
        argument(
            'params_file',
            '',
            'YAML file with parameters of the nodes; empty leaves their defaults. '
            'Start from a copy of config/depth_node.yaml or config/alert_node.yaml',
        ),
        argument('use_sim_time', '', f'Take time from /clock. {AS_IN_PARAMS_FILE}', ('', *BOOL)),
        argument(
            'log_level',
            'info',
            'Least severe messages that are logged',
            ('debug', 'info', 'warn', 'error', 'fatal'),
        ),
        argument(
            'autostart',
            '',
            'Configure and activate the nodes at start; false waits for '
            f'lifecycle transitions. {AS_IN_PARAMS_FILE}',
            ('', *BOOL),
        ),
        argument(
            'model_file',
            '',
            'Path of an ONNX file with a model card. '
            f'{AS_IN_PARAMS_FILE}, where empty is the embedded fcrn_lite',
        ),
        argument(
            'image_topic',
            'image',
            'Topic of the camera images; with image_transport '
            'compressed, the topic without its /compressed',
        ),
        argument('camera_info_topic', 'camera_info', "Topic of the camera's calibration"),
        argument(
            'image_transport',
            '',
            f'Subscribe to image_topic itself or to its /compressed. {AS_IN_PARAMS_FILE}',
            ('', 'raw', 'compressed'),
        ),
        argument(
            'camera_height_m',
            '',
            'Height of the camera above the floor in metres; 0 is '
            f'unknown, and the metric scale then unverified. {AS_IN_PARAMS_FILE}',
        ),
        argument(
            'camera_pitch_deg',
            '',
            f'Pitch of the camera in degrees, down positive. {AS_IN_PARAMS_FILE}',
        ),
        argument('alert', 'true', 'Start alert_node too', BOOL),
        argument('rviz', 'false', 'Start rviz2 (package rviz2) with a view of every output', BOOL),
        argument(
            'camera_frame',
            'camera_optical_frame',
            'frame_id of the images: the frame that rviz2 shows everything in',
        ),
        argument(
            'tune_transport',
            'true',
            'Let Fast DDS carry large images (config/fastdds.xml) '
            'unless its transport is chosen already',
            BOOL,
        ),
    ]


def read_number(name, text):
    """Convert an argument to a float, or say what is wrong with it."""
    try:
        return float(text)
    except ValueError:
        raise RuntimeError(
            f'{name} must be a number, got {text!r}; for example {name}:=0.3'
        ) from None


def read_overrides(arguments):
    """Convert the arguments that override parameters; empty ones are left out."""
    readers = {
        'use_sim_time': lambda name, text: text == 'true',
        'autostart': lambda name, text: text == 'true',
        'model_file': lambda name, text: text,
        'image_transport': lambda name, text: text,
        'camera_height_m': read_number,
        'camera_pitch_deg': read_number,
    }
    return {
        name: read(name, arguments[name])
        for name, read in readers.items()
        if arguments[name] != ''
    }


def start_nodes(context):
    """Make the nodes from the values that the arguments have in this launch."""
    arguments = context.launch_configurations
    params_file = Path(arguments['params_file']).expanduser()
    params_files = [str(params_file)] if arguments['params_file'] else []
    if params_files and not params_file.is_file():
        raise RuntimeError(
            f'params_file must be an existing YAML file, got {str(params_file)!r}; leave it out '
            'to use the defaults'
        )
    overrides = read_overrides(arguments)
    image = arguments['image_topic']
    common = {
        'namespace': arguments['namespace'],
        'ros_arguments': ['--log-level', arguments['log_level']],
        'output': 'screen',
    }
    shared = {
        name: value for name, value in overrides.items() if name in ('use_sim_time', 'autostart')
    }
    nodes = [
        Node(
            **our_executable('depth_node'),
            name='depth_node',
            parameters=[*params_files, overrides],
            remappings=[
                ('image', image),
                ('image/compressed', f'{image}/compressed'),
                ('camera_info', arguments['camera_info_topic']),
            ],
            **common,
        ),
    ]
    if arguments['alert'] == 'true':
        nodes.append(
            Node(
                **our_executable('alert_node'),
                name='alert_node',
                parameters=[*params_files, shared],
                **common,
            )
        )
    if arguments['rviz'] == 'true':
        nodes += show(image, arguments['camera_frame'], overrides, common)
    return nodes


def show(image, camera_frame, overrides, common):
    """Make rviz2, and the transform that puts the level scan into the camera's frame."""
    from fcrn_depth_ros.nodes.depth_node import scan_frame_of

    return [
        Node(
            package='rviz2',
            executable='rviz2',
            name='rviz2',
            arguments=['-d', str(SHARE / 'rviz' / 'depth.rviz'), '-f', camera_frame],
            parameters=[{'use_sim_time': overrides.get('use_sim_time', False)}],
            remappings=[('/image', image), *((f'/{topic}', topic) for topic in RVIZ_TOPICS)],
            **common,
        ),
        Node(
            package='tf2_ros',
            executable='static_transform_publisher',
            name='scan_transform',
            arguments=[
                *level_rotation(overrides.get('camera_pitch_deg', 0.0)),
                '--frame-id',
                camera_frame,
                '--child-frame-id',
                scan_frame_of(camera_frame),
            ],
            **common,
        ),
    ]


def our_executable(name):
    """Find an executable where colcon puts it, else where pip puts it."""
    if (SHARE.parent.parent / 'lib' / 'fcrn_depth_ros' / name).exists():
        return {'package': 'fcrn_depth_ros', 'executable': name}
    return {'executable': str(Path(sysconfig.get_path('scripts')) / name)}


def level_rotation(pitch_deg):
    """Rotate an optical frame (z forward, y down) to the level frame of the scan (z up)."""
    sine, cosine = math.sin(math.radians(pitch_deg) / 2), math.cos(math.radians(pitch_deg) / 2)
    along, across = str((cosine + sine) / 2), str((cosine - sine) / 2)
    return ['--qx', along, '--qy', f'-{along}', '--qz', across, '--qw', across]


def tune_transport(context):
    """Let Fast DDS carry large images, unless the user has chosen a transport."""
    if context.launch_configurations['tune_transport'] == 'true':
        tune_fast_dds(context.environment)


def generate_launch_description():
    """Describe the launch."""
    return LaunchDescription(
        [
            *declare_arguments(),
            OpaqueFunction(function=tune_transport),
            OpaqueFunction(function=start_nodes),
        ]
    )
