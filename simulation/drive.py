# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""One drive, step by step: a rendered room, a robot in it, and a brain that may stop it."""

from __future__ import annotations

from collections.abc import Iterator
import dataclasses
from dataclasses import dataclass, field
import math
from pathlib import Path
from typing import Any, Protocol

import cv2
from fcrn_depth_ros.alert.machine import AlertConfig
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.camera.orientation import level_axes
from fcrn_depth_ros.odometry import OdometryReading
from fcrn_depth_ros.perception.proximity import ProximityConfig
from fcrn_depth_ros.perception.scan import ScanConfig
from fcrn_depth_ros.scale.keeper import ScaleReport
import numpy as np
from numpy.typing import NDArray

from .camera_effects import apply_effects, random_effects
from .drive_result import DriveResult, judge_drive, RIGHT_WITH_BEAM
from .drive_sample import DriveSample, MOVING_MPS, STANDING_MPS
from .manoeuvres import SPEED_MPS
from .odometry import beam, Sensors, WheelOdometry
from .renderer import RenderedView
from .report import drive_picture
from .scenarios import CORRIDOR_WIDTH_M, FREE_DRIVE_M, Scenario
from .true_depth import oracle_frame, oracle_pipeline, TrueDepth
from .world import DriveWorld, Mounting, ROBOT_RADIUS_M

STEP_S = 0.02
STEPS_PER_FRAME = 5  # 10 pictures a second
_STEPS_PER_COMMAND = 2
_LONGEST_S, _NO_START_S, _STANDING_FOR_S = 20.0, 4.0, 1.0
# A robot that nobody told its mounting creeps, and so does one that was told a wrong one.
_LONGEST_CREEP_S = 40.0
# Where something moves, or the driver has a plan, standing for a while is no end.
_WAITING_FOR_S = 6.0
# A drive during which simulated time stood still for longer than this proves nothing.
LATE_S = 0.3
_VIDEO_FPS = 1 / (STEP_S * STEPS_PER_FRAME)
# What a driving robot is set to; everything else has its default.
PROXIMITY = ProximityConfig(corridor_width_m=CORRIDOR_WIDTH_M)
PATH: dict[str, Any] = {'footprint_radius_m': ROBOT_RADIUS_M, 'camera_x_m': ROBOT_RADIUS_M}


class Brain(Protocol):
    """
    What decides over the robot's velocity.

    Attributes
    ----------
    wants_pictures : bool
        False where true depth takes the place of a network.
    reported_nearest_m : float
        Latest nearest distance; NaN before the first.
    is_unknown : bool
        Whether the latest picture gave no distance.
    estimated_depth_m : ndarray of float32 or None
        Latest depth map of the network.
    scale_report : ScaleReport or None
        What the witnesses of scale say about it; None before the first picture, and over DDS.
    lag_s : float
        How long this drive stood still because the machine was too busy.
    reading_latencies_s : list of float
        From each picture of this drive to its distance.

    """

    wants_pictures: bool
    reported_nearest_m: float
    is_unknown: bool
    estimated_depth_m: NDArray[np.float32] | None
    scale_report: ScaleReport | None
    lag_s: float
    reading_latencies_s: list[float]

    @property
    def stop(self) -> bool:
        """The alert's latest decision."""

    @property
    def state(self) -> str:
        """The alert's latest state with its reason, for people."""

    @property
    def command(self) -> tuple[float, float]:
        """Forward speed and turn rate that the base obeys now."""

    @property
    def now_ns(self) -> int:
        """Simulated time, on the clock of the stamps."""

    def begin_drive(self, mounting: CameraMounting | None, intrinsics: CameraIntrinsics) -> None:
        """Take the camera of a new drive, as far as it is known, and start stopped."""

    def tick(self, duration_s: float) -> None:
        """Advance simulated time."""

    def ask_to_drive(self, speed_mps: float, turn_radps: float = 0.0) -> None:
        """Take the command of a driver or a planner."""

    def feel_odometry(self, reading: OdometryReading) -> None:
        """Take where the wheels place the robot."""

    def feel_range(self, distance_m: float) -> None:
        """Take what the range sensor measures; +Inf where nothing is in its reach."""

    def see(self, image_rgb: NDArray[np.uint8] | None, depth_m: NDArray[np.float32]) -> None:
        """Take what the camera shows now; the picture is None where true depth is wanted."""

    def settle(self) -> None:
        """Handle everything that is due by now."""


class Drive:
    """
    One drive, step by step.

    Parameters
    ----------
    scenario : Scenario
        What is driven.
    brain : Brain
        What drives.
    noise_seed : int
        Of the camera's noise.
    sensors : Sensors
        What the robot has and knows beside its camera.

    Attributes
    ----------
    samples : list of DriveSample
        One for each step.

    """

    def __init__(
        self,
        scenario: Scenario,
        brain: Brain,
        noise_seed: int,
        sensors: Sensors = Sensors(),  # noqa: B008
    ) -> None:
        self.scenario = scenario
        self.brain = brain
        self.samples: list[DriveSample] = []
        self.driver = scenario.driver()
        self._sensors = sensors
        self._mover = scenario.mover()
        self._odometry = WheelOdometry(np.random.default_rng([noise_seed, 1]))
        self._beam_rng = np.random.default_rng([noise_seed, 2])
        self._rng = np.random.default_rng(noise_seed)
        self._effects = random_effects(self._rng)
        self._world: DriveWorld = scenario.build()
        self._truth = TrueDepth()
        self._true_perception = oracle_pipeline(self._truth, PROXIMITY)
        self._true_nearest_m = math.nan
        self.scale_error_after_1m: float | None = None
        self.contradicted_after_m: float | None = None
        self.beam_pictures = self.beam_pictures_right = self.beam_landings_right = 0
        self._intruder_s = math.inf

    def __enter__(self) -> Drive:
        return self

    def __exit__(self, *_: object) -> None:
        self._world.renderer.close()

    def run(self) -> Iterator[None]:
        """Drive; yields after each picture, for whoever makes a video."""
        brain, world = self.brain, self._world
        world.renderer.render(world.camera_pose())  # opens the renderer before the clock runs
        believed = believed_mounting(self.scenario, self._sensors)
        brain.begin_drive(believed, world.renderer.intrinsics)
        longest_s = _LONGEST_S if self._sensors.mounting == 'given' else _LONGEST_CREEP_S
        for step in range(round(longest_s / STEP_S)):
            brain.tick(STEP_S)
            if step % _STEPS_PER_COMMAND == 0:
                if self._sensors.odometry:
                    brain.feel_odometry(self._odometry.reading(brain.now_ns))
                brain.ask_to_drive(*self.driver.command(self.samples[-1] if step else None))
            if step % STEPS_PER_FRAME == 0:
                self._look((step + 1) * STEP_S)
            brain.settle()
            world.step(STEP_S, *brain.command)
            self._odometry.move(world.speed_mps * STEP_S, world.turn_radps * STEP_S)
            if self._mover is not None:
                self._mover.step(world, (step + 1) * STEP_S, STEP_S)
            self._sample((step + 1) * STEP_S)
            if self._is_over():
                return
            if step % STEPS_PER_FRAME == 0:
                yield

    def view(self) -> RenderedView:
        """Render what the camera sees now."""
        return self._world.renderer.render(self._world.camera_pose())

    def _look(self, time_s: float) -> None:
        world = self._world
        self._judge_scale()
        if self._intruder_due():
            world.show_intruder(AlertConfig().stop_distance_m - 0.02)
        if self._sensors.range_hint:
            self.brain.feel_range(beam(world.beam_m(), self._beam_rng))
        if self.brain.wants_pictures:
            view = self.view()
            depth_m = view.depth_m
            self.brain.see(apply_effects(view.image_rgb, self._effects, self._rng), depth_m)
        else:
            depth_m = world.renderer.render_depth(world.camera_pose())
            self.brain.see(None, depth_m)
        self._truth.depth_m = depth_m
        self._true_nearest_m = self._true_perception.observe(
            oracle_frame(
                depth_m,
                world.renderer.intrinsics,
                self.scenario.mounting.camera_mounting,
                round(time_s * 1e9),
            )
        ).nearest_m

    def _judge_scale(self) -> None:
        """Judge the estimate of the picture before, whose truth still stands there."""
        estimated_m, true_m = self.brain.estimated_depth_m, self._truth.depth_m
        if estimated_m is None or true_m is None:
            return
        if self.scale_error_after_1m is None and self._travelled_m() >= 1.0:
            self.scale_error_after_1m = scale_error(estimated_m, true_m)
        report = self.brain.scale_report
        if report is None:
            return
        if report.judgement.state == 'contradicted' and self.contradicted_after_m is None:
            self.contradicted_after_m = self._travelled_m()
        if not report.beam.silence and report.judgement.state == 'verified':
            self.beam_pictures += 1
            self.beam_pictures_right += _is_right(scale_error(estimated_m, true_m))
            self.beam_landings_right += _is_right(
                scale_error(
                    *(
                        straight_ahead(depth_m, self.scenario.mounting)
                        for depth_m in (estimated_m, true_m)
                    )
                )
            )

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
        world, brain = self._world, self.brain
        self.samples.append(
            DriveSample(
                time_s, world.x_m, world.y_m, world.heading_rad, world.speed_mps,
                brain.command[0], brain.stop, brain.state, world.clearance_m(),
                world.free_path_m(), self._true_nearest_m, brain.reported_nearest_m,
                brain.is_unknown,
            )
        )  # fmt: skip

    def _is_over(self) -> bool:
        now = self.samples[-1]
        if now.clearance_m <= 0.0 or self.driver.is_done:
            return True
        if not self.scenario.must_stop and self._travelled_m() >= FREE_DRIVE_M:
            return True
        moved_s = next((s.time_s for s in self.samples if s.speed_mps > MOVING_MPS), None)
        if moved_s is None:
            return now.time_s > _NO_START_S
        patient = self._mover is not None or self.scenario.kind in ('turn', 'reverse')
        standing_for_s = _WAITING_FOR_S if patient else _STANDING_FOR_S
        first = max(0, len(self.samples) - round(standing_for_s / STEP_S))
        return self.samples[first].time_s > moved_s and all(
            abs(s.speed_mps) < STANDING_MPS for s in self.samples[first:]
        )


def scale_error(estimated_m: NDArray[np.float32], true_m: NDArray[np.float32]) -> float | None:
    """Return by which share a depth map is too far as a whole; None where it is all unknown."""
    height, width = estimated_m.shape
    if not (estimated_m.size and true_m.size):
        return None
    true_m = cv2.resize(true_m, (width, height), interpolation=cv2.INTER_NEAREST)
    known = np.isfinite(estimated_m) & (estimated_m > 0) & np.isfinite(true_m) & (true_m > 0)
    if not known.any():
        return None
    return float(np.median(estimated_m[known] / true_m[known])) - 1.0


def _is_right(error: float | None) -> bool:
    return error is not None and abs(error) <= RIGHT_WITH_BEAM


def straight_ahead(depth_m: NDArray[np.float32], mounting: Mounting) -> NDArray[np.float32]:
    """
    Return what a depth map holds where a level beam lands that begins at the camera.

    Parameters
    ----------
    depth_m : ndarray of float32, shape (h, w)
        Of the whole picture, in any size.
    mounting : Mounting
        Of the camera.

    Returns
    -------
    ndarray of float32, shape (m, n)
        A thirtieth of the picture's width, as far as it is in view.

    """
    height, width = depth_m.shape
    focal_px = width / 2 / math.tan(math.radians(mounting.horizontal_view_deg) / 2)
    ahead = level_axes(mounting.camera_mounting)[0]
    x = width / 2 + focal_px * ahead[0] / ahead[2]
    y = height / 2 + focal_px * ahead[1] / ahead[2]
    half = max(1.0, width / 60)
    rows = slice(max(0, round(y - half)), max(0, round(y + half)))
    return depth_m[rows, max(0, round(x - half)) : max(0, round(x + half))]


def believed_mounting(scenario: Scenario, sensors: Sensors) -> CameraMounting | None:
    """Return what the robot of a drive knows of its camera; None where it knows nothing."""
    mounting = scenario.mounting.camera_mounting
    if sensors.mounting == 'unknown':
        return None
    if sensors.mounting == 'given':
        return mounting
    sign = 1 if scenario.room_seed % 2 else -1
    factor = 1.0 + sign * sensors.mounting_error
    pitch_sign = 1 if scenario.room_seed // 2 % 2 else -1
    return dataclasses.replace(
        mounting,
        height_m=factor * mounting.height_m,
        pitch_deg=mounting.pitch_deg + pitch_sign * sensors.pitch_error_deg,
    )


def scan_height_max_m(mounting: CameraMounting | None) -> float:
    """Return up to where things are in the way of a robot that is as high as its camera."""
    return ScanConfig().scan_height_max_m if mounting is None else mounting.height_m + 0.1


@dataclass(frozen=True)
class DriveOptions:
    """
    What is driven, and what it leaves behind.

    Attributes
    ----------
    seed : int
        Other seeds give other drives.
    oracle : bool
        True depth takes the place of a network.
    model : str
        Model file; empty for the embedded one.
    out : Path
        Folder for pictures, videos and logs; exists.
    video : bool
        Leave a video of every drive, not only a picture of each failed one.
    kinds : str
        A key of `KIND_SETS`.
    sensors : Sensors
        What the robot has and knows beside its camera.
    memory : bool
        Whether the alert knows the robot's body, and so judges paths and remembers.
    looming : bool
        Whether the growth of the picture is a second opinion.

    """

    seed: int
    oracle: bool
    model: str
    out: Path
    video: bool
    kinds: str = 'straight'
    sensors: Sensors = field(default_factory=Sensors)
    memory: bool = True
    looming: bool = False


@dataclass(frozen=True)
class FinishedDrive:
    """The number of a run, what was driven, and how it went."""

    run: int
    scenario: Scenario
    result: DriveResult


def run_drive(run: int, scenario: Scenario, brain: Brain, options: DriveOptions) -> FinishedDrive:
    """
    Drive a scenario; leave a picture where it failed.

    Parameters
    ----------
    run : int
        Its number, which is also the seed of the camera's noise.
    scenario : Scenario
        What is driven.
    brain : Brain
        What drives.
    options : DriveOptions
        What is left behind.

    Returns
    -------
    FinishedDrive
        The verdict.

    """
    title = f'run {run}, seed {options.seed}: {scenario.kind}'
    with Drive(scenario, brain, run, options.sensors) as drive:
        video = _Video(options.out / f'run_{run:03d}.mp4') if options.video else None
        for _ in drive.run():
            if video is not None:
                video.add(_picture(drive, title))
        if video is not None:
            video.close()
        result = judge_drive(
            scenario,
            drive.samples,
            AlertConfig().stop_distance_m,
            brain.lag_s,
            brain.reading_latencies_s,
            drive.driver.is_stuck,
        )
        result = dataclasses.replace(
            result,
            scale_error_after_1m=drive.scale_error_after_1m,
            contradicted_after_m=drive.contradicted_after_m,
            beam_pictures=drive.beam_pictures,
            beam_pictures_right=drive.beam_pictures_right,
            beam_landings_right=drive.beam_landings_right,
        )
        if result.failed and result.lag_s <= LATE_S:
            picture = _picture(drive, f'{title}: {result.outcome}')
            cv2.imwrite(str(options.out / f'failed_{run:03d}.png'), picture[..., ::-1])
    return FinishedDrive(run, scenario, result)


def _picture(drive: Drive, title: str) -> NDArray[np.uint8]:
    return drive_picture(
        drive.scenario.room, drive.samples, drive.view(), drive.brain.estimated_depth_m, title
    )


class _Video:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: cv2.VideoWriter | None = None

    def add(self, picture: NDArray[np.uint8]) -> None:
        if self._writer is None:
            size = picture.shape[1], picture.shape[0]
            code = cv2.VideoWriter.fourcc(*'mp4v')
            self._writer = cv2.VideoWriter(str(self._path), code, _VIDEO_FPS, size)
        self._writer.write(picture[..., ::-1])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.release()
