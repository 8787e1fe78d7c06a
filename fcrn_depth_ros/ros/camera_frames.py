# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Image messages and their calibration to frames of the perception pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ..camera.mounting import CameraMounting
from ..errors import FrameError
from ..estimation.stopwatch import Stopwatch
from ..perception.observation import CameraFrame
from ..scale.odometry import CameraPose
from ..scale.range_hint import RangeBeam
from ..scale.scan_hint import ScanBeams
from ..wire.camera_info import calibration_from_camera_info, is_uncalibrated
from ..wire.stamps import nanoseconds, NS_PER_S


@dataclass(frozen=True)
class ArrivedImage:
    """
    One message of the camera and the calibration that was known with it.

    Attributes
    ----------
    message : sensor_msgs.msg.Image or CompressedImage
        The picture.
    camera_info : sensor_msgs.msg.CameraInfo or None
        None where none has come yet.
    arrival_s : float
        Steady time of arrival.
    stopwatch : Stopwatch
        Started on arrival.

    """

    message: Image | CompressedImage
    camera_info: CameraInfo | None
    arrival_s: float
    stopwatch: Stopwatch = field(default_factory=Stopwatch)

    @property
    def calibration_note(self) -> str:
        """What is known about the camera's calibration, for diagnostics."""
        info = self.camera_info
        if info is None:
            return 'none: field of view assumed'
        if is_uncalibrated(info):
            return 'uncalibrated (K is zero): field of view assumed'
        return f'{info.width}x{info.height} px'


def read_frame(
    arrived: ArrivedImage,
    decode: Callable[[Any], np.ndarray],
    mounting: CameraMounting | None,
    pose_at: Callable[[int], CameraPose | None] = lambda stamp_ns: None,
    beam_at: Callable[[int], RangeBeam | None] = lambda stamp_ns: None,
    scan_at: Callable[[int], ScanBeams | None] = lambda stamp_ns: None,
) -> CameraFrame:
    """
    Turn what arrived into a frame.

    Parameters
    ----------
    arrived : ArrivedImage
        The messages.
    decode : callable
        Image message -> RGB array.
    mounting : CameraMounting or None
        Pose of the camera above the floor.
    pose_at : callable, optional
        Stamp in nanoseconds -> where the picture was taken, by odometry.
    beam_at : callable, optional
        Stamp in nanoseconds -> what a range sensor measured then.
    scan_at : callable, optional
        Stamp in nanoseconds -> what a laser scanner measured then.

    Returns
    -------
    CameraFrame
        For :class:`~fcrn_depth_ros.perception.pipeline.PerceptionPipeline`.

    Raises
    ------
    FrameError
        If the image, its stamp or the calibration is unusable.

    """
    message, info = arrived.message, arrived.camera_info
    stamp = message.header.stamp
    if stamp.nanosec >= NS_PER_S:
        raise FrameError(
            f'nanosec of the stamp must be below {NS_PER_S}, got {stamp.nanosec}; correct it in '
            'the camera driver'
        )
    image_rgb = decode(message)
    height, width = image_rgb.shape[:2]
    calibration = None
    if info is not None and not is_uncalibrated(info):
        calibration = calibration_from_camera_info(info, width, height)
    return CameraFrame(
        image_rgb=image_rgb,
        stamp_ns=nanoseconds(stamp),
        arrival_s=arrived.arrival_s,
        calibration=calibration,
        awaits_calibration=info is None,
        mounting=mounting,
        pose=pose_at(nanoseconds(stamp)),
        beam=beam_at(nanoseconds(stamp)),
        scan=scan_at(nanoseconds(stamp)),
        content=memoryview(message.data).cast('B'),
    )
