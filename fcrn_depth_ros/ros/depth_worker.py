# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The thread of depth_node: takes the newest image, has it observed, and publishes."""

from __future__ import annotations

from collections.abc import Callable
import threading
import traceback
from typing import Any

from rclpy.node import Node

from .camera_frames import ArrivedImage
from .depth_outputs import DepthOutputs
from .depth_status import StatusKeeper
from .frame_mailbox import FrameMailbox
from .node_settings import perception_config
from .parameters import ParameterGroup, Snapshot
from .stamps import nanoseconds
from ..errors import ConfigurationError, FrameError, InferenceError
from ..estimation.stopwatch import Stage
from ..perception.observation import CameraFrame, Observation
from ..perception.pipeline import PerceptionPipeline

_WARNING_PERIOD_S = 1.0
_CONTRADICTION_PERIOD_S = 10.0
# A provider that hangs in one inference must not keep the executor from serving the rest.
_JOIN_TIMEOUT_S = 5.0


class DepthWorker:
    """
    One worker thread and the slot in front of it.

    Parameters
    ----------
    node : rclpy.node.Node
        Gives clock and logger.
    settings : ParameterGroup
        Of the node; one snapshot holds for a whole frame.
    pipeline : PerceptionPipeline
        Observes; used by the thread only.
    read : callable
        What arrived and the settings -> frame of the pipeline; may raise FrameError.
    outputs : DepthOutputs
        Publishes.
    status : StatusKeeper
        Counts the fate of each image.
    on_observation : callable
        Called with each image message, its observation and the settings of both, after it was
        published.
    on_death : callable
        Called with the traceback when the thread ends though nobody closed it.

    """

    def __init__(
        self,
        node: Node,
        settings: ParameterGroup,
        pipeline: PerceptionPipeline,
        read: Callable[[ArrivedImage, Snapshot], CameraFrame],
        outputs: DepthOutputs,
        status: StatusKeeper,
        on_observation: Callable[[Any, Observation, Snapshot], None],
        on_death: Callable[[str], None],
    ) -> None:
        self._node, self._settings, self._pipeline = node, settings, pipeline
        self._read, self._outputs, self._status = read, outputs, status
        self._on_observation, self._on_death = on_observation, on_death
        self._is_abandoned = False
        self._applied = settings.snapshot()
        self._mailbox: FrameMailbox[ArrivedImage] = FrameMailbox()
        pipeline.reconfigure(perception_config(self._applied))
        pipeline.restart()
        self._thread = threading.Thread(target=self._run, name='depth_worker', daemon=True)
        self._thread.start()

    def put(self, image: ArrivedImage) -> None:
        """Leave an image for the thread; one that still waits is superseded, and counted."""
        self._status.count_received(self._mailbox.put(image))

    def close(self) -> bool:
        """
        End the thread.

        Returns
        -------
        bool
            False where it still hangs in one frame after the time limit; it is left behind.

        """
        if self._mailbox.close():
            self._status.count_superseded()
        self._thread.join(_JOIN_TIMEOUT_S)
        self._is_abandoned = self._thread.is_alive()
        return not self._is_abandoned

    def _run(self) -> None:
        try:
            self._work()
        except BaseException:
            # Where rclpy's own signal handler has closed the context, nothing can be published.
            if not self._is_abandoned and self._node.context.ok():
                self._on_death(traceback.format_exc())

    def _work(self) -> None:
        while (image := self._mailbox.take()) is not None:
            self._status.begin_work()
            try:
                self._handle(image)
                continue
            except (ConfigurationError, FrameError, InferenceError) as error:
                reason = str(error)
            except Exception as error:
                # The thread's last line of defence: one frame that nobody foresaw must not end
                # the depth of all later ones. It is counted and shown like any bad frame.
                reason = f'internal error: {error!r}'
            if self._is_abandoned:
                return
            self._outputs.publish_unknown()
            self._status.count_rejected(reason)
            self._node.get_logger().warning(
                f'frame dropped: {reason}', throttle_duration_sec=_WARNING_PERIOD_S
            )

    def _handle(self, image: ArrivedImage) -> None:
        image.stopwatch.lap(Stage.WAIT)
        if not self._outputs.anyone_listens():
            self._status.count_ignored()
            return
        settings = self._settings.snapshot()
        if settings.contradiction:
            raise ConfigurationError(settings.contradiction)
        if settings is not self._applied:
            self._applied = settings
            self._pipeline.reconfigure(perception_config(settings))
        frame = self._read(image, settings)
        image.stopwatch.lap(Stage.DECODE)
        seen = self._pipeline.observe(frame, image.stopwatch)
        if self._is_abandoned:
            return
        self._status.update(
            camera_info=image.calibration_note,
            mounting=str(seen.mounting or 'unknown'),
            image_quality=seen.unknown_reason or 'usable',
            image_usable=not seen.unknown_reason,
            scale_unverified_because=seen.scale.reason,
            scale_text=str(seen.scale),
        )
        if seen.scale.state == 'contradicted':
            self._node.get_logger().warning(
                f'witnesses of scale contradict each other: {seen.scale.reason}',
                throttle_duration_sec=_CONTRADICTION_PERIOD_S,
            )
        header = image.message.header
        self._outputs.publish(header, seen, settings)
        image.stopwatch.lap(Stage.PUBLISH)
        age_ns = self._node.get_clock().now().nanoseconds - nanoseconds(header.stamp)
        self._status.count_processed(image.stopwatch.times_s, age_ns * 1e-9)
        try:
            self._on_observation(image.message, seen, settings)
        except Exception as error:
            # The image is out and counted: it has one fate only.
            self._node.get_logger().error(
                f'internal error after a frame was published: {error!r}',
                throttle_duration_sec=_WARNING_PERIOD_S,
            )
