# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
A robot that runs perception and alert in lock-step with the renderer, without ROS.

The code that decides is that of the nodes: the perception pipeline of depth_node and the alert
machine of alert_node. What lies between them on a robot (transport, conversion, inference) is a
constant delay, so that a drive depends on its seed only, not on the machine or its load.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
import math
import multiprocessing
from pathlib import Path
import signal

import cv2
from fcrn_depth_ros.alert.machine import AlertConfig, AlertMachine
from fcrn_depth_ros.alert.memory import RangeScan
from fcrn_depth_ros.alert.source_watch import RangeReading
from fcrn_depth_ros.alert.speed_limit import Velocity, ZERO_VELOCITY
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.camera.rectification import LensCalibration
from fcrn_depth_ros.errors import FrameError, InferenceError
from fcrn_depth_ros.estimation.onnx_model import embedded_model_path, load_onnx_model
from fcrn_depth_ros.odometry import OdometryReading
from fcrn_depth_ros.perception.looming import LoomingConfig
from fcrn_depth_ros.perception.observation import CameraFrame, Observation
from fcrn_depth_ros.perception.pipeline import PerceptionConfig, PerceptionPipeline
from fcrn_depth_ros.perception.scan import ScanConfig
from fcrn_depth_ros.scale.keeper import ScaleReport
from fcrn_depth_ros.scale.odometry import CameraPlace, CameraPose, OdometryTrack
from fcrn_depth_ros.scale.range_hint import (
    RangeBeam,
    RangeHint,
    RangeHintConfig,
    RangeHintTrack,
)
from fcrn_depth_ros.wire.contents import scan_of
from fcrn_depth_ros.wire.range_reading import scale_sigma
import numpy as np
from numpy.typing import NDArray

from .drive import (
    DriveOptions,
    FinishedDrive,
    PATH,
    PROXIMITY,
    run_drive,
    scan_height_max_m,
)
from .odometry import BEAM_MAX_M
from .scenarios import numbered_scenario
from .true_depth import oracle_frame, oracle_pipeline, TrueDepth
from .world import ROBOT_RADIUS_M

# From a picture to its distance in alert_node, median over DDS (see simulation/README.md).
NETWORK_LATENCY_S = 0.067
ORACLE_LATENCY_S = 0.010
# Time starts where no stamp is zero, which would mean unset.
_START_NS = 1_000_000_000


class InProcessBrain:
    """
    The brain of a robot that runs perception and alert in this process.

    Like depth_node it has one slot for waiting pictures, in which the newest wins.

    Parameters
    ----------
    pipeline : PerceptionPipeline
        Turns pictures into observations.
    latency_s : float
        From a picture to its distance in the alert; also the time that one picture occupies
        the pipeline.
    alert : AlertConfig, optional
        Settings of the alert.
    truth : TrueDepth, optional
        Depth source of `pipeline`, where true depth takes the place of a network.

    Notes
    -----
    See :class:`simulation.drive.Brain` for the attributes.

    """

    def __init__(
        self,
        pipeline: PerceptionPipeline,
        latency_s: float,
        truth: TrueDepth | None = None,
        alert: AlertConfig = AlertConfig(),  # noqa: B008
    ) -> None:
        self._alert = alert
        self.wants_pictures = truth is None
        self._pipeline = pipeline
        self._truth = truth
        self._latency_ns = round(latency_s * 1e9)
        self._now_ns = _START_NS
        self._restart()

    def _restart(self) -> None:
        self._machine = AlertMachine(self._alert)
        self._velocity = ZERO_VELOCITY
        self._in_work: CameraFrame | None = None
        self._waiting: CameraFrame | None = None
        self._odometry = OdometryTrack()
        self._hints = RangeHintTrack()
        self._depths_m: dict[int, NDArray[np.float32]] = {}
        self._done_ns = 0
        self.reported_nearest_m = math.nan
        self.is_unknown = False
        self.estimated_depth_m: NDArray[np.float32] | None = None
        self.scale_report: ScaleReport | None = None
        self.lag_s = 0.0
        self.reading_latencies_s: list[float] = []

    @property
    def stop(self) -> bool:
        """The latest decision of the alert."""
        return self._machine.decision.stop

    @property
    def state(self) -> str:
        """The alert's state and reason, worded as on `alert/state`."""
        decision = self._machine.decision
        return f'{decision.state.name}: {decision.reason}'

    @property
    def command(self) -> tuple[float, float]:
        """Forward speed and turn rate that the alert lets through."""
        return self._velocity.linear_x, self._velocity.angular_z

    @property
    def now_ns(self) -> int:
        """Simulated time, on the clock of the stamps."""
        return self._now_ns

    def begin_drive(self, mounting: CameraMounting | None, intrinsics: CameraIntrinsics) -> None:
        """Start anew, with another camera."""
        self._mounting, self._intrinsics = mounting, intrinsics
        self._scan_config = ScanConfig(scan_height_max_m=scan_height_max_m(mounting))
        self._now_ns = _START_NS
        self._pipeline.restart()
        self._restart()

    def tick(self, duration_s: float) -> None:
        """Advance simulated time; distances that came on the way are delivered in their order."""
        self._now_ns += round(duration_s * 1e9)
        self._deliver_due()

    def ask_to_drive(self, speed_mps: float, turn_radps: float = 0.0) -> None:
        """Pass a command through the alert's gate."""
        command = Velocity(linear_x=speed_mps, angular_z=turn_radps)
        self._velocity = self._machine.gate(self._now_s, command)

    def feel_odometry(self, reading: OdometryReading) -> None:
        """Take where the wheels place the robot."""
        self._machine.hear_odometry(self._now_s, reading, self._now_ns)
        self._odometry.add(reading)

    def feel_range(self, distance_m: float) -> None:
        """Take what the range sensor measures."""
        self._hints.add(RangeHint(self._now_ns, distance_m, 0.02, BEAM_MAX_M, 0.03))

    def see(self, image_rgb: NDArray[np.uint8] | None, depth_m: NDArray[np.float32]) -> None:
        """Take a picture; it replaces one that is still waiting."""
        if image_rgb is None:
            frame = oracle_frame(depth_m, self._intrinsics, self._mounting, self._now_ns)
            self._depths_m[self._now_ns] = depth_m
        else:
            frame = CameraFrame(
                image_rgb,
                self._now_ns,
                self._now_s,
                LensCalibration.of_raw_picture(self._intrinsics),
                mounting=self._mounting,
                pose=self._pose(),
                beam=self._beam(),
            )
        self._waiting = frame
        if self._in_work is None:
            self._take_waiting(self._now_ns)

    def _pose(self) -> CameraPose | None:
        robot = self._odometry.at(self._now_ns)
        if robot is None:
            return None
        return CameraPlace.stated(self._mounting, x_m=ROBOT_RADIUS_M).pose(robot)

    def _beam(self) -> RangeBeam | None:
        hint = self._hints.at(self._now_ns)
        return None if hint is None else RangeBeam(hint, RangeHintConfig().place())

    def settle(self) -> None:
        """Let the alert notice the time, as its heartbeat does."""
        self._deliver_due()
        self._machine.advance(self._now_s)
        self._velocity = self._machine.limit(self._velocity)

    @property
    def _now_s(self) -> float:
        return self._now_ns / 1e9

    def _deliver_due(self) -> None:
        while self._in_work is not None and self._done_ns <= self._now_ns:
            frame, done_ns = self._in_work, self._done_ns
            self._take_waiting(done_ns)
            self._deliver(frame, done_ns)

    def _take_waiting(self, start_ns: int) -> None:
        self._in_work, self._waiting = self._waiting, None
        self._done_ns = start_ns + self._latency_ns

    def _deliver(self, frame: CameraFrame, time_ns: int) -> None:
        """Hand the distance of a frame to the alert, as depth_node and alert_node do."""
        time_s = time_ns / 1e9
        self.reading_latencies_s.append((time_ns - frame.stamp_ns) / 1e9)
        share = math.nan
        if self._truth is not None:
            self._truth.depth_m = self._depths_m.pop(frame.stamp_ns)
        try:
            seen = self._pipeline.observe(frame)
        except (FrameError, InferenceError):
            pass
        else:
            share = seen.proximity.proximity
            self.estimated_depth_m = seen.depth_m
            self.scale_report = seen.scale.report
            if self._alert.body() is not None:
                self._machine.hear_scan(time_s, self._scan(seen), time_ns)
            if not math.isnan(seen.nearest_m):
                self.reported_nearest_m = seen.nearest_m
                reading = RangeReading(
                    seen.nearest_m,
                    0.0,
                    self._pipeline.config.proximity.max_range_m,
                    seen.picture_stamp_ns,
                    scale_sigma(seen.nearest_m, seen.range_variance_m2),
                )
                self._machine.hear(time_s, reading, time_ns)
            self._machine.hear_growth(time_s, seen.time_to_collision_s)
        self.is_unknown = math.isnan(share)
        self._machine.hear_proximity(time_s, share)
        self._velocity = self._machine.limit(self._velocity)

    def _scan(self, seen: Observation) -> RangeScan:
        """Return depth/scan of a frame."""
        scan = scan_of(seen, self._scan_config)
        return RangeScan(
            seen.stamp_ns,
            scan.angle_min_rad,
            scan.angle_increment_rad,
            self._scan_config.scan_range_min_m,
            self._scan_config.scan_range_max_m,
            scan.ranges_m,
        )


def make_brain(options: DriveOptions, latency_s: float | None) -> InProcessBrain:
    """
    Make the brain for a series of drives.

    Parameters
    ----------
    options : DriveOptions
        Which depth.
    latency_s : float or None
        None takes what was measured over DDS.

    Returns
    -------
    InProcessBrain
        Starts anew at each drive.

    """
    alert = AlertConfig(**PATH) if options.memory else AlertConfig()
    if options.oracle:
        truth = TrueDepth()
        pipeline = oracle_pipeline(truth, PROXIMITY)
        return InProcessBrain(pipeline, _or(latency_s, ORACLE_LATENCY_S), truth, alert)
    path = Path(options.model) if options.model else embedded_model_path('CPU')
    pipeline = PerceptionPipeline.for_model(
        load_onnx_model(path),
        PerceptionConfig(proximity=PROXIMITY, looming=LoomingConfig(options.looming)),
    )
    return InProcessBrain(pipeline, _or(latency_s, NETWORK_LATENCY_S), alert=alert)


def _or(latency_s: float | None, default_s: float) -> float:
    return default_s if latency_s is None else latency_s


def drives_in_process(
    options: DriveOptions, runs: Sequence[int], workers: int, latency_s: float | None
) -> Iterator[FinishedDrive]:
    """
    Drive every run, in processes beside each other.

    Parameters
    ----------
    options : DriveOptions
        What is driven.
    runs : sequence of int
        Numbers of the runs.
    workers : int
        Number of processes; it changes no result.
    latency_s : float or None
        See :func:`make_brain`.

    Yields
    ------
    FinishedDrive
        In the order of the runs.

    """
    with ProcessPoolExecutor(
        workers,
        multiprocessing.get_context('spawn'),
        initializer=_begin_worker,
        initargs=(options, latency_s),
    ) as pool:
        yield from pool.map(_drive, runs)


_worker: tuple[DriveOptions, InProcessBrain] | None = None


def _begin_worker(options: DriveOptions, latency_s: float | None) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends the workers
    cv2.setNumThreads(1)
    _worker = options, make_brain(options, latency_s)


def _drive(run: int) -> FinishedDrive:
    assert _worker is not None
    options, brain = _worker
    return run_drive(run, numbered_scenario(options.seed, run, options.kinds), brain, options)
