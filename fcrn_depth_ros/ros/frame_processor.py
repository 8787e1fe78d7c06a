# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""One frame to one result: decode, calibrate, estimate, judge. Runs in depth_node's worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
import zlib

from builtin_interfaces.msg import Time
import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting
from ..camera.rectification import LensCalibration, Rectifier
from ..errors import ConfigurationError, FrameError
from ..estimation.depth_estimator import DepthEstimate, DepthEstimator, EstimationConfig
from ..estimation.onnx_model import OnnxModel
from ..perception.proximity import estimate_proximity, NearDebounce, ProximityConfig
from ..perception.quality import QualityConfig
from .depth_outputs import DepthResult
from .depth_status import StatusKeeper
from .messages import calibration_from_camera_info, is_uncalibrated
from .node_settings import InputSettings, MountingSettings
from .parameters import ParameterGroup, Snapshot


@dataclass(frozen=True)
class Frame:
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

    """

    message: Image | CompressedImage
    camera_info: CameraInfo | None
    arrival_s: float


class FrameProcessor:
    """
    Turn frames into results.

    Parameters
    ----------
    model : OnnxModel
        The network.
    settings : ParameterGroup
        Of the node; read for every frame.
    status : StatusKeeper
        Where calibration, mounting, quality and scale are told.
    decode : callable
        Image message -> RGB array.
    look_up_mounting : callable or None
        Optical frame -> mounting; None takes the mounting of the parameters.

    Raises
    ------
    ConfigurationError
        If settings and model contradict each other.

    """

    def __init__(
        self,
        model: OnnxModel,
        settings: ParameterGroup,
        status: StatusKeeper,
        decode: Callable[[Any], np.ndarray],
        look_up_mounting: Callable[[str], CameraMounting | None] | None = None,
    ) -> None:
        self._model = model
        self._settings = settings
        self._status = status
        self._decode = decode
        self._look_up_mounting = look_up_mounting
        self._estimator = self._make_estimator(settings.snapshot())
        self._estimator.warm_up()
        self._proximity_config = settings.get(ProximityConfig)
        self.start()

    def start(self) -> None:
        """Forget earlier frames."""
        self._near = NearDebounce(self._proximity_config)
        self._rectifier: Rectifier | None = None
        self._first_frame_s: float | None = None
        self._checksum: int | None = None
        self._identical_frames = 0
        self._picture_stamp = Time()

    def contradiction_of(self, settings: Snapshot) -> str:
        """Return why the settings do not fit the model; empty where they do."""
        try:
            self._make_estimator(settings)
        except ConfigurationError as error:
            return str(error)
        return ''

    def apply_settings(self) -> None:
        """Take changed settings that do not contradict each other or the model."""
        self._estimator = self._make_estimator(self._settings.snapshot())
        if self._settings.get(ProximityConfig) != self._proximity_config:
            self._proximity_config = self._settings.get(ProximityConfig)
            self._near = NearDebounce(self._proximity_config)

    def process(self, frame: Frame) -> DepthResult:
        """
        Estimate depth and proximity of a frame.

        Parameters
        ----------
        frame : Frame
            The picture and its calibration.

        Returns
        -------
        DepthResult
            Ready to be published.

        Raises
        ------
        FrameError, InferenceError
            If the frame cannot be used.

        """
        image_rgb = self._decode(frame.message)
        calibration = self._calibration(frame, image_rgb)
        if calibration is not None and self._settings.get(InputSettings).rectify:
            image_rgb = self._rectified(image_rgb, calibration)
        mounting = self._mounting(frame.message.header.frame_id)
        estimate = self._estimator.estimate(
            image_rgb, calibration.intrinsics if calibration else None, mounting
        )
        unusable = '' if estimate.quality.usable else estimate.quality.reason
        self._watch_for_repeats(frame)
        unusable = unusable or self._frozen_reason()
        if unusable:
            estimate = replace(estimate, depth_m=np.full_like(estimate.depth_m, np.nan))
        self._status.update(
            image_quality=unusable or 'usable',
            image_usable=not unusable,
            scale_unverified_because=_scale_doubt(estimate),
        )
        height, width = estimate.depth_m.shape
        intrinsics = estimate.intrinsics or self._assumed_camera(image_rgb).scaled_to(
            width, height
        )
        proximity = estimate_proximity(
            estimate.depth_m,
            self._proximity_config,
            estimate.inverse_floor_depth,
            (np.arange(width) - intrinsics.cx_px) / intrinsics.fx_px,
        )
        return DepthResult(
            frame.message.header,
            self._picture_stamp,
            image_rgb,
            estimate,
            intrinsics,
            mounting,
            proximity,
            self._near.update(proximity.proximity),
        )

    def near_after_unknown(self) -> bool:
        """Tell the debounced nearness after a frame that told nothing."""
        return self._near.update(np.nan)

    def _make_estimator(self, settings: Snapshot) -> DepthEstimator:
        card, proximity = self._model.card, settings.get(ProximityConfig)
        if not card.is_metric and (
            proximity.proximity_mode,
            proximity.relative_polarity,
        ) != ('relative', 'near_is_high'):
            raise ConfigurationError(
                'proximity_mode must be relative and relative_polarity near_is_high for '
                f'{card.name}, whose depth has no unit, got {proximity.proximity_mode} and '
                f'{proximity.relative_polarity}; set both, or take a metric model'
            )
        return DepthEstimator(
            self._model, settings.get(EstimationConfig), settings.get(QualityConfig)
        )

    def _calibration(self, frame: Frame, image_rgb: np.ndarray) -> LensCalibration | None:
        if self._first_frame_s is None:
            self._first_frame_s = frame.arrival_s
        if frame.camera_info is None:
            wait_s = self._settings.get(InputSettings).camera_info_wait_s
            if frame.arrival_s - self._first_frame_s < wait_s:
                raise FrameError(
                    'camera_info must come with the image, got none yet; publish it beside the '
                    f'image (after {wait_s:g} s depth goes on with an assumed field of view)'
                )
            self._status.update(camera_info='none: field of view assumed')
            return None
        if is_uncalibrated(frame.camera_info):
            self._status.update(camera_info='uncalibrated (K is zero): field of view assumed')
            return None
        height, width = image_rgb.shape[:2]
        calibration = calibration_from_camera_info(frame.camera_info, width, height)
        self._status.update(camera_info=f'{width}x{height} px')
        return calibration

    def _rectified(self, image_rgb: np.ndarray, calibration: LensCalibration) -> np.ndarray:
        if self._rectifier is None or not self._rectifier.calibration.same_as(calibration):
            self._rectifier = Rectifier(calibration)
        return self._rectifier.rectify(image_rgb)

    def _mounting(self, optical_frame: str) -> CameraMounting | None:
        if self._look_up_mounting is not None:
            mounting = self._look_up_mounting(optical_frame)
        else:
            mounting = self._settings.get(MountingSettings).mounting()
        self._status.update(
            mounting='unknown'
            if mounting is None
            else (
                f'{mounting.height_m:.3g} m high, pitch {mounting.pitch_deg:.3g} deg, '
                f'roll {mounting.roll_deg:.3g} deg'
            )
        )
        return mounting

    def _watch_for_repeats(self, frame: Frame) -> None:
        checksum = None
        if self._settings.get(InputSettings).frozen_frame_count:
            checksum = zlib.crc32(frame.message.data)
        if checksum is not None and checksum == self._checksum:
            self._identical_frames += 1
        else:
            self._identical_frames = 0
            self._picture_stamp = frame.message.header.stamp
        self._checksum = checksum

    def _frozen_reason(self) -> str:
        limit = self._settings.get(InputSettings).frozen_frame_count
        if limit == 0 or self._identical_frames < limit:
            return ''
        return (
            f'the last {self._identical_frames + 1} frames are identical, the camera seems '
            'frozen (frozen_frame_count: 0 turns this off, as a still simulation needs)'
        )

    def _assumed_camera(self, image_rgb: np.ndarray) -> CameraIntrinsics:
        card, (height, width) = self._model.card, image_rgb.shape[:2]
        if card.is_metric:
            return CameraIntrinsics.from_field(
                card.training_fx_px, card.training_width_px, width, height
            )
        return CameraIntrinsics.from_field(1.0, 1.0, width, height)


def _scale_doubt(estimate: DepthEstimate) -> str:
    if not estimate.is_metric:
        return 'the model gives relative depth'
    doubts = []
    if not estimate.focal_corrected:
        doubts.append('no focal length was used, the field of view is assumed')
    if estimate.mounting_used == 'none':
        doubts.append('the mounting is unknown, set camera_height_m and camera_pitch_deg')
    return '; '.join(doubts)
