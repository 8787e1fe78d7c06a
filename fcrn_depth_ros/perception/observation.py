# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What goes into the perception pipeline, and the one observation that comes out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
import math

import numpy as np
from numpy.typing import NDArray

from .floor import FloorEvidence, HIDDEN_BASE_SIGMA
from .proximity import near_pixels, ProximityConfig, ProximityEstimate
from .quality import ImageQuality
from .scale import ScaleAssessment, SHAPE_SIGMA
from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting
from ..camera.orientation import lateral_slope
from ..camera.rectification import LensCalibration
from ..estimation.depth_estimator import DepthEstimate
from ..scale.floor_plane import FloorPlane
from ..scale.odometry import CameraPose
from ..scale.range_hint import RangeBeam
from ..scale.scan_hint import ScanBeams
from ..scale.witness import MOST_VERIFIED_SIGMA


@dataclass(frozen=True)
class CameraFrame:
    """
    One picture and everything that is known with it.

    Attributes
    ----------
    image_rgb : ndarray of uint8, shape (H, W, 3)
        The picture as it comes from the camera.
    stamp_ns : int
        When it was taken, on the clock of the stamps.
    arrival_s : float
        When it came in, on a steady clock.
    calibration : LensCalibration or None
        Of this picture; None where it is unknown.
    awaits_calibration : bool
        True where a calibration may still come: the pipeline then refuses frames for
        `camera_info_wait_s` before it assumes a field of view.
    mounting : CameraMounting or None
        Pose of the camera above the floor; None where it is unknown.
    pose : CameraPose or None
        Where the picture was taken, by odometry; None where that is unknown.
    beam : RangeBeam or None
        What a range sensor measured then; None without one.
    scan : ScanBeams or None
        What a laser scanner measured then; None without one.
    content : bytes-like or None
        What the camera sent, by which repeated pictures are recognised; None compares the
        pixels of `image_rgb`.

    """

    image_rgb: NDArray[np.uint8]
    stamp_ns: int
    arrival_s: float = 0.0
    calibration: LensCalibration | None = None
    awaits_calibration: bool = False
    mounting: CameraMounting | None = None
    pose: CameraPose | None = None
    beam: RangeBeam | None = None
    scan: ScanBeams | None = None
    content: bytes | bytearray | memoryview | None = None


@dataclass(frozen=True)
class Observation:
    """
    What one picture says about the distance of things, and how well it is known.

    Attributes
    ----------
    stamp_ns : int
        Stamp of the frame.
    picture_stamp_ns : int
        Stamp of the frame in which these very pixels first came: older than `stamp_ns` where
        the camera repeats itself.
    image_rgb : ndarray of uint8, shape (H, W, 3)
        The picture, without distortion where the pipeline rectifies.
    estimate : DepthEstimate
        Depth map and how it came about; all NaN where the picture shows nothing or is frozen.
    mounting : CameraMounting or None
        Pose of the camera above the floor.
    quality : ImageQuality
        Whether the picture shows a scene at all.
    proximity : ProximityEstimate
        Share of near pixels and nearest distance; NaN where unknown.
    unknown_reason : str
        Why nothing is known about the distance; empty where it is known.
    scale : ScaleAssessment
        Whether the metres are verified, or why not.
    is_frozen : bool
        True where so many frames were identical that the camera seems frozen.
    has_unrectified_distortion : bool
        True where the calibration has lens distortion that the pipeline was not told to remove.
    unsure : ndarray of bool, shape (h, w), or None
        Pixels of less confidence than `confidence_threshold`; None where none was asked for.
    floor_evidence : FloorEvidence or None
        What the network's floor output adds to the depth; None where it adds nothing.
    time_to_collision_s : float
        From the growth of the picture; +Inf where nothing grows, NaN where it says nothing.
    floor_plane : FloorPlane or None
        The floor as its shape shows it, in the metres of the depth map; None where the mounting
        is known, and where no floor is in view.
    nearest_sigma : float
        How well the scale is known where the nearest distance was read, as a share; NaN where
        the witnesses speak of the picture as a whole, or not at all.

    """

    stamp_ns: int
    picture_stamp_ns: int
    image_rgb: NDArray[np.uint8]
    estimate: DepthEstimate
    mounting: CameraMounting | None
    quality: ImageQuality
    proximity: ProximityEstimate
    unknown_reason: str
    scale: ScaleAssessment
    is_frozen: bool
    has_unrectified_distortion: bool = False
    unsure: NDArray[np.bool_] | None = None
    floor_evidence: FloorEvidence | None = None
    time_to_collision_s: float = math.nan
    floor_plane: FloorPlane | None = None
    nearest_sigma: float = math.nan

    @cached_property
    def depth_m(self) -> NDArray[np.float32]:
        """Depth along the optical axis in metres, float32 (h, w); NaN where unknown or unsure."""
        if self.unsure is None:
            return self.estimate.depth_m
        return np.where(self.unsure, np.float32(np.nan), self.estimate.depth_m)

    @property
    def intrinsics(self) -> CameraIntrinsics:
        """Intrinsics of the depth map; assumed where the camera's are unknown."""
        return self.estimate.intrinsics

    @cached_property
    def drawn_mounting(self) -> CameraMounting | None:
        """
        The mounting in the metres of the depth map; None where it is unknown.

        A factor that corrects the depth lifts or lowers the floor in it with everything else.
        """
        report, floor = self.scale.report, self.estimate.inverse_floor_depth
        if self.mounting is None or report is None or floor is None:
            return self.mounting
        factor = report.factor_of_floor(floor, self.estimate.depth_m)
        return replace(self.mounting, height_m=factor * self.mounting.height_m)

    @property
    def is_metric(self) -> bool:
        """False where the depth map has no unit."""
        return self.estimate.is_metric

    @property
    def nearest_m(self) -> float:
        """Nearest distance in metres; NaN where it is unknown."""
        return self.proximity.nearest_distance_m

    @property
    def range_variance_m2(self) -> float:
        """
        Variance of the nearest distance in m^2; 0 where the metric scale is unverified.

        sensor_msgs/Range defines a variance of 0 as unknown. It is larger for a thing whose base
        lies below the picture: nothing but depth tells how near that is. Where the scale was
        measured on things much farther away, that of a near thing is unverified.
        """
        if not self.scale.verified or math.isnan(self.nearest_m):
            return 0.0
        if self.nearest_sigma > MOST_VERIFIED_SIGMA:
            return 0.0
        sigma = self.scale.relative_sigma
        if math.isfinite(self.nearest_sigma):
            sigma = max(sigma, math.hypot(self.nearest_sigma, SHAPE_SIGMA))
        if self.proximity.hidden_base:
            sigma = max(sigma, HIDDEN_BASE_SIGMA)
        return (sigma * max(self.nearest_m, _LEAST_RANGE_M)) ** 2

    def near_pixels(self, config: ProximityConfig) -> NDArray[np.bool_]:
        """Return which pixels of the depth map count as near, sure or not, bool (h, w)."""
        return near_pixels(
            self.estimate.depth_m,
            config,
            self.estimate.inverse_floor_depth,
            lateral_slope(self.intrinsics, self.mounting),
            self.floor_evidence,
        )


# A distance of 0 has no relative error; its variance must not read as unknown.
_LEAST_RANGE_M = 0.01
