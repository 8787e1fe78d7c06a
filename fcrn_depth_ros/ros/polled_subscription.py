# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A subscription that is read when its message is needed, and wakes nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile

from . import quality_of_service as qos

_ERROR_PERIOD_S = 1.0


class PolledSubscription:
    """
    A subscription that the executor does not wait for.

    A message that comes beside each image, such as camera_info, costs as much as the image:
    before and after it, rclpy builds anew all that the executor waits for.

    Parameters
    ----------
    node : rclpy.node.Node
        Owns the subscription.
    message_type : type
        Of the topic.
    topic : str
        May be remapped.
    on_message : callable
        Called by `poll` with each message.
    profile : rclpy.qos.QoSProfile
        Of the subscription.
    is_raw : bool
        Hand messages over as they came, serialized; most of them may not be needed.
    is_overridable : bool
        Let the user override the profile, as that of every topic of a fixed name.

    """

    def __init__(
        self,
        node: Node,
        message_type: type,
        topic: str,
        on_message: Callable[[Any], None],
        profile: QoSProfile,
        *,
        is_raw: bool = False,
        is_overridable: bool = True,
    ) -> None:
        self._node, self._on_message, self._is_raw = node, on_message, is_raw
        self._subscription: Any = node.create_subscription(
            message_type,
            topic,
            on_message,
            profile,
            callback_group=_NeverDue(),
            qos_overriding_options=qos.overridable() if is_overridable else None,
            event_callbacks=qos.no_subscription_events(),
        )

    def poll(self) -> None:
        """Take what has arrived; to be called by the thread of the executor."""
        subscription, is_raw = self._subscription, self._is_raw
        try:
            with subscription.handle:
                while taken := subscription.handle.take_message(subscription.msg_type, is_raw):
                    self._on_message(taken[0])
        except Exception as error:
            # What nobody should send, such as a frame_id that is no text.
            self._node.get_logger().error(
                f'{subscription.topic_name} must hold messages that rclpy can read, got {error!r}',
                throttle_duration_sec=_ERROR_PERIOD_S,
            )

    def close(self) -> None:
        """Destroy the subscription."""
        self._node.destroy_subscription(self._subscription)


class _NeverDue(CallbackGroup):
    """Keeps what belongs to it out of what the executor waits for."""

    def can_execute(self, entity: Any) -> bool:
        return False

    def beginning_execution(self, entity: Any) -> bool:
        return False

    def ending_execution(self, entity: Any) -> None:
        pass
