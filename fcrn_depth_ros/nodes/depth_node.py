# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Image in, metric depth and proximity out: the wiring of depth_node.

The subscription leaves the newest frame in a one-slot mailbox; one worker thread has the frame
processed and the result published. Every frame that came in is counted as processed, superseded
by a newer one, rejected with a reason, or ignored because nobody listens.
"""

from __future__ import annotations

from pathlib import Path
import sys
import threading
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ..camera.image_messages import image_to_rgb
from ..errors import FcrnDepthError, FrameError, InferenceError
from ..estimation.onnx_model import embedded_model_path, load_onnx_model, SessionConfig
from ..ros import quality_of_service as qos
from ..ros.depth_outputs import DepthOutputs
from ..ros.depth_status import assess, StatusKeeper
from ..ros.diagnostic_keys import DEPTH_ESTIMATION, status_name
from ..ros.diagnostics import diagnostic_array
from ..ros.frame_processor import Frame, FrameProcessor
from ..ros.hang_guard import LOADING_LIMIT_S, must_end
from ..ros.image_decoding import compressed_image_decoder
from ..ros.lifecycle import says_why_it_fails, SelfStartingNode
from ..ros.mailbox import FrameMailbox
from ..ros.node_settings import InputSettings, ModelSettings, MountingSettings, NODE_SETTINGS
from ..ros.parameters import ParameterGroup, Snapshot
from ..ros.process import run_nodes
from ..ros.tf_mounting import mounting_lookup

_DIAGNOSTICS_PERIOD_S = 1.0
_WARNING_PERIOD_S = 1.0


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
        self._status = StatusKeeper(time.monotonic)
        self._processor: FrameProcessor | None = None
        self._outputs: DepthOutputs | None = None
        self._camera_info: CameraInfo | None = None
        self._inputs: list[Any] = []
        self._mailbox: FrameMailbox[Frame] | None = None
        self._worker: threading.Thread | None = None
        self._settings = ParameterGroup(
            self,
            NODE_SETTINGS['depth_node'],
            self._apply_parameters,
            lambda: self._processor is not None,
            lambda settings: self._processor.contradiction_of(settings) if self._processor else '',
        )
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', qos.signal())
        self.create_timer(
            _DIAGNOSTICS_PERIOD_S,
            self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        if self._settings.get(InputSettings).autostart:
            self.start()

    # Lifecycle -----------------------------------------------------------------------------

    @says_why_it_fails
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm up the network, make the publishers."""
        try:
            self._processor = self._make_processor()
        except FcrnDepthError as error:
            self.get_logger().error(f'not configured: {error}')
            self._status.update(configure_error=str(error))
            return TransitionCallbackReturn.FAILURE
        self._outputs = DepthOutputs(self, self._settings)
        self._status.update(lifecycle_state='inactive', configure_error='')
        return super().on_configure(state)

    @says_why_it_fails
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker and subscribe."""
        assert self._processor is not None and self._outputs is not None
        result = super().on_activate(state)
        self._processor.start()
        self._mailbox = FrameMailbox()
        self._worker = threading.Thread(
            target=self._work,
            args=(self._mailbox, self._processor, self._outputs),
            name='depth_worker',
            daemon=True,
        )
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
        self._release('unconfigured')
        return TransitionCallbackReturn.SUCCESS

    @says_why_it_fails
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

    def _make_processor(self) -> FrameProcessor:
        model_settings = self._settings.get(ModelSettings)
        session = self._settings.get(SessionConfig)
        path = (
            Path(model_settings.model_file).expanduser()
            if model_settings.model_file
            else embedded_model_path(session.provider)
        )
        compressed = self._settings.get(InputSettings).image_transport == 'compressed'
        decode = compressed_image_decoder() if compressed else image_to_rgb
        floor_frame = self._settings.get(MountingSettings).floor_frame
        look_up_mounting = mounting_lookup(self, floor_frame) if floor_frame else None
        with must_end('the loading of the network', LOADING_LIMIT_S):
            model = load_onnx_model(path, session, model_settings.card_overrides())
            processor = FrameProcessor(
                model, self._settings, self._status, decode, look_up_mounting
            )
        name = f'{model.card.name} {model.card.version}'
        self._status.update(model=f'{name} ({path.name})', provider=model.provider)
        self.get_logger().info(f'{name} runs on {model.provider}')
        return processor

    def _apply_parameters(self, settings: Snapshot) -> None:
        if self._processor is not None and not settings.contradiction:
            self._processor.apply_settings()

    def _subscribe(self) -> None:
        compressed = self._settings.get(InputSettings).image_transport == 'compressed'
        image_type, image_topic = (
            (CompressedImage, 'image/compressed') if compressed else (Image, 'image')
        )
        self._inputs.append(
            self.create_subscription(
                CameraInfo,
                'camera_info',
                self._on_camera_info,
                qos.sensor_input(),
                qos_overriding_options=qos.overridable(),
            )
        )
        self._inputs.append(
            self.create_subscription(
                image_type,
                image_topic,
                self._on_image,
                qos.sensor_input(),
                qos_overriding_options=qos.overridable(),
                event_callbacks=SubscriptionEventCallbacks(message_lost=self._on_image_lost),
            )
        )

    def _stop(self) -> None:
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs.clear()
        if self._mailbox is not None and self._mailbox.close():
            self._status.count_superseded()
        if self._worker is not None:
            self._worker.join()
        self._mailbox = self._worker = None

    def _release(self, lifecycle_state: str) -> None:
        if self._outputs is not None:
            self._outputs.destroy()
        self._processor = self._outputs = self._camera_info = None
        self._status.update(lifecycle_state=lifecycle_state, model='', provider='')

    # Executor thread -----------------------------------------------------------------------

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._camera_info = message

    def _on_image(self, message: Image | CompressedImage) -> None:
        if self._mailbox is not None:
            frame = Frame(message, self._camera_info, time.monotonic())
            self._status.count_received(self._mailbox.put(frame))

    def _on_image_lost(self, event: Any) -> None:
        self._status.count_lost(event.total_count_change)

    def _publish_diagnostics(self) -> None:
        status = self._status.snapshot()
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

    def _work(
        self, mailbox: FrameMailbox[Frame], processor: FrameProcessor, outputs: DepthOutputs
    ) -> None:
        while (frame := mailbox.take()) is not None:
            try:
                self._handle(frame, processor, outputs)
                continue
            except (FrameError, InferenceError) as error:
                reason = str(error)
            except Exception as error:
                # The thread's last line of defence: one frame that nobody foresaw must not end
                # the depth of all later ones. It is counted and shown like any bad frame.
                reason = f'internal error: {error!r}'
            self._status.count_rejected(reason)
            outputs.publish_unknown(processor.near_after_unknown())
            self.get_logger().warning(
                f'frame dropped: {reason}', throttle_duration_sec=_WARNING_PERIOD_S
            )

    def _handle(self, frame: Frame, processor: FrameProcessor, outputs: DepthOutputs) -> None:
        if not outputs.anyone_listens():
            self._status.count_ignored()
            return
        contradiction = self._settings.snapshot().contradiction
        if contradiction:
            raise FrameError(contradiction)
        result = processor.process(frame)
        outputs.publish(result)
        stamp = Time.from_msg(frame.message.header.stamp, self.get_clock().clock_type)
        age_s = (self.get_clock().now() - stamp).nanoseconds * 1e-9
        self._status.count_processed(result.estimate.inference_s, age_s)


def main(args: list[str] | None = None) -> int:
    """Run depth_node until a signal."""
    return run_nodes([DepthNode], args)


if __name__ == '__main__':
    sys.exit(main())
