# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Fast DDS settings that carry pictures: its defaults lose most of them between processes."""

from __future__ import annotations

from collections.abc import MutableMapping
import os

from .package_share import share_directory
from .ros_version import ros_distro

# Fast DDS 3 (Kilted) renamed the variable; each version ignores, or warns of, the other's.
_OLD_FAST_DDS = ('humble', 'iron', 'jazzy')
_OLD_VARIABLE = 'FASTRTPS_DEFAULT_PROFILES_FILE'
_NEW_VARIABLE = 'FASTDDS_DEFAULT_PROFILES_FILE'
# Any of these says that the user has chosen a transport.
_CHOICES = (_OLD_VARIABLE, _NEW_VARIABLE, 'FASTDDS_BUILTIN_TRANSPORTS')


def profiles_variable(distro: str) -> str:
    """
    Name the environment variable that gives Fast DDS a profiles file.

    Parameters
    ----------
    distro : str
        Name of the ROS 2 distribution.

    Returns
    -------
    str
        Its name in the Fast DDS of that distribution.

    """
    return _OLD_VARIABLE if distro in _OLD_FAST_DDS else _NEW_VARIABLE


def tune_fast_dds(environment: MutableMapping[str, str] = os.environ) -> bool:
    """
    Give Fast DDS the profiles of config/fastdds.xml unless the user has chosen a transport.

    Parameters
    ----------
    environment : mutable mapping
        Of the process; to be set before rclpy.init.

    Returns
    -------
    bool
        True where the variable was set here.

    Notes
    -----
    `FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA` carries pictures as well, but a process that has it
    hears nothing from one that has not, `ros2 topic echo` among them; a larger shared memory
    segment keeps everybody connected.

    """
    if any(name in environment for name in _CHOICES):
        return False
    profiles = share_directory() / 'config' / 'fastdds.xml'
    environment[profiles_variable(ros_distro(environment))] = str(profiles)
    return True
