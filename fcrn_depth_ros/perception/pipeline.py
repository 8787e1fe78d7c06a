# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
From a picture to one observation: the only place that decides what a frame means.

    frame ─► repeated? ─► rectify ─► shows a scene? ─► depth ─► scale ─► sure? ─► proximity
                                                                                └► Observation

Without ROS; time is part of the frame. The network does not run for a picture that repeats the
one before, nor for one that shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .confidence import ConfidenceConfig, never_clear, unsure_pixels
from .floor import floor_evidence, FloorConfig, FloorEvidence
from .looming import LoomingConfig, LoomingWatch
from .observation import CameraFrame, Observation
from .proximity import estimate_proximity, ProximityConfig
from .quality import assess_image, QualityConfig
from .repeats import RepeatWatch
from .scale import assess_scale
from .steadiness import SteadinessConfig, SteadyDistance
from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting
from ..camera.orientation import lateral_slope
from ..camera.rectification import LensCalibration, Rectifier
from ..errors import ConfigurationError, FrameError
from ..estimation.depth_estimator import DepthEstimate, DepthEstimator, EstimationConfig
from ..estimation.onnx_model import OnnxModel
from ..estimation.stopwatch import Stage, Stopwatch
from ..scale.floor_plane import FloorPlane, FloorWatch
from ..scale.keeper import ScaleConfig, ScaleKeeper
from ..scale.level_lines import LevelWatch
from ..settings import setting, Settings


@dataclass(frozen=True)
class FrameConfig(Settings):
    """Calibration, rectification and frozen cameras."""

    camera_info_wait_s: float = setting(
        1.0,
        'How long frames are dropped while no camera_info has arrived, in seconds. Afterwards '
        'the node assumes the field of view of the training camera, and diagnostics warn.',
        minimum=0.0,
        maximum=60.0,
    )
    frozen_frame_count: int = setting(
        60,
        'Number of identical frames after the first one at which the camera counts as frozen '
        'and depth becomes unknown. Until then proximity/range keeps the stamp of the first of '
        'them, so that alert_node detects stale data after source_timeout_s. 0 turns both '
        'checks off; a simulated camera without noise needs that.',
        minimum=0,
        maximum=100000,
    )
    rectify: bool = setting(
        False,
        'Remove the lens distortion that camera_info describes. Set it when `image` is a raw '
        'image.',
    )


@dataclass(frozen=True)
class PerceptionConfig:
    """
    Everything that can be set in the pipeline, as one unchanging whole.

    Attributes
    ----------
    frames, estimation, quality, proximity, floor, confidence, looming, scale, steadiness
        See each class.

    """

    frames: FrameConfig = field(default_factory=FrameConfig)
    estimation: EstimationConfig = field(default_factory=EstimationConfig)
    quality: QualityConfig = field(default_factory=QualityConfig)
    proximity: ProximityConfig = field(default_factory=ProximityConfig)
    confidence: ConfidenceConfig = field(default_factory=ConfidenceConfig)
    floor: FloorConfig = field(default_factory=FloorConfig)
    looming: LoomingConfig = field(default_factory=LoomingConfig)
    scale: ScaleConfig = field(default_factory=ScaleConfig)
    steadiness: SteadinessConfig = field(default_factory=SteadinessConfig)

    def contradiction(self) -> str:
        """Return how the settings contradict each other; empty where they do not."""
        texts = (
            part.contradiction()
            for part in (
                self.frames,
                self.estimation,
                self.quality,
                self.proximity,
                self.floor,
            )
        )
        return '; '.join(text for text in texts if text)


class DepthSource(Protocol):
    """What gives depth: a network, or the truth of a simulation."""

    @property
    def name(self) -> str:
        """Name of the source, for messages."""

    @property
    def is_metric(self) -> bool:
        """False where its depth has no unit."""

    def estimate(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics | None = None,
        mounting: CameraMounting | None = None,
        stopwatch: Stopwatch | None = None,
    ) -> DepthEstimate:
        """Return the depth of a picture; a network laps PREPARE and INFERENCE."""

    def unknown(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics | None = None,
        mounting: CameraMounting | None = None,
    ) -> DepthEstimate:
        """Return a depth map of the same size in which everything is unknown."""


class PerceptionPipeline:
    """
    Turn frames into observations, one after the other.

    Parameters
    ----------
    make_source : callable
        Makes the depth source for an EstimationConfig; may raise ConfigurationError.
    config : PerceptionConfig, optional
        What can be set.

    Raises
    ------
    ConfigurationError
        If settings contradict each other or the depth source.

    """

    def __init__(
        self,
        make_source: Callable[[EstimationConfig], DepthSource],
        config: PerceptionConfig | None = None,
    ) -> None:
        self._make_source = make_source
        self._source: DepthSource | None = None
        self._repeats = RepeatWatch()
        self._looming = LoomingWatch()
        self._scale = ScaleKeeper(ScaleConfig())
        self._floor = FloorWatch()
        self._level = LevelWatch()
        self._steady = SteadyDistance()
        self._last: tuple[CameraFrame, Observation] | None = None
        self.restart()
        self.reconfigure(config or PerceptionConfig())
        if self.contradiction:
            raise ConfigurationError(self.contradiction)

    @classmethod
    def for_model(
        cls, model: OnnxModel, config: PerceptionConfig | None = None
    ) -> PerceptionPipeline:
        """Make a pipeline around a network."""
        return cls(lambda estimation: DepthEstimator(model, estimation), config)

    def reconfigure(self, config: PerceptionConfig) -> None:
        """
        Take new settings, which hold from the next frame on.

        Parameters
        ----------
        config : PerceptionConfig
            Settings that contradict each other are taken, too: `contradiction` then says how,
            and every frame is refused until they no longer do.

        """
        self.config = config
        self._scale.reconfigure(config.scale)
        self.contradiction = self.contradiction_with(config)
        if not self.contradiction:
            self._source = self._make_source(config.estimation)
        self._last = None

    def contradiction_with(self, config: PerceptionConfig) -> str:
        """Return how settings contradict each other or the depth source; empty where not."""
        if text := config.contradiction():
            return text
        try:
            source = self._make_source(config.estimation)
        except ConfigurationError as error:
            return str(error)
        chosen = config.proximity.proximity_mode, config.proximity.relative_polarity
        if not source.is_metric and chosen != ('relative', 'near_is_high'):
            return (
                'proximity_mode must be relative and relative_polarity near_is_high for '
                f'{source.name}, whose depth has no unit, got {" and ".join(chosen)}; set both, '
                'or take a metric model'
            )
        return ''

    def restart(self) -> None:
        """Forget earlier frames."""
        self._repeats.restart()
        self._looming.restart()
        self._scale.restart()
        self._floor.restart()
        self._level.restart()
        self._steady.restart()
        self._rectifier: Rectifier | None = None
        self._first_arrival_s: float | None = None
        self._last = None

    def take_note(self, content: bytes | bytearray | memoryview, stamp_ns: int) -> int:
        """
        Count a picture among the repeats without observing it.

        Parameters
        ----------
        content : bytes-like
            What the camera sent.
        stamp_ns : int
            Its stamp.

        Returns
        -------
        int
            How often these very bytes have come again.

        """
        if not self.config.frames.frozen_frame_count:
            return 0
        return self._repeats.update(content, stamp_ns)

    def observe(self, frame: CameraFrame, stopwatch: Stopwatch | None = None) -> Observation:
        """
        Say what a frame means.

        Parameters
        ----------
        frame : CameraFrame
            The picture and what is known with it.
        stopwatch : Stopwatch, optional
            Measures how long each stage takes; what is observed does not depend on it.

        Returns
        -------
        Observation
            Known or unknown, with the reason.

        Raises
        ------
        ConfigurationError
            While the settings contradict each other.
        FrameError, InferenceError
            If the frame cannot be used.

        """
        if self.contradiction or self._source is None:
            raise ConfigurationError(self.contradiction)
        self._await_calibration(frame)
        stopwatch = stopwatch or Stopwatch()
        repeats = self._count_repeats(frame)
        stopwatch.lap(Stage.REPEATS)
        if repeats and self._last is not None and _same_view(frame, self._last[0]):
            seen = replace(self._last[1], stamp_ns=frame.stamp_ns, time_to_collision_s=math.nan)
        else:
            seen = self._look_at(frame, self._source, stopwatch)
        self._last = frame, seen
        limit = self.config.frames.frozen_frame_count
        return seen if not limit or repeats < limit else self._frozen(seen, repeats)

    def _await_calibration(self, frame: CameraFrame) -> None:
        if self._first_arrival_s is None:
            self._first_arrival_s = frame.arrival_s
        wait_s = self.config.frames.camera_info_wait_s
        waited_s = frame.arrival_s - self._first_arrival_s
        if frame.calibration is None and frame.awaits_calibration and waited_s < wait_s:
            raise FrameError(
                'camera_info must come with the image, got none yet; publish it beside the image '
                f'(after {wait_s:g} s depth goes on with an assumed field of view)'
            )

    def _count_repeats(self, frame: CameraFrame) -> int:
        if not self.config.frames.frozen_frame_count:
            self._repeats.restart()
            return 0
        content = frame.content
        if content is None:
            content = np.ascontiguousarray(frame.image_rgb).data.cast('B')
        return self._repeats.update(content, frame.stamp_ns)

    def _look_at(
        self, frame: CameraFrame, source: DepthSource, stopwatch: Stopwatch
    ) -> Observation:
        config = self.config
        image_rgb, calibration = frame.image_rgb, frame.calibration
        if calibration is not None and config.frames.rectify and calibration.moves_pixels:
            image_rgb = self._rectified(image_rgb, calibration)
            stopwatch.lap(Stage.RECTIFY)
        intrinsics = None if calibration is None else calibration.intrinsics
        quality = assess_image(image_rgb, config.quality)
        stopwatch.lap(Stage.QUALITY)
        # Stated, or found by driving.
        mounting = self._scale.told(frame.mounting)
        growth_ttc_s = math.nan
        if config.looming.looming and intrinsics is not None and quality.usable:
            growth_ttc_s = self._looming.update(image_rgb, frame.stamp_ns, intrinsics, mounting)
            stopwatch.lap(Stage.LOOMING)
        estimate = (
            source.estimate(image_rgb, intrinsics, mounting, stopwatch)
            if quality.usable
            else source.unknown(image_rgb, intrinsics, mounting)
        )
        stopwatch.lap(Stage.POSTPROCESS)
        down = otherwise = None
        if intrinsics is not None and quality.usable:
            down, otherwise = self._angles_by_lines(frame, image_rgb, intrinsics, mounting)
        plane = self._floor_by_shape(estimate, mounting, frame.stamp_ns / 1e9, down)
        report = self._scale.look(
            image_rgb,
            intrinsics,
            mounting,
            frame.pose,
            frame.stamp_ns / 1e9,
            estimate,
            frame.beam,
            None if plane is None else plane.mounting(),
            frame.scan,
            frame.mounting is not None,
            down,
            otherwise,
        )
        estimate = report.corrected(estimate)
        scale = assess_scale(estimate, report)
        if plane is not None:
            floor = plane.inverse_depth(estimate.intrinsics) / report.factors
            plane = plane.scaled(report.factor_of_floor(floor, estimate.depth_m))
            estimate = replace(estimate, inverse_floor_depth=floor)
        unsure = unsure_pixels(estimate, config.confidence)
        stopwatch.lap(Stage.SCALE)
        evidence = self._floor_evidence(estimate, mounting) if quality.usable else None
        # What is near counts however unsure it is.
        proximity = estimate_proximity(
            estimate.depth_m,
            config.proximity,
            estimate.inverse_floor_depth,
            lateral_slope(estimate.intrinsics, mounting),
            evidence,
        )
        proximity = never_clear(proximity, unsure, config.proximity)
        # How well the scale is known where it was read, before older pictures are asked.
        nearest_sigma = report.sigma_at(proximity.nearest_distance_m, estimate.depth_m)
        proximity = replace(
            proximity,
            nearest_distance_m=self._steady.update(
                frame.stamp_ns / 1e9,
                proximity.nearest_distance_m,
                config.steadiness.nearest_hold_s,
            ),
        )
        stopwatch.lap(Stage.PROXIMITY)
        unknown_reason = quality.reason
        if not unknown_reason and not proximity.is_known:
            unknown_reason = (
                f'only {proximity.valid_fraction:.0%} of the region of interest have a known depth'
            )
            if unsure is not None:
                unknown_reason += ' of enough confidence (confidence_threshold)'
        return Observation(
            stamp_ns=frame.stamp_ns,
            picture_stamp_ns=self._repeats.first_stamp_ns
            if config.frames.frozen_frame_count
            else frame.stamp_ns,
            image_rgb=image_rgb,
            estimate=estimate,
            mounting=mounting,
            quality=quality,
            proximity=proximity,
            unknown_reason=unknown_reason,
            scale=scale,
            floor_evidence=evidence,
            is_frozen=False,
            unsure=unsure,
            time_to_collision_s=growth_ttc_s,
            floor_plane=plane,
            nearest_sigma=nearest_sigma,
            has_unrectified_distortion=calibration is not None
            and not config.frames.rectify
            and calibration.is_distorted,
        )

    def _angles_by_lines(
        self,
        frame: CameraFrame,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics,
        mounting: CameraMounting | None,
    ) -> tuple[NDArray[np.float64] | None, CameraMounting | None]:
        """Return down, where nothing tells the mounting, and what contradicts a stated one."""
        stated, time_s = frame.mounting, frame.stamp_ns / 1e9
        if stated is not None:
            self._level.look(image_rgb, intrinsics, time_s, stated)
            return None, self._level.contradicts(stated)
        if mounting is not None:  # found by driving, from where lines had shown it
            return None, None
        return self._level.look(image_rgb, intrinsics, time_s), None

    def _floor_by_shape(
        self,
        estimate: DepthEstimate,
        mounting: CameraMounting | None,
        time_s: float,
        down: NDArray[np.float64] | None,
    ) -> FloorPlane | None:
        """Find the floor in the network's own depth, where nobody says where the camera is."""
        if not (self.config.floor.floor_by_shape and estimate.is_metric):
            return None
        if mounting is not None:
            self._floor.restart()
            return None
        return self._floor.look(
            estimate.depth_m, estimate.intrinsics, estimate.floor, time_s, down
        )

    def _floor_evidence(
        self, estimate: DepthEstimate, mounting: CameraMounting | None
    ) -> FloorEvidence | None:
        if estimate.floor is None or not estimate.is_metric:
            return None
        return floor_evidence(
            estimate.depth_m,
            estimate.floor,
            self.config.floor,
            self.config.proximity.floor_tolerance,
            estimate.intrinsics,
            mounting,
            estimate.inverse_floor_depth,
        )

    def _rectified(
        self, image_rgb: NDArray[np.uint8], calibration: LensCalibration
    ) -> NDArray[np.uint8]:
        if self._rectifier is None or not self._rectifier.calibration.same_as(calibration):
            self._rectifier = Rectifier(calibration)
        return self._rectifier.rectify(image_rgb)

    def _frozen(self, seen: Observation, repeats: int) -> Observation:
        """Return the observation of a picture that has come too often to be believed."""
        estimate = seen.estimate.without_depth()
        return replace(
            seen,
            estimate=estimate,
            proximity=estimate_proximity(estimate.depth_m, self.config.proximity),
            unknown_reason=(
                f'the last {repeats + 1} frames are identical, the camera seems frozen '
                '(frozen_frame_count: 0 turns this off; a still simulation needs it)'
            ),
            floor_evidence=None,
            floor_plane=None,
            is_frozen=True,
            unsure=None,
        )


def _same_view(frame: CameraFrame, other: CameraFrame) -> bool:
    """Return whether two frames come from the same camera in the same place."""
    mine, its = frame.calibration, other.calibration
    if frame.mounting != other.mounting:
        return False
    return mine is its or (mine is not None and its is not None and mine.same_as(its))
