# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Drives with the real nodes, in processes of their own, over DDS, in real time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
import dataclasses
import multiprocessing
import os
from pathlib import Path
import signal
import subprocess
import sys

from fcrn_depth_ros.nodes.demo import free_domain_id
from fcrn_depth_ros.ros.transport import tune_fast_dds
import rclpy
from rclpy.signals import SignalHandlerOptions

from .drive import DriveOptions, FinishedDrive, LATE_S, PATH, PROXIMITY, run_drive
from .robot_link import RobotLink
from .scenarios import numbered_scenario, Scenario

# A drive that proves nothing, because the machine was too busy, is repeated.
_REPEATS = 4


def drives_over_dds(options: DriveOptions, runs: Sequence[int]) -> Iterator[FinishedDrive]:
    """
    Drive every run, one after the other.

    Parameters
    ----------
    options : DriveOptions
        What is driven.
    runs : sequence of int
        Numbers of the runs.

    Yields
    ------
    FinishedDrive
        In the order of the runs; `not_judged` where the machine was too busy.

    Raises
    ------
    RuntimeError
        If the nodes do not come up, or stop answering.

    """
    tune_fast_dds()
    os.environ.setdefault('ROS_DOMAIN_ID', str(free_domain_id()))
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        with _running_nodes(options):
            link = RobotLink(options.oracle)
            link.wait_for_alert()
            for run, scenario in zip(runs, _scenarios(options, runs), strict=True):
                yield _drive(run, scenario, link, options)
    finally:
        rclpy.try_shutdown()


def _drive(run: int, scenario: Scenario, link: RobotLink, options: DriveOptions) -> FinishedDrive:
    for _ in range(_REPEATS):
        finished = run_drive(run, scenario, link, options)
        # Making a video takes longer than driving.
        if finished.result.lag_s <= LATE_S or options.video:
            return finished
    not_judged = dataclasses.replace(finished.result, outcome='not_judged')
    return dataclasses.replace(finished, result=not_judged)


@contextmanager
def _running_nodes(options: DriveOptions) -> Iterator[None]:
    """Run depth_node, or the oracle in its place, and alert_node."""
    corridor = f'corridor_width_m:={PROXIMITY.corridor_width_m}'
    parameters = ['-p', 'use_sim_time:=true', '-p', corridor]
    if options.looming:
        parameters += ['-p', 'looming:=true']
    if options.model:
        parameters += ['-p', f'model_file:="{options.model}"']
    depth = 'simulation.oracle_node' if options.oracle else 'fcrn_depth_ros.nodes.depth_node'
    path = [f'{name}:={value}' for name, value in PATH.items()] if options.memory else []
    alert = ['-p', 'use_sim_time:=true', *(word for one in path for word in ('-p', one))]
    commands = (
        [depth, '--ros-args', *parameters],
        ['fcrn_depth_ros.nodes.alert_node', '--ros-args', *alert],
    )
    log: Path = options.out / 'nodes.log'
    with log.open('wb') as output:
        children = [
            subprocess.Popen(
                [sys.executable, '-m', *command], stdout=output, stderr=output,
                start_new_session=True,
            )
            for command in commands
        ]  # fmt: skip
        try:
            yield
        finally:
            for child in children:
                child.send_signal(signal.SIGTERM)
            for child in children:
                try:
                    child.wait(5.0)
                except subprocess.TimeoutExpired:
                    child.kill()


def _scenarios(options: DriveOptions, runs: Sequence[int]) -> Iterator[Scenario]:
    """Draw each scenario in another process while the one before is driven."""
    with ProcessPoolExecutor(
        1,
        multiprocessing.get_context('spawn'),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),  # Ctrl-C ends this process, which ends that one
    ) as other:
        coming = other.submit(numbered_scenario, options.seed, runs[0], options.kinds)
        for following in [*runs[1:], runs[-1] + 1]:
            scenario = coming.result()
            coming = other.submit(numbered_scenario, options.seed, following, options.kinds)
            yield scenario
