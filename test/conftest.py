# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
What holds for every test: isolation, optional packages, and which skips may pass unnoticed.

Each session has a DDS domain of its own, stays on this machine and throws its logs away. A test
module that imports an optional package is skipped where that is missing. In continuous
integration (``CI=true``) a skip fails its test unless allowed_skips.yaml lists it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import suppress
import gc
import os
from pathlib import Path
import platform
import random
import tempfile
from typing import TypeVar

import onnxruntime
import pytest
import yaml

# DDS domains up to 101 keep their ports below Linux's ephemeral range; 0 to 9 are left to users.
os.environ['ROS_DOMAIN_ID'] = str(random.SystemRandom().randint(10, 101))
os.environ.pop('ROS_LOCALHOST_ONLY', None)
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'

ALLOWED_SKIPS = yaml.safe_load(Path(__file__).with_name('allowed_skips.yaml').read_text())

# Where packages come from that a machine may lack. Any other missing module is an error.
OPTIONAL_PACKAGES = {
    'coremltools': "pip install '.[coreml]'",
    'mujoco': 'pip install -r simulation/requirements.txt',
    'ray': 'scripts/test_ray',
    'torch': 'scripts/test_training',
    **dict.fromkeys(
        (
            'aiohttp',
            'cryptography',
            'fsspec',
            'gpiozero',
            'h5py',
            'hypothesis',
            'matplotlib',
            'onnx',
            'playwright',
            'pooch',
            'pyarrow',
            'rosbags',
            'segno',
            'tqdm',
        ),
        'pip install -r requirements/dev.txt',
    ),
    **dict.fromkeys(
        ('launch', 'launch_ros', 'launch_testing', 'tf2_msgs', 'tf2_ros'),
        'a ROS 2 installation; PyPI does not have it',
    ),
    **dict.fromkeys(
        (
            'ament_index_python',
            'builtin_interfaces',
            'cv_bridge',
            'diagnostic_msgs',
            'geometry_msgs',
            'lifecycle_msgs',
            'nav_msgs',
            'rcl_interfaces',
            'rclpy',
            'rosgraph_msgs',
            'sensor_msgs',
            'std_msgs',
            'std_srvs',
        ),
        'scripts/test, or a sourced ROS 2',
    ),
}

Report = TypeVar('Report', pytest.TestReport, pytest.CollectReport)


class TestModule(pytest.Module):
    """A test module that is skipped where an optional package is missing."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Collect the tests, or raise a skip that names the missing package."""
        try:
            return super().collect()
        except self.CollectError as error:
            cause = error.__cause__
            # A folder of the checkout, launch/, takes the name of a package that is missing: then
            # the import succeeds, and what it should contain is not there (path is None).
            if not isinstance(cause, ImportError) or cause.path is not None or not cause.name:
                raise
            source = OPTIONAL_PACKAGES.get(cause.name.split('.')[0])
            if source is None:
                raise
            pytest.skip(f'needs {cause.name} ({source})', allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
    """Make each test module one that may lack an optional package."""
    module: pytest.Module = TestModule.from_parent(parent, path=module_path)
    return module


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Name the module that is skipped, not this file; fail it if it is skipped without leave."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple):
        report.longrepr = (str(collector.path), 1, report.longrepr[2])
    return _judged(report)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that is skipped without leave."""
    return _judged((yield))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """
    Let the DDS participants of a test end with it.

    A node of rclpy is part of cycles, so its participant ends when Python happens to look for
    them. Where that is in the middle of another test, with other participants in the process,
    Fast DDS can wait for ever (matched_writer_remove of a StatefulReader, called within the
    intraprocess_delivery of a StatefulWriter).
    """
    yield
    if any(name.startswith('dds.ev.') for name in _thread_names()):  # one a participant
        gc.collect()


def _thread_names() -> Iterable[str]:
    for thread in Path('/proc/self/task').glob('*/comm'):
        with suppress(OSError):  # it ended meanwhile
            yield thread.read_text()


def _judged(report: Report) -> Report:
    is_skip = report.skipped and not hasattr(report, 'wasxfail')
    if not is_skip or os.environ.get('CI') != 'true':
        return report
    reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    for allowed in ALLOWED_SKIPS:
        if report.nodeid.startswith(allowed['tests']) and allowed['reason'] in reason:
            return report
    report.outcome = 'failed'
    report.longrepr = (
        f'{report.nodeid} must run in continuous integration, got a skip: {reason}; install what '
        'is missing, or list the skip in test/allowed_skips.yaml'
    )
    return report


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
