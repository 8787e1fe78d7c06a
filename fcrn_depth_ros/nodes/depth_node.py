# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Image in, metric depth and proximity out: the wiring of depth_node.

The subscription leaves the newest image in a one-slot mailbox; one worker thread gives it to the
perception pipeline and publishes the observation. Every image that came in is counted as
processed, superseded by a newer one, rejected with a reason, or ignored because nobody listens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
import sys
import time
from typing import Any

import cv2
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ..camera.image_messages import image_to_rgb
from ..errors import FcrnDepthError
from ..estimation.depth_estimator import DepthEstimator
from ..estimation.model_card import ModelCard
from ..estimation.model_choice import load_model
from ..estimation.onnx_model import SessionConfig
from ..perception.observation import CameraFrame, Observation
from ..perception.pipeline import PerceptionPipeline
from ..ros import quality_of_service as qos
from ..ros.camera_frames import ArrivedImage, read_frame
from ..ros.depth_outputs import DepthOutputs
from ..ros.depth_status import assess, StatusKeeper
from ..ros.depth_worker import DepthWorker
from ..ros.diagnostic_keys import DEPTH_ESTIMATION, status_name
from ..ros.diagnostics import diagnostic_array
from ..ros.free_memory import give_back_free_memory
from ..ros.hang_guard import LOADING_LIMIT_S, must_end
from ..ros.image_decoding import compressed_image_decoder
from ..ros.input_hints import compressed_topic, InputHints
from ..ros.lifecycle import SelfStartingNode
from ..ros.node_settings import (
    InputSettings,
    ModelSettings,
    MountingSettings,
    NODE_SETTINGS,
    OutputSettings,
    perception_config,
)
from ..ros.odometry_input import OdometryInput
from ..ros.parameters import ParameterGroup, Snapshot
from ..ros.picture_watch import PictureWatch
from ..ros.polled_subscription import PolledSubscription
from ..ros.process import run_nodes
from ..ros.range_hint_input import RangeHintInput
from ..ros.scan_hint_input import ScanHintInput
from ..ros.scan_transform import ScanTransform
from ..ros.tf_mounting import TfMounting
from ..scale.odometry import CameraPose
from ..scale.range_hint import BeamPlace, RangeBeam, RangeHintConfig
from ..scale.scan_hint import ScanBeams, ScanHintConfig, ScanPlace
from ..wire.pose_mounting import PoseMounting
from ..wire.stamps import nanoseconds

_DIAGNOSTICS_PERIOD_S = 1.0


class DepthNode(SelfStartingNode):
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
        self.exit_status: int | None = None
        self._status = StatusKeeper(time.monotonic)
        self._pipeline: PerceptionPipeline | None = None
        self._decode: Callable[[Any], np.ndarray] = image_to_rgb
        self._tf_mounting: TfMounting | None = None
        self._pose_mounting: PoseMounting | None = None
        self._scan_transform: ScanTransform | None = None
        self._outputs: DepthOutputs | None = None
        self._camera_info: CameraInfo | None = None
        self._inputs: list[Any] = []
        self._camera_info_input: PolledSubscription | None = None
        self._odometry: OdometryInput | None = None
        self._range_hint: RangeHintInput | None = None
        self._scan_hint: ScanHintInput | None = None
        self._worker: DepthWorker | None = None
        self._hints = InputHints(self)
        self._picture_watch = PictureWatch(self, time.monotonic)
        self._settings = ParameterGroup(
            self,
            NODE_SETTINGS['depth_node'],
            is_configured=lambda: self._pipeline is not None,
            contradiction_of=self._contradiction_of,
        )
        self._diagnostics = self.create_publisher(
            DiagnosticArray, '/diagnostics', qos.signal(), event_callbacks=qos.no_events()
        )
        self.create_timer(
            _DIAGNOSTICS_PERIOD_S,
            self._on_diagnostics_due,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        if self._settings.get(InputSettings).autostart:
            self.start()

    # Lifecycle -----------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm up the network, make the publishers."""
        try:
            self._pipeline, card = self._make_pipeline()
        except FcrnDepthError as error:
            self.get_logger().error(f'not configured: {error}')
            self._release('unconfigured')
            self._status.update(configure_error=str(error))
            return TransitionCallbackReturn.FAILURE
        self._outputs = DepthOutputs(self, card)
        scan_transform = 'not published: publish_tf is false'
        if self._settings.get(OutputSettings).publish_tf:
            self._scan_transform = ScanTransform(self)
            scan_transform = self._scan_transform.state
        self._status.update(scan_transform=scan_transform)
        self._status.update(lifecycle_state='inactive', configure_error='')
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker and subscribe."""
        assert self._pipeline is not None and self._outputs is not None
        result = super().on_activate(state)
        self._hints.restart()
        self._worker = DepthWorker(
            self,
            self._settings,
            self._pipeline,
            self._read,
            self._outputs,
            self._status,
            self._on_observation,
            self._on_worker_death,
        )
        self._odometry = OdometryInput(self)
        self._range_hint = RangeHintInput(self)
        self._scan_hint = ScanHintInput(self)
        self._subscribe()
        self._status.update(lifecycle_state='active')
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop the worker and unsubscribe."""
        self._stop()
        self._status.update(lifecycle_state='inactive')
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of the network and the publishers."""
        self._release('unconfigured')
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop for good."""
        self._stop()
        self._release('finalized')
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Return to unconfigured after a failed transition."""
        self._stop()
        self._release('unconfigured')
        return TransitionCallbackReturn.SUCCESS

    def shut_down(self) -> None:
        """Stop the worker before the process ends."""
        self._stop()

    def _make_pipeline(self) -> tuple[PerceptionPipeline, ModelCard]:
        settings = self._settings.snapshot()
        model_settings = settings.get(ModelSettings)
        session = settings.get(SessionConfig)
        compressed = settings.get(InputSettings).image_transport == 'compressed'
        self._decode = compressed_image_decoder() if compressed else image_to_rgb
        mounting_settings = settings.get(MountingSettings)
        floor_frame = mounting_settings.floor_frame
        if mounting_settings.use_mounting_topic:
            self._pose_mounting = PoseMounting()
        elif floor_frame:
            self._tf_mounting = TfMounting(self, floor_frame)
        with must_end('the loading of the network', LOADING_LIMIT_S):
            model, choice = load_model(
                model_settings.model_file, session, model_settings.card_overrides()
            )
            pipeline = PerceptionPipeline.for_model(model, perception_config(settings))
            DepthEstimator(model).warm_up()
        name = f'{model.card.name} {model.card.version}'
        self._status.update(
            model=f'{name} ({choice.path.name})',
            model_choice=choice.reason,
            provider=model.provider,
        )
        self.get_logger().info(
            f'{name} ({choice.path.name}, {choice.reason}) runs on {model.provider}'
        )
        return pipeline, model.card

    def _contradiction_of(self, settings: Snapshot) -> str:
        """Return how settings contradict the network, empty where they do not."""
        if self._pipeline is None:
            return ''
        return self._pipeline.contradiction_with(perception_config(settings))

    def _subscribe(self) -> None:
        compressed = self._settings.get(InputSettings).image_transport == 'compressed'
        image_type, topic = (
            (CompressedImage, compressed_topic(self)) if compressed else (Image, 'image')
        )
        self._camera_info_input = PolledSubscription(
            self, CameraInfo, 'camera_info', self._on_camera_info, qos.sensor_input()
        )
        self._inputs = [
            self.create_subscription(
                image_type,
                topic,
                self._on_image,
                qos.sensor_input(),
                qos_overriding_options=qos.overridable(),
                event_callbacks=SubscriptionEventCallbacks(message_lost=self._on_image_lost),
            ),
        ]
        if self._pose_mounting is not None:
            self._inputs.insert(
                0,
                self.create_subscription(
                    PoseStamped,
                    'mounting',
                    self._pose_mounting.take,
                    qos.sensor_input(),
                    qos_overriding_options=qos.overridable(),
                ),
            )
        used_topic = self._inputs[-1].topic_name
        self._status.update(image_topic=used_topic)
        raw_topic = self.resolve_topic_name('image')
        other_topic = raw_topic if compressed else compressed_topic(self)
        self._picture_watch.begin(used_topic, other_topic, compressed)

    def _stop(self) -> None:
        if self._odometry is not None:
            self._odometry.close()
            self._odometry = None
        if self._range_hint is not None:
            self._range_hint.close()
            self._range_hint = None
        if self._scan_hint is not None:
            self._scan_hint.close()
            self._scan_hint = None
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs.clear()
        if self._camera_info_input is not None:
            self._camera_info_input.close()
            self._camera_info_input = None
        if self._worker is not None:
            if not self._worker.close():
                self.get_logger().error(
                    'the worker must end with its frame, but hangs in the network or its '
                    'provider; it is left behind, restart the process'
                )
            self._worker = None
        if self._outputs is not None:
            self._outputs.withdraw()
        self._status.forget_frames()

    def _release(self, lifecycle_state: str) -> None:
        if self._outputs is not None:
            self._outputs.destroy()
        if self._tf_mounting is not None:
            self._tf_mounting.close()
        if self._scan_transform is not None:
            self._scan_transform.close()
        self._pipeline = self._outputs = self._camera_info = None
        self._tf_mounting = self._pose_mounting = self._scan_transform = None
        give_back_free_memory()
        self._status.update(
            lifecycle_state=lifecycle_state, model='', model_choice='', provider=''
        )

    # Executor thread -----------------------------------------------------------------------

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._camera_info = message
        self._picture_watch.count_info()

    def _poll_camera_info(self) -> None:
        if self._camera_info_input is not None:
            self._camera_info_input.poll()

    def _on_image(self, message: Image | CompressedImage) -> None:
        if self._worker is not None:
            self._poll_camera_info()
            self._worker.put(ArrivedImage(message, self._camera_info, time.monotonic()))

    def _on_image_lost(self, event: Any) -> None:
        self._status.count_lost(event.total_count_change)

    def _on_diagnostics_due(self) -> None:
        # Where no picture arrives, whether camera_info does tells why.
        self._poll_camera_info()
        self._publish_diagnostics()

    def _publish_diagnostics(self) -> None:
        status = self._status.snapshot()
        if self._worker is not None:
            problem = self._picture_watch.look(status.frames_received, status.frames_lost)
            status = replace(status, picture_problem=problem)
        if self._outputs is not None and status.lifecycle_state == 'active':
            self._outputs.warn_of_absent()
        level, text = assess(status)
        self._diagnostics.publish(
            diagnostic_array(
                self.get_clock().now().to_msg(),
                status_name(self.get_fully_qualified_name(), DEPTH_ESTIMATION),
                status.model or 'no model',
                level,
                text,
                status.as_values(),
            )
        )

    # Worker thread -------------------------------------------------------------------------

    def _on_worker_death(self, reason: str) -> None:
        self.exit_status = 1
        self.get_logger().fatal(f'the worker thread died, the process ends with 1:\n{reason}')
        self._status.update(worker_failure=reason.splitlines()[-1])
        self._publish_diagnostics()

    def _read(self, arrived: ArrivedImage, settings: Snapshot) -> CameraFrame:
        if self._pose_mounting is not None:
            mounting = self._pose_mounting.look_up(nanoseconds(arrived.message.header.stamp))
        elif self._tf_mounting is not None:
            mounting = self._tf_mounting.look_up(arrived.message.header.frame_id)
        else:
            mounting = settings.get(MountingSettings).mounting()

        def pose_at(stamp_ns: int) -> CameraPose | None:
            odometry = self._odometry
            if odometry is None:
                return None
            place = None
            if self._tf_mounting is not None:
                frame = arrived.message.header.frame_id
                place = self._tf_mounting.place(odometry.frame, frame)
            if place is None:
                place = settings.get(MountingSettings).place(mounting)
            return odometry.pose(stamp_ns, place)

        def beam_at(stamp_ns: int) -> RangeBeam | None:
            sensor = self._range_hint
            hint = None if sensor is None else sensor.at(stamp_ns)
            if sensor is None or hint is None:
                return None
            if self._tf_mounting is None:
                return RangeBeam(hint, settings.get(RangeHintConfig).place())
            camera = self._tf_mounting.place(sensor.frame, arrived.message.header.frame_id)
            return RangeBeam(hint, None if camera is None else BeamPlace.beside(camera))

        def scan_at(stamp_ns: int) -> ScanBeams | None:
            sensor = self._scan_hint
            hint = None if sensor is None else sensor.at(stamp_ns)
            if sensor is None or hint is None:
                return None
            if self._tf_mounting is None:
                return ScanBeams(hint, settings.get(ScanHintConfig).place())
            camera = self._tf_mounting.place(sensor.frame, arrived.message.header.frame_id)
            return ScanBeams(hint, None if camera is None else ScanPlace.beside(camera))

        return read_frame(arrived, self._decode, mounting, pose_at, beam_at, scan_at)

    def _on_observation(
        self, message: Image | CompressedImage, seen: Observation, settings: Snapshot
    ) -> None:
        self._hints.check_image(message, seen)
        # Where TF has lost the mounting for a moment, the last transform stays.
        comes_from_outside = self._tf_mounting is not None or self._pose_mounting is not None
        is_lost = comes_from_outside and seen.mounting is None
        if self._scan_transform is not None and not is_lost:
            frame = message.header.frame_id
            scan_frame = settings.get(OutputSettings).scan_frame(frame)
            self._scan_transform.update(frame, scan_frame, seen.mounting, message.header.stamp)
            self._status.update(scan_transform=self._scan_transform.state)


def run(node_class: type[DepthNode], args: list[str] | None = None) -> int:
    """Run depth_node, or what is made of it, until a signal."""
    # A second thread of OpenCV spins while it waits: more time of the processor than it saves.
    cv2.setNumThreads(1)
    return run_nodes([node_class], args)


def main(args: list[str] | None = None) -> int:
    """Run depth_node until a signal."""
    return run(DepthNode, args)


if __name__ == '__main__':
    sys.exit(main())
