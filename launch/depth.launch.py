# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Start depth_node and alert_node, and rviz2 on request.

    ros2 launch fcrn_depth_ros depth.launch.py image_topic:=/camera/image_raw \
        camera_info_topic:=/camera/camera_info camera_height_m:=0.3 camera_pitch_deg:=10

What is started stands in `fcrn_depth_ros/ros/launch_plan.py`; this file hands it to launch.
"""

from __future__ import annotations

from pathlib import Path
import sysconfig

from ament_index_python.packages import get_package_prefix, PackageNotFoundError
from fcrn_depth_ros.ros.child_processes import UNUSABLE_SETTINGS
from fcrn_depth_ros.ros.launch_plan import LAUNCH_ARGUMENTS, plan_launch, PlannedProcess
from fcrn_depth_ros.ros.package_share import share_directory
from fcrn_depth_ros.ros.ros_version import ros_distro
from fcrn_depth_ros.ros.transport import tune_fast_dds
from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, EmitEvent, LogInfo, OpaqueFunction
from launch.events import matches_action
from launch.events.process import ProcessExited, ShutdownProcess
from launch_ros.actions import Node

RESPAWN_DELAY_S = 2.0


def generate_launch_description() -> LaunchDescription:
    """Describe the launch."""
    arguments = [
        DeclareLaunchArgument(
            argument.name,
            default_value=argument.default,
            description=argument.description,
            choices=list(argument.choices) or None,
        )
        for argument in LAUNCH_ARGUMENTS
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start_all)])


def start_all(context: LaunchContext) -> list[Action]:
    """Start the processes that the arguments ask for."""
    processes = plan_launch(
        context.launch_configurations,
        share=share_directory(),
        scripts=Path(sysconfig.get_path('scripts')),
        has_package=has_package,
        distro=ros_distro(context.environment),
    )
    if context.launch_configurations['tune_transport'] == 'true':
        tune_fast_dds(context.environment)
    return [node_of(process) for process in processes]


def node_of(process: PlannedProcess) -> Node:
    """Hand one process to launch."""
    return Node(
        package=process.package or None,
        executable=process.executable,
        name=process.name,
        namespace=process.namespace,
        parameters=[
            *([process.params_file] if process.params_file else []),
            *([dict(process.parameters)] if process.parameters else []),
        ],
        remappings=list(process.remappings),
        arguments=list(process.arguments),
        ros_arguments=['--log-level', process.log_level],
        output='screen',
        # launch starts it again with the command line and the environment of the first time,
        # also where the scope of an including launch file has ended.
        respawn=process.respawn,
        respawn_delay=RESPAWN_DELAY_S,
        on_exit=give_up_on_refused_settings,
    )


def give_up_on_refused_settings(event: ProcessExited, context: LaunchContext) -> list[Action]:
    """End the respawning of a node that refused its parameters: it would refuse them again."""
    if event.returncode != UNUSABLE_SETTINGS or context.is_shutdown:
        return []
    return [
        LogInfo(
            msg=f'{event.process_name} refused its parameters and is not started again; '
            'its last lines say why'
        ),
        EmitEvent(event=ShutdownProcess(process_matcher=matches_action(event.action))),
    ]


def has_package(name: str) -> bool:
    """Tell whether a ROS package is installed."""
    try:
        get_package_prefix(name)
    except (PackageNotFoundError, OSError):  # OSError: AMENT_PREFIX_PATH is not set
        return False
    return True
