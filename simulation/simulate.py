# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Drive a simulated robot at obstacles, past them and through free space, in closed loop.

Camera -> depth_node -> alert_node -> cmd_vel -> robot: the nodes are the real ones, in processes
of their own, over DDS; simulated time runs on /clock, as fast as real time. With --oracle the
renderer's true depth replaces depth_node, which tells the alert's faults from the network's.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
import dataclasses
import json
import math
import multiprocessing
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import cv2
from fcrn_depth_ros.alert.machine import AlertConfig
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, inverse_floor_depth
from fcrn_depth_ros.nodes.demo import free_domain_id
from fcrn_depth_ros.perception.proximity import estimate_proximity, ProximityConfig
from fcrn_depth_ros.ros.transport import tune_fast_dds
import numpy as np
from numpy.typing import NDArray
import rclpy
from rclpy.signals import SignalHandlerOptions

from .camera_effects import apply_effects, random_effects
from .drive_result import (
    DriveResult,
    DriveSample,
    judge_drive,
    MOVING_MPS,
    STANDING_MPS,
    summarize,
)
from .renderer import RenderedView
from .report import drive_picture
from .robot_link import RobotLink
from .scenarios import (
    CORRIDOR_WIDTH_M,
    FREE_DRIVE_M,
    HEIGHT_PX,
    numbered_scenario,
    Scenario,
    WIDTH_PX,
)
from .world import DriveWorld

SPEED_MPS = 0.5
STEP_S = 0.02
_STEPS_PER_FRAME = 5  # 10 pictures a second
_STEPS_PER_COMMAND = 2
_LONGEST_S, _NO_START_S, _STANDING_FOR_S = 20.0, 4.0, 1.0
# Rendering makes single steps late by this much, which the next steps make up for.
_CATCH_UP_S = 0.1
# A drive during which the simulator itself stood still for longer says nothing: alert_node
# rightly calls the camera stale. It is repeated.
_LATE_S = 0.3
_REPEATS = 4
_VIDEO_FPS = 1 / (STEP_S * _STEPS_PER_FRAME)


class Drive:
    """
    One drive, step by step.

    Parameters
    ----------
    scenario : Scenario
        What is driven.
    link : RobotLink
        The wire.
    oracle : bool
        Whether true depth goes over it.
    seed : int
        Of the camera's noise.

    Attributes
    ----------
    samples : list of DriveSample
        One for each step.
    lag_s : float
        How long the simulation stood still because the machine was too busy.

    """

    def __init__(self, scenario: Scenario, link: RobotLink, oracle: bool, seed: int) -> None:
        self.scenario = scenario
        self.samples: list[DriveSample] = []
        self.lag_s = 0.0
        self._link, self._oracle = link, oracle
        self._rng = np.random.default_rng(seed)
        self._effects = random_effects(self._rng)
        self._world: DriveWorld = scenario.build()
        self._true_nearest_m = math.nan
        self._intruder_s = math.inf

    def __enter__(self) -> Drive:
        return self

    def __exit__(self, *_: object) -> None:
        self._world.renderer.close()

    def run(self) -> Iterator[None]:
        """Drive; yields after each picture, for whoever makes a video."""
        link, world = self._link, self._world
        link.set_mounting(self.scenario.mounting)
        world.renderer.render(world.camera_pose())  # opens the renderer before the clock runs
        link.wait_for_stop()
        link.reported_nearest_m = math.nan
        begin_s, start_s = link.now_s, time.monotonic()
        for step in range(round(_LONGEST_S / STEP_S)):
            link.tick(STEP_S)
            if step % _STEPS_PER_COMMAND == 0:
                link.ask_to_drive(SPEED_MPS)
            if step % _STEPS_PER_FRAME == 0:
                self._send_picture()
            link.spin_until(start_s + (step + 1) * STEP_S)
            late_s = time.monotonic() - (start_s + (step + 1) * STEP_S)
            if late_s > _CATCH_UP_S:
                # Simulated time waits: run faster than real time, the robot would outpace the
                # nodes.
                start_s += late_s
                self.lag_s += late_s
            world.step(STEP_S, *link.command)
            self._sample(link.now_s - begin_s)
            if self._is_over():
                return
            if step % _STEPS_PER_FRAME == 0:
                yield

    def view(self) -> RenderedView:
        """Render what the camera sees now."""
        return self._world.renderer.render(self._world.camera_pose())

    def _send_picture(self) -> None:
        world = self._world
        if self._intruder_due():
            world.show_intruder(AlertConfig().stop_distance_m - 0.02)
        if self._oracle:
            depth = world.renderer.render_depth(world.camera_pose())
            picture: NDArray[np.generic] = depth
        else:
            view = self.view()
            depth, picture = view.depth_m, apply_effects(view.image_rgb, self._effects, self._rng)
        self._link.send_picture(picture, world.renderer.fx_px)
        self._true_nearest_m = _nearest_m(depth, self.scenario, world.renderer.fx_px)

    def _intruder_due(self) -> bool:
        if self.scenario.kind != 'appears' or self._intruder_s < math.inf or not self.samples:
            return False
        now = self.samples[-1]
        if self._travelled_m() < FREE_DRIVE_M / 2 or now.speed_mps < 0.9 * SPEED_MPS:
            return False
        self._intruder_s = now.time_s
        return True

    def _travelled_m(self) -> float:
        return math.hypot(self._world.x_m - self.scenario.x_m, self._world.y_m - self.scenario.y_m)

    def _sample(self, time_s: float) -> None:
        world, link = self._world, self._link
        self.samples.append(
            DriveSample(
                time_s, world.x_m, world.y_m, world.heading_rad, world.speed_mps,
                link.command[0], link.stop, link.state, world.clearance_m(), world.free_path_m(),
                self._true_nearest_m, link.reported_nearest_m,
            )
        )  # fmt: skip

    def _is_over(self) -> bool:
        now = self.samples[-1]
        if now.clearance_m <= 0.0:
            return True
        if not self.scenario.must_stop and self._travelled_m() >= FREE_DRIVE_M:
            return True
        moved_s = next((s.time_s for s in self.samples if s.speed_mps > MOVING_MPS), None)
        if moved_s is None:
            return now.time_s > _NO_START_S
        first = max(0, len(self.samples) - round(_STANDING_FOR_S / STEP_S))
        return self.samples[first].time_s > moved_s and all(
            s.speed_mps < STANDING_MPS for s in self.samples[first:]
        )


def _nearest_m(depth_m: NDArray[np.float32], scenario: Scenario, fx_px: float) -> float:
    center = (WIDTH_PX - 1) / 2, (HEIGHT_PX - 1) / 2
    camera = CameraIntrinsics(fx_px, fx_px, *center, WIDTH_PX, HEIGHT_PX)
    mounting = scenario.mounting
    floor = inverse_floor_depth(
        camera, CameraMounting(mounting.height_m, mounting.pitch_deg, mounting.roll_deg)
    )
    slope = (np.arange(WIDTH_PX) - center[0]) / fx_px
    config = ProximityConfig(corridor_width_m=CORRIDOR_WIDTH_M)
    return estimate_proximity(depth_m, config, floor, slope).nearest_distance_m


@contextmanager
def running_nodes(oracle: bool, model: str, log: Path) -> Iterator[None]:
    """
    Run the two nodes in processes of their own.

    Parameters
    ----------
    oracle : bool
        Run oracle_node in depth_node's place.
    model : str
        Model file; empty for the embedded one.
    log : Path
        Takes what they print.

    """
    parameters = ['-p', 'use_sim_time:=true', '-p', f'corridor_width_m:={CORRIDOR_WIDTH_M}']
    if model:
        parameters += ['-p', f'model_file:="{model}"']
    depth = 'simulation.oracle_node' if oracle else 'fcrn_depth_ros.nodes.depth_node'
    commands = (
        [depth, '--ros-args', *parameters],
        ['fcrn_depth_ros.nodes.alert_node', '--ros-args', '-p', 'use_sim_time:=true'],
    )
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


def drive_once(
    index: int, scenario: Scenario, options: argparse.Namespace, link: RobotLink
) -> DriveResult:
    """
    Drive a scenario, and leave a picture where it failed.

    Parameters
    ----------
    index : int
        Number of the run.
    scenario : Scenario
        What is driven.
    options : argparse.Namespace
        Of the command line.
    link : RobotLink
        The wire.

    Returns
    -------
    DriveResult
        How it went.

    """
    stop_distance_m = AlertConfig().stop_distance_m
    for _ in range(_REPEATS):
        with Drive(scenario, link, options.oracle, index) as drive:
            video = _Video(options.out / f'run_{index:03d}.mp4') if options.video else None
            title = f'run {index}, seed {options.seed}: {scenario.kind}'
            for _ in drive.run():
                if video is not None:
                    video.add(_picture(drive, link, title))
            result = judge_drive(scenario, drive.samples, stop_distance_m, drive.lag_s)
            if video is not None:
                video.close()
            picture = _picture(drive, link, f'{title}: {result.outcome}')
        if result.lag_s <= _LATE_S or options.video:
            if result.failed:
                cv2.imwrite(str(options.out / f'failed_{index:03d}.png'), picture[..., ::-1])
            return result
    return dataclasses.replace(result, outcome='not_judged')


def _scenarios(seed: int, runs: Sequence[int]) -> Iterator[Scenario]:
    """Draw each scenario in another process while the one before is driven."""
    with ProcessPoolExecutor(
        1,
        multiprocessing.get_context('spawn'),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),  # Ctrl-C ends this process, which ends that one
    ) as other:
        coming = other.submit(numbered_scenario, seed, runs[0])
        for index in runs:
            scenario = coming.result()
            coming = other.submit(numbered_scenario, seed, index + 1)
            yield scenario


def _picture(drive: Drive, link: RobotLink, title: str) -> NDArray[np.uint8]:
    return drive_picture(
        drive.scenario.room, drive.samples, drive.view(), link.estimated_depth_m, title
    )


class _Video:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: cv2.VideoWriter | None = None

    def add(self, picture: NDArray[np.uint8]) -> None:
        if self._writer is None:
            size = picture.shape[1], picture.shape[0]
            code = cv2.VideoWriter_fourcc(*'mp4v')
            self._writer = cv2.VideoWriter(str(self._path), code, _VIDEO_FPS, size)
        self._writer.write(picture[..., ::-1])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.release()


def parse_command_line(arguments: Sequence[str] | None) -> argparse.Namespace:
    """
    Read the options.

    Parameters
    ----------
    arguments : sequence of str or None
        Without the program's name; None takes those of the process.

    Returns
    -------
    argparse.Namespace
        Checked as far as files and numbers go.

    """
    parser = argparse.ArgumentParser(
        prog='simulate', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--runs', type=int, default=20, help='number of drives (default 20)')
    parser.add_argument('--seed', type=int, default=0, help='other seeds give other drives')
    parser.add_argument('--first', type=int, default=0, help='number of the first drive')
    parser.add_argument('--model', default='', help='model file (default: the embedded one)')
    parser.add_argument('--oracle', action='store_true', help='true depth instead of a network')
    parser.add_argument('--json', type=Path, help='file for the figures')
    parser.add_argument('--video', action='store_true', help='leave a video of every drive')
    parser.add_argument(
        '--out', type=Path, default=Path('runs/simulation'), help='folder for log and pictures'
    )
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error(f'--runs must be at least 1, got {options.runs}')
    if options.model and not Path(options.model).is_file():
        parser.error(f'--model must be an ONNX file, got {options.model}; name one that is there')
    return options


def drive_all(options: argparse.Namespace, link: RobotLink) -> list[DriveResult]:
    """
    Drive every run, and keep the figures up to date in the JSON file.

    Parameters
    ----------
    options : argparse.Namespace
        Of the command line.
    link : RobotLink
        The wire; both nodes are up.

    Returns
    -------
    list of DriveResult
        In order.

    """
    results: list[DriveResult] = []
    drives: list[dict[str, object]] = []
    start_s = time.monotonic()
    runs = range(options.first, options.first + options.runs)
    for index, scenario in zip(runs, _scenarios(options.seed, runs), strict=True):
        result = drive_once(index, scenario, options, link)
        results.append(result)
        drives.append({'run': index, **scenario.describe(), **dataclasses.asdict(result)})
        figures = summarize(results)
        left_s = (time.monotonic() - start_s) / len(results) * (len(runs) - len(results))
        print(
            f'run {index}: {scenario.kind} -> {result.outcome}; {len(results)} of {len(runs)}, '
            f'{figures["collisions"]} collisions, {figures["false_stops"]} false stops, '
            f'{figures["never_stopped"]} never stopped, {figures["not_judged"]} not judged, '
            f'{left_s / 60:.0f} min left',
            flush=True,
        )
        if options.json:
            figures |= {'oracle': options.oracle, 'model': options.model or 'embedded'}
            figures |= {'seed': options.seed, 'speed_mps': SPEED_MPS, 'list': drives}
            options.json.write_text(json.dumps(figures, indent=1) + '\n')
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 where a drive failed."""
    options = parse_command_line(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    tune_fast_dds()
    os.environ.setdefault('ROS_DOMAIN_ID', str(free_domain_id()))
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        with running_nodes(options.oracle, options.model, options.out / 'nodes.log'):
            link = RobotLink(options.oracle)
            link.wait_for_alert()
            results = drive_all(options, link)
    except KeyboardInterrupt:
        print('interrupted; the figures so far are in --json', file=sys.stderr)
        return 130
    except RuntimeError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    finally:
        rclpy.try_shutdown()
    print(json.dumps(summarize(results), indent=1))
    return 1 if any(result.failed for result in results) else 0


if __name__ == '__main__':
    sys.exit(main())
