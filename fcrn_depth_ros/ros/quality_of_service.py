# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The QoS of each kind of topic, every one overridable through `qos_overrides` parameters."""

from __future__ import annotations

from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions, QoSPolicyKind


def overridable() -> QoSOverridingOptions:
    """Let a user override history, depth, reliability and durability of a topic."""
    return QoSOverridingOptions(
        policy_kinds=(
            QoSPolicyKind.HISTORY,
            QoSPolicyKind.DEPTH,
            QoSPolicyKind.RELIABILITY,
            QoSPolicyKind.DURABILITY,
        )
    )


def no_events() -> PublisherEventCallbacks:
    """
    Leave out rclpy's event handlers of a publisher: a warning of subscribers with another QoS.

    The subscriber's side warns, too. Each wait of the executor looks at each handler, and with
    two for each publisher that is half of what an idle node costs.
    """
    return PublisherEventCallbacks(use_default_callbacks=False)


def no_subscription_events() -> SubscriptionEventCallbacks:
    """Leave out those of a subscription: what asks for best effort is refused by nobody."""
    return SubscriptionEventCallbacks(use_default_callbacks=False)


def _keep_last(
    depth: int,
    reliability: ReliabilityPolicy,
    durability: DurabilityPolicy = DurabilityPolicy.VOLATILE,
) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=reliability,
        durability=durability,
    )


def sensor_input() -> QoSProfile:
    """
    Give the QoS of image and camera_info: best effort matches every publisher.

    The depth of 30 is not a queue of work: the callback keeps the newest frame only and counts
    the one it replaces. With a depth of 1 the middleware would replace it uncounted while the
    executor waits for a busy core.
    """
    return _keep_last(30, ReliabilityPolicy.BEST_EFFORT)


def sensor_output() -> QoSProfile:
    """Give the QoS of depth outputs: reliable, so that every subscriber matches it."""
    return _keep_last(5, ReliabilityPolicy.RELIABLE)


def newest_input() -> QoSProfile:
    """Give the QoS of what decides a stop: best effort, the newest only, nothing from before."""
    return _keep_last(1, ReliabilityPolicy.BEST_EFFORT)


def command_input() -> QoSProfile:
    """Give the QoS of velocity commands: the newest only, but a zero must not get lost."""
    return _keep_last(1, ReliabilityPolicy.RELIABLE)


def signal() -> QoSProfile:
    """Give the QoS of small messages: proximity, stop, buzzer, velocity, diagnostics."""
    return _keep_last(10, ReliabilityPolicy.RELIABLE)


def latched() -> QoSProfile:
    """Give the QoS of a state that a late subscriber must see: transient local."""
    return _keep_last(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
