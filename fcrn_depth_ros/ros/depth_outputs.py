# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What depth_node publishes of an observation, and only where somebody listens."""

from __future__ import annotations

from collections.abc import Iterable
import math
from typing import Any

import cv2
import numpy as np
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Range
from std_msgs.msg import Header

from . import quality_of_service as qos
from .messages import (
    camera_info_message,
    depth_image_message,
    image_message,
    message_class,
    point_cloud_message,
    scan_message,
)
from .node_settings import OutputSettings
from .parameters import Snapshot
from .stamps import time_message
from ..estimation.model_card import ModelCard
from ..perception.observation import Observation
from ..perception.proximity import ProximityConfig
from ..perception.scan import depth_to_points, ScanConfig
from ..report.drawing import colorize_depth, draw_proximity, draw_relative
from ..wire.contents import near_values, reading_contents, scan_of
from ..wire.scale_news import News, ScaleNews
from ..wire.topics import LATCHED, PICTURES, SIGNALS

# What only some models give, and the key of the model card that says so.
_OPTIONAL = {'depth/floor': 'floor_output', 'depth/confidence': 'confidence_output'}


class DepthOutputs:
    """
    The publishers of depth_node.

    Parameters
    ----------
    node : rclpy.lifecycle.LifecycleNode
        The node they belong to.
    card : ModelCard
        Of the model in use: says which of the optional outputs there are.

    """

    def __init__(self, node: LifecycleNode, card: ModelCard) -> None:
        self._node = node
        self._absent = {topic for topic, key in _OPTIONAL.items() if not getattr(card, key)}
        self._model_name = card.name
        self._warned_of: set[str] = set()
        self._scale_news = ScaleNews()
        self._publishers: dict[str, Any] = {}
        self._types: dict[str, type] = {}
        for kinds, profile in (
            (PICTURES, qos.sensor_output()),
            (SIGNALS, qos.signal()),
            (LATCHED, qos.latched()),
        ):
            for topic, type_name in kinds.items():
                self._types[topic] = message_class(type_name)
                self._publishers[topic] = node.create_lifecycle_publisher(
                    self._types[topic],
                    topic,
                    profile,
                    event_callbacks=qos.no_events(),
                    qos_overriding_options=qos.overridable(),
                )

    def destroy(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

    def withdraw(self) -> None:
        """Take back what late subscribers would still be told; called while still active."""
        self._publish_news(self._scale_news.withdrawn())

    def anyone_listens(self) -> bool:
        """Tell whether any output has a subscriber."""
        return any(self._wanted(topic) for topic in self._publishers.keys() - self._absent)

    def warn_of_absent(self) -> None:
        """Warn, once a topic, of subscriptions to what the model does not give."""
        for topic in sorted(filter(self._wanted, self._absent - self._warned_of)):
            self._warned_of.add(topic)
            self._node.get_logger().warning(
                f'{topic} has a subscriber, but {self._model_name} has no {_OPTIONAL[topic]} in '
                'its model card, so nothing is published there; choose another model_file, or '
                'unsubscribe'
            )

    def publish_unknown(self) -> None:
        """Publish that nothing is known about the distance in a frame."""
        self._publish_value('proximity', math.nan)
        self._publish_value('proximity/near', True)

    def publish(self, header: Header, seen: Observation, settings: Snapshot) -> None:
        """
        Publish everything that somebody wants of an observation, the signals first.

        Parameters
        ----------
        header : std_msgs.msg.Header
            That of the image.
        seen : Observation
            What the image shows.
        settings : Snapshot
            With which the observation was made.

        """
        self._publish_signals(header, seen, settings)
        # Before the pictures: whoever draws it over one has it when that comes.
        if self._wanted('depth/near'):
            near = near_values(seen, settings.get(ProximityConfig))
            self._publish('depth/near', image_message(header, near, 'mono8'))
        if self._wanted('depth/image_color'):
            picture = _colored(seen, settings)
            self._publish('depth/image_color', image_message(header, picture, 'rgb8'))
        # A relative map is no distance: it must not look like one.
        if seen.is_metric:
            self._publish_depth(header, seen, settings)

    def _publish_signals(self, header: Header, seen: Observation, settings: Snapshot) -> None:
        config = settings.get(ProximityConfig)
        scale = seen.scale
        self._publish_news(self._scale_news.of(seen.stamp_ns, scale.verified, scale.state, scale))
        self._publish_value('depth/scale/factor', scale.factor)
        self._publish_value('depth/scale/sigma', scale.relative_sigma)
        reading = reading_contents(seen, config)
        if reading is not None and self._wanted('proximity/range'):
            # A repeated picture is no news: whoever watches this stamp sees the distance grow old.
            picture_header = Header(
                stamp=time_message(seen.picture_stamp_ns), frame_id=header.frame_id
            )
            self._publish(
                'proximity/range',
                Range(header=_forward_header(picture_header, settings), **reading),
            )
        if not math.isnan(seen.time_to_collision_s):
            self._publish_value('proximity/time_to_collision', seen.time_to_collision_s)
        self._publish_value('proximity', seen.proximity.proximity)
        self._publish_value('proximity/near', seen.proximity.is_near(config))

    def _publish_value(self, topic: str, value: float | bool) -> None:
        if self._wanted(topic):
            self._publish(topic, self._types[topic](data=value))

    def _publish_news(self, news: Iterable[News]) -> None:
        for topic, data in news:
            self._publish(topic, self._types[topic](data=data))

    def _publish_depth(self, header: Header, seen: Observation, settings: Snapshot) -> None:
        depth_m = seen.depth_m
        if self._wanted('depth/image_rect') or self._wanted('depth/camera_info'):
            encoding = settings.get(OutputSettings).depth_encoding
            self._publish('depth/camera_info', camera_info_message(header, seen.intrinsics))
            self._publish('depth/image_rect', depth_image_message(header, depth_m, encoding))
        for topic, shares in (
            ('depth/floor', seen.estimate.floor),
            ('depth/confidence', seen.estimate.confidence),
        ):
            if shares is not None and self._wanted(topic):
                pixels = np.ascontiguousarray(shares, np.float32)
                self._publish(topic, image_message(header, pixels, '32FC1'))
        if self._wanted('depth/scan'):
            config = settings.get(ScanConfig)
            forward = _forward_header(header, settings)
            self._publish('depth/scan', scan_message(forward, scan_of(seen, config), config))
        if self._wanted('depth/points'):
            colors = cv2.resize(seen.image_rgb, depth_m.shape[::-1], interpolation=cv2.INTER_AREA)
            points = depth_to_points(depth_m, seen.intrinsics)
            self._publish('depth/points', point_cloud_message(header, points, colors))

    def _wanted(self, topic: str) -> bool:
        return bool(self._publishers[topic].get_subscription_count() > 0)

    def _publish(self, topic: str, message: Any) -> None:
        self._publishers[topic].publish(message)


def _colored(seen: Observation, settings: Snapshot) -> np.ndarray:
    outputs, config = settings.get(OutputSettings), settings.get(ProximityConfig)
    if config.proximity_mode == 'relative':
        picture = draw_relative(seen.depth_m, config)
    else:
        picture = colorize_depth(
            seen.depth_m, outputs.color_min_m, outputs.color_max_m, outputs.color_map
        )
    return draw_proximity(picture, seen.proximity, config, seen.proximity.is_near(config))


def _forward_header(header: Header, settings: Snapshot) -> Header:
    # LaserScan and Range look along the x axis of their frame, an optical frame along z.
    frame_id = settings.get(OutputSettings).scan_frame(header.frame_id)
    return Header(stamp=header.stamp, frame_id=frame_id)
