# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Keep every test session to itself: its own DDS domain, this machine only, logs thrown away."""

from __future__ import annotations

import os
import platform
import random
import tempfile

import onnxruntime
import pytest

# DDS domains up to 101 keep their ports below Linux's ephemeral range; 0 to 9 are left to users.
os.environ['ROS_DOMAIN_ID'] = str(random.SystemRandom().randint(10, 101))
os.environ.pop('ROS_LOCALHOST_ONLY', None)
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'


def pytest_configure(config: pytest.Config) -> None:
    """Send the logs of the nodes to a directory that goes away with the session."""
    directory = tempfile.TemporaryDirectory(prefix='fcrn_depth_ros_test_logs_')
    os.environ['ROS_LOG_DIR'] = directory.name
    config.add_cleanup(directory.cleanup)


def pytest_report_header(config: pytest.Config) -> str:
    """Say what the tests run on."""
    try:
        from rclpy.utilities import get_rmw_implementation_identifier

        ros = f'{get_rmw_implementation_identifier()}, domain {os.environ["ROS_DOMAIN_ID"]}'
    except ImportError as error:
        ros = f'none ({error})'
    return f'ROS 2: {ros}; onnxruntime {onnxruntime.__version__}; {platform.machine()}'
