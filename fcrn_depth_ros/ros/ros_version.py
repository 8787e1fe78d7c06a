# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Which ROS 2 runs here: the sourced one, or that of wheels from PyPI."""

from __future__ import annotations

from collections.abc import Mapping
import functools
import importlib.metadata
import os
import re


def ros_distro(environment: Mapping[str, str] = os.environ) -> str:
    """
    Name the ROS 2 in use.

    Parameters
    ----------
    environment : mapping
        Of the process.

    Returns
    -------
    str
        `jazzy`, `kilted`, ...; `unknown` where nothing tells.

    """
    return environment.get('ROS_DISTRO') or _distro_of_wheels()


@functools.cache
def _distro_of_wheels() -> str:
    """Read it once: every installed package is looked at."""
    for distribution in importlib.metadata.distributions():
        wheel = re.fullmatch(r'ros-(\w+)-rclpy', distribution.metadata['Name'] or '')
        if wheel:
            return wheel[1]
    return 'unknown'
