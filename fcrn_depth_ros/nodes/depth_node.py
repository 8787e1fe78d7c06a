"""
Image in, metric depth and proximity out: the wiring of depth_node.

The subscription leaves the newest frame in a one-slot mailbox; one worker thread decodes it, runs
the network and publishes what has subscribers. Every frame that came in is counted as processed,
superseded by a newer one, rejected with a reason, or ignored because nobody listens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
import math
from pathlib import Path
import sys
import threading
import time
from typing import Any
import zlib

import cv2
from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, LaserScan, PointCloud2, Range
from std_msgs.msg import Bool, Float32, Header

from ..errors import ConfigurationError, FcrnDepthError, FrameError, InferenceError
from ..estimation.camera import CameraIntrinsics
from ..estimation.depth_estimator import DepthEstimate, DepthEstimator, EstimationConfig
from ..estimation.image_quality import QualityConfig
from ..estimation.mounting import CameraMounting
from ..estimation.onnx_model import embedded_model_path, load_onnx_model, OnnxModel, SessionConfig
from ..estimation.rectification import LensCalibration, Rectifier
from ..obstacle_scan import depth_to_points, depth_to_scan, ScanConfig
from ..proximity import estimate_proximity, NearDebounce, ProximityConfig, ProximityEstimate
from ..visualisation import colorize_depth, draw_proximity
from . import quality_of_service as qos
from .depth_status import assess, StatusKeeper
from .diagnostics import diagnostic_array
from .frame_mailbox import FrameMailbox
from .image_conversion import CompressedImageDecoder, image_to_rgb
from .lifecycle import says_why_it_fails
from .messages import (
    calibration_from_camera_info,
    camera_info_message,
    depth_image_message,
    horizontal_field_of_view_rad,
    image_message,
    is_uncalibrated,
    point_cloud_message,
    range_message,
    scan_message,
)
from .node_settings import (
    InputSettings,
    ModelSettings,
    MountingSettings,
    NODE_SETTINGS,
    OutputSettings,
)
from .parameters import ParameterGroup
from .process import run_nodes
from .tf_mounting import mounting_lookup

_DIAGNOSTICS_PERIOD_S = 1.0
_WARNING_PERIOD_S = 1.0
_OUTPUTS: dict[str, type] = {
    'depth/camera_info': CameraInfo,
    'depth/image_rect': Image,
    'depth/image_color': Image,
    'depth/points': PointCloud2,
    'depth/scan': LaserScan,
    'proximity': Float32,
    'proximity/near': Bool,
    'proximity/range': Range,
}
_SIGNALS = ('proximity', 'proximity/near', 'proximity/range')


@dataclass(frozen=True)
class _Frame:
    message: Image | CompressedImage
    arrival_s: float


@dataclass(frozen=True)
class _Result:
    """What one frame became, ready to be published."""

    header: Header
    image_rgb: np.ndarray
    estimate: DepthEstimate
    intrinsics: CameraIntrinsics
    mounting: CameraMounting | None
    proximity: ProximityEstimate
    near: bool


class DepthNode(LifecycleNode):
    """
    The lifecycle node `depth_node`.

    Parameters
    ----------
    **kwargs
        Passed to rclpy's LifecycleNode, for example `parameter_overrides`.

    Raises
    ------
    ConfigurationError
        If an initial parameter value is refused.

    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('depth_node', **kwargs)
        self._status = StatusKeeper(time.monotonic)
        self._settings = ParameterGroup(
            self, NODE_SETTINGS['depth_node'], self._apply_parameters, self._is_configured)
        self._model: OnnxModel | None = None
        self._estimator: DepthEstimator | None = None
        self._decode: Callable[[Any], np.ndarray] = image_to_rgb
        self._mounting: Callable[[str], CameraMounting | None] | None = None
        self._camera_info: CameraInfo | None = None
        self._rectifier: Rectifier | None = None
        self._first_frame_s: float | None = None
        self._frozen_checksum = 0
        self._frozen_frames = 0
        self._near = NearDebounce(self._settings.get(ProximityConfig))
        self._outputs: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._mailbox: FrameMailbox[_Frame] | None = None
        self._worker: threading.Thread | None = None
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', qos.signal())
        self.create_timer(
            _DIAGNOSTICS_PERIOD_S, self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME))
        if self._settings.get(InputSettings).autostart:
            self.start()

    def start(self) -> None:
        """Configure and activate; a failure is logged and shown in diagnostics."""
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    # Lifecycle -----------------------------------------------------------------------------

    @says_why_it_fails
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm up the network, make the publishers."""
        try:
            self._configure()
        except FcrnDepthError as error:
            self.get_logger().error(f'not configured: {error}')
            self._status.update(configure_error=str(error))
            self._release()
            return TransitionCallbackReturn.FAILURE
        self._status.update(lifecycle_state='inactive', configure_error='')
        return super().on_configure(state)

    @says_why_it_fails
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and start the worker."""
        result = super().on_activate(state)
        self._mailbox = FrameMailbox()
        self._first_frame_s = None
        self._frozen_frames = 0
        self._near = NearDebounce(self._settings.get(ProximityConfig))
        self._worker = threading.Thread(
            target=self._work, args=(self._mailbox,), name='depth_worker', daemon=True)
        self._worker.start()
        self._subscribe()
        self._status.update(lifecycle_state='active')
        return result

    @says_why_it_fails
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop the worker and unsubscribe."""
        self._stop()
        self._status.update(lifecycle_state='inactive')
        return super().on_deactivate(state)

    @says_why_it_fails
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of the network and the publishers."""
        self._release()
        self._status.update(lifecycle_state='unconfigured', model='', provider='')
        return TransitionCallbackReturn.SUCCESS

    @says_why_it_fails
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop for good."""
        self._stop()
        self._release()
        self._status.update(lifecycle_state='finalized')
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Return to unconfigured after a failed transition."""
        self._stop()
        self._release()
        self._status.update(lifecycle_state='unconfigured')
        return TransitionCallbackReturn.SUCCESS

    def shut_down(self) -> None:
        """Stop the worker before the process ends."""
        self._stop()

    def _is_configured(self) -> bool:
        return self._model is not None

    def _configure(self) -> None:
        model_settings = self._settings.get(ModelSettings)
        session = self._settings.get(SessionConfig)
        path = (Path(model_settings.model_file).expanduser() if model_settings.model_file
                else embedded_model_path(session.provider))
        if self._settings.get(InputSettings).image_transport == 'compressed':
            self._decode = _compressed_decoder()
        else:
            self._decode = image_to_rgb
        floor_frame = self._settings.get(MountingSettings).floor_frame
        self._mounting = mounting_lookup(self, floor_frame) if floor_frame else None
        model = load_onnx_model(path, session, model_settings.card_overrides())
        self._estimator = self._make_estimator(model)
        self._estimator.warm_up()
        self._model = model
        for topic, message_type in _OUTPUTS.items():
            self._outputs[topic] = self.create_lifecycle_publisher(
                message_type, topic,
                qos.signal() if topic in _SIGNALS else qos.sensor_output(),
                qos_overriding_options=qos.overridable())
        self._status.update(
            model=f'{model.card.name} {model.card.version} ({path.name})',
            provider=model.provider)
        self.get_logger().info(f'{model.card.name} {model.card.version} runs on {model.provider}')

    def _make_estimator(self, model: OnnxModel) -> DepthEstimator:
        proximity = self._settings.get(ProximityConfig)
        if not model.card.is_metric and (
                proximity.proximity_mode, proximity.relative_polarity,
        ) != ('relative', 'near_is_high'):
            raise ConfigurationError(
                f'proximity_mode must be relative and relative_polarity near_is_high for '
                f'{model.card.name}, whose depth has no unit, got {proximity.proximity_mode} and '
                f'{proximity.relative_polarity}; set both, or take a metric model')
        return DepthEstimator(
            model, self._settings.get(EstimationConfig), self._settings.get(QualityConfig))

    def _apply_parameters(self) -> None:
        if self._model is not None:
            self._estimator = self._make_estimator(self._model)
        self._near = NearDebounce(self._settings.get(ProximityConfig))

    def _subscribe(self) -> None:
        compressed = self._settings.get(InputSettings).image_transport == 'compressed'
        image_type, image_topic = (
            (CompressedImage, 'image/compressed') if compressed else (Image, 'image'))
        self._inputs.append(self.create_subscription(
            CameraInfo, 'camera_info', self._on_camera_info, qos.sensor_input(),
            qos_overriding_options=qos.overridable()))
        self._inputs.append(self.create_subscription(
            image_type, image_topic, self._on_image, qos.sensor_input(),
            qos_overriding_options=qos.overridable(),
            event_callbacks=SubscriptionEventCallbacks(message_lost=self._on_image_lost)))

    def _stop(self) -> None:
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs.clear()
        if self._mailbox is not None and self._mailbox.close():
            self._status.count_superseded()
        if self._worker is not None:
            self._worker.join()
        self._mailbox = self._worker = None

    def _release(self) -> None:
        for publisher in self._outputs.values():
            self.destroy_lifecycle_publisher(publisher)
        self._outputs.clear()
        self._model = self._estimator = self._camera_info = self._rectifier = None

    # Executor thread -----------------------------------------------------------------------

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._camera_info = message

    def _on_image(self, message: Image | CompressedImage) -> None:
        if self._mailbox is not None:
            self._status.count_received(self._mailbox.put(_Frame(message, time.monotonic())))

    def _on_image_lost(self, event: Any) -> None:
        self._status.count_lost(event.total_count_change)

    def _publish_diagnostics(self) -> None:
        status = self._status.snapshot()
        level, text = assess(status)
        self._diagnostics.publish(diagnostic_array(
            self.get_clock().now().to_msg(), f'{self.get_name()}: depth estimation',
            status.model or 'no model', level, text, status.as_values()))

    # Worker thread -------------------------------------------------------------------------

    def _work(self, mailbox: FrameMailbox[_Frame]) -> None:
        while (frame := mailbox.take()) is not None:
            try:
                self._handle(frame)
            except (FrameError, InferenceError) as error:
                self._reject(frame, str(error))
            except Exception as error:
                # The thread's last line of defence: one frame that nobody foresaw must not end
                # the depth of all later ones. It is counted and shown like any bad frame.
                self._reject(frame, f'internal error: {error!r}')

    def _reject(self, frame: _Frame, reason: str) -> None:
        self._status.count_rejected(reason)
        self.get_logger().warning(
            f'frame dropped: {reason}', throttle_duration_sec=_WARNING_PERIOD_S)
        self._publish('proximity', Float32(data=math.nan))
        self._publish('proximity/near', Bool(data=self._near.update(math.nan)))

    def _handle(self, frame: _Frame) -> None:
        if not any(self._wanted(topic) for topic in _OUTPUTS):
            self._status.count_ignored()
            return
        image_rgb = self._decode(frame.message)
        calibration = self._calibration(frame, image_rgb)
        if calibration is not None and self._settings.get(InputSettings).rectify:
            image_rgb = self._rectified(image_rgb, calibration)
        mounting = self._current_mounting(frame.message.header.frame_id)
        intrinsics = calibration.intrinsics if calibration is not None else None
        result = self._estimate(frame, image_rgb, intrinsics, mounting)
        self._publish_result(result)
        stamp = Time.from_msg(frame.message.header.stamp, self.get_clock().clock_type)
        age_s = (self.get_clock().now() - stamp).nanoseconds * 1e-9
        self._status.count_processed(result.estimate.inference_s, age_s)

    def _calibration(self, frame: _Frame, image_rgb: np.ndarray) -> LensCalibration | None:
        if self._first_frame_s is None:
            self._first_frame_s = frame.arrival_s
        message = self._camera_info
        if message is None:
            wait_s = self._settings.get(InputSettings).camera_info_wait_s
            if frame.arrival_s - self._first_frame_s < wait_s:
                raise FrameError(
                    'camera_info must come with the image, got none yet; publish it beside the '
                    f'image (after {wait_s:g} s depth goes on with an assumed field of view)')
            self._status.update(camera_info='none: field of view assumed')
            return None
        if is_uncalibrated(message):
            self._status.update(camera_info='uncalibrated (K is zero): field of view assumed')
            return None
        height, width = image_rgb.shape[:2]
        calibration = calibration_from_camera_info(message, width, height)
        self._status.update(camera_info=f'{width}x{height} px')
        return calibration

    def _rectified(self, image_rgb: np.ndarray, calibration: LensCalibration) -> np.ndarray:
        if self._rectifier is None or not self._rectifier.calibration.same_as(calibration):
            self._rectifier = Rectifier(calibration)
        return self._rectifier.rectify(image_rgb)

    def _current_mounting(self, optical_frame: str) -> CameraMounting | None:
        if self._mounting is not None:
            mounting = self._mounting(optical_frame)
        else:
            mounting = self._settings.get(MountingSettings).mounting()
        self._status.update(mounting='unknown' if mounting is None else (
            f'{mounting.height_m:.3g} m high, pitch {mounting.pitch_deg:.3g} deg, '
            f'roll {mounting.roll_deg:.3g} deg'))
        return mounting

    def _estimate(
        self, frame: _Frame, image_rgb: np.ndarray, intrinsics: CameraIntrinsics | None,
        mounting: CameraMounting | None,
    ) -> _Result:
        assert self._estimator is not None  # the worker runs only while the node is configured
        estimate = self._estimator.estimate(image_rgb, intrinsics, mounting)
        unusable = '' if estimate.quality.usable else estimate.quality.reason
        unusable = unusable or self._frozen_reason(frame)
        depth_m = np.full_like(estimate.depth_m, np.nan) if unusable else estimate.depth_m
        estimate = replace(estimate, depth_m=depth_m)
        height, width = depth_m.shape
        depth_intrinsics = estimate.intrinsics or self._assumed_camera(image_rgb).scaled_to(
            width, height)
        lateral_slope = (np.arange(width) - depth_intrinsics.cx_px) / depth_intrinsics.fx_px
        proximity = estimate_proximity(
            depth_m, self._settings.get(ProximityConfig), estimate.inverse_floor_depth,
            lateral_slope)
        self._status.update(
            image_quality=unusable or 'usable', image_usable=not unusable,
            scale_unverified_because=_scale_doubt(estimate))
        return _Result(
            frame.message.header, image_rgb, estimate, depth_intrinsics, mounting, proximity,
            self._near.update(proximity.proximity))

    def _assumed_camera(self, image_rgb: np.ndarray) -> CameraIntrinsics:
        assert self._model is not None
        card, (height, width) = self._model.card, image_rgb.shape[:2]
        if card.is_metric:
            return CameraIntrinsics.from_field(
                card.training_fx_px, card.training_width_px, width, height)
        return CameraIntrinsics.from_field(1.0, 1.0, width, height)

    def _frozen_reason(self, frame: _Frame) -> str:
        limit = self._settings.get(InputSettings).frozen_frame_count
        if limit == 0:
            return ''
        checksum = zlib.crc32(frame.message.data)
        self._frozen_frames = self._frozen_frames + 1 if checksum == self._frozen_checksum else 0
        self._frozen_checksum = checksum
        if self._frozen_frames < limit:
            return ''
        return (f'the last {self._frozen_frames + 1} frames are identical, the camera seems '
                'frozen (frozen_frame_count: 0 turns this off, as a still simulation needs)')

    def _publish_result(self, result: _Result) -> None:
        header, depth_m = result.header, result.estimate.depth_m
        outputs = self._settings.get(OutputSettings)
        self._publish_signals(result)
        if self._wanted('depth/image_color'):
            self._publish('depth/image_color', image_message(
                header, self._colored(result, outputs), 'rgb8'))
        if not result.estimate.is_metric:
            return
        if self._wanted('depth/image_rect') or self._wanted('depth/camera_info'):
            self._publish('depth/camera_info', camera_info_message(header, result.intrinsics))
            self._publish(
                'depth/image_rect', depth_image_message(header, depth_m, outputs.depth_encoding))
        if self._wanted('depth/scan'):
            config = self._settings.get(ScanConfig)
            scan = depth_to_scan(depth_m, result.intrinsics, config, result.mounting)
            self._publish(
                'depth/scan', scan_message(self._forward_header(header), scan, config))
        if self._wanted('depth/points'):
            colors = cv2.resize(
                result.image_rgb, depth_m.shape[::-1], interpolation=cv2.INTER_AREA)
            points = depth_to_points(depth_m, result.intrinsics)
            self._publish('depth/points', point_cloud_message(header, points, colors))

    def _colored(self, result: _Result, outputs: OutputSettings) -> np.ndarray:
        depth_m, low_m, high_m = (
            result.estimate.depth_m, outputs.color_min_m, outputs.color_max_m)
        if not result.estimate.is_metric and np.isfinite(depth_m).any():
            # A relative map has no metres to fix a range to: its own extremes are drawn, and
            # larger is nearer, so the sign is turned.
            depth_m = 1.0 + np.nanmax(depth_m) - depth_m
            low_m, high_m = 1.0, 1.0 + float(np.nanmax(depth_m))
        picture = colorize_depth(depth_m, low_m, high_m, outputs.color_map)
        return draw_proximity(
            picture, result.proximity, self._settings.get(ProximityConfig), result.near)

    def _publish_signals(self, result: _Result) -> None:
        proximity, config = result.proximity, self._settings.get(ProximityConfig)
        if not math.isnan(proximity.nearest_distance_m):
            field_of_view = horizontal_field_of_view_rad(
                result.intrinsics, config.roi_left, config.roi_right)
            self._publish('proximity/range', range_message(
                self._forward_header(result.header), proximity.nearest_distance_m,
                field_of_view, config.max_range_m))
        # NaN when unknown: alert_node stops at once, not only when it misses the range.
        self._publish('proximity', Float32(data=proximity.proximity))
        self._publish('proximity/near', Bool(data=result.near))

    def _forward_header(self, header: Header) -> Header:
        # LaserScan and Range look along the x axis of their frame, an optical frame along z.
        frame_id = self._settings.get(OutputSettings).scan_frame_id
        return Header(stamp=header.stamp, frame_id=frame_id or scan_frame_of(header.frame_id))

    def _wanted(self, topic: str) -> bool:
        return self._outputs[topic].get_subscription_count() > 0

    def _publish(self, topic: str, message: Any) -> None:
        self._outputs[topic].publish(message)


def scan_frame_of(optical_frame: str) -> str:
    """
    Name the x-forward frame of a camera.

    Parameters
    ----------
    optical_frame : str
        Frame of the image.

    Returns
    -------
    str
        `camera_optical_frame` and `camera_optical` give `camera_scan`; `camera` gives
        `camera_scan`.

    """
    for suffix in ('_optical_frame', '_optical'):
        if optical_frame.endswith(suffix):
            return optical_frame[:-len(suffix)] + '_scan'
    return optical_frame + '_scan'


def _scale_doubt(estimate: DepthEstimate) -> str:
    if not estimate.is_metric:
        return 'the model gives relative depth'
    doubts = []
    if not estimate.focal_corrected:
        doubts.append('no camera_info was used, the field of view is assumed')
    if estimate.mounting_used == 'none':
        doubts.append('the mounting is unknown, set camera_height_m and camera_pitch_deg')
    return '; '.join(doubts)


def _compressed_decoder() -> Callable[[CompressedImage], np.ndarray]:
    try:
        return CompressedImageDecoder().to_rgb
    except ImportError as error:
        raise ConfigurationError(
            f'image_transport must be raw where cv_bridge cannot be imported, got compressed '
            f'({error}); install cv_bridge') from error


def main(args: list[str] | None = None) -> int:
    """Run depth_node until a signal."""
    return run_nodes([DepthNode], args)


if __name__ == '__main__':
    sys.exit(main())
