# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The perception pipeline around the renderer's true depth, in place of a network (ROS-free)."""

from __future__ import annotations

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, inverse_floor_depth
from fcrn_depth_ros.camera.rectification import LensCalibration
from fcrn_depth_ros.estimation.depth_estimator import DepthEstimate
from fcrn_depth_ros.estimation.stopwatch import Stopwatch
from fcrn_depth_ros.perception.observation import CameraFrame
from fcrn_depth_ros.perception.pipeline import FrameConfig, PerceptionConfig, PerceptionPipeline
from fcrn_depth_ros.perception.proximity import ProximityConfig
from fcrn_depth_ros.perception.quality import QualityConfig
import numpy as np
from numpy.typing import NDArray


class TrueDepth:
    """A depth source whose depth is that of the renderer; set `depth_m` before each frame."""

    name = 'oracle'
    is_metric = True

    def __init__(self) -> None:
        self.depth_m = np.full((1, 1), np.nan, np.float32)

    def estimate(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics | None = None,
        mounting: CameraMounting | None = None,
        stopwatch: Stopwatch | None = None,
    ) -> DepthEstimate:
        """Return the true depth; a calibration is needed."""
        assert intrinsics is not None
        return DepthEstimate(
            depth_m=self.depth_m,
            is_metric=True,
            intrinsics=intrinsics,
            is_camera_known=True,
            inverse_floor_depth=None
            if mounting is None
            else inverse_floor_depth(intrinsics, mounting),
            focal_corrected=True,
            mounting_used='none' if mounting is None else 'network',
        )

    unknown = estimate


def oracle_pipeline(source: TrueDepth, proximity: ProximityConfig) -> PerceptionPipeline:
    """Return the perception pipeline around the true depth; it looks at no picture."""
    return PerceptionPipeline(
        lambda _: source,
        PerceptionConfig(
            frames=FrameConfig(frozen_frame_count=0),
            quality=QualityConfig(quality_gate=False),
            proximity=proximity,
        ),
    )


def oracle_frame(
    depth_m: NDArray[np.float32],
    intrinsics: CameraIntrinsics,
    mounting: CameraMounting | None,
    stamp_ns: int,
) -> CameraFrame:
    """Return a frame without a picture, for :func:`oracle_pipeline`."""
    return CameraFrame(
        np.zeros((*depth_m.shape, 3), np.uint8),
        stamp_ns,
        calibration=LensCalibration.of_raw_picture(intrinsics),
        mounting=mounting,
    )
