# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What depth_node publishes: each output from one result, and only where somebody listens."""

from __future__ import annotations

from dataclasses import dataclass, replace
import math
from typing import Any

from builtin_interfaces.msg import Time
import cv2
import numpy as np
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2, Range
from std_msgs.msg import Bool, Float32, Header

from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting
from ..estimation.depth_estimator import DepthEstimate
from ..perception.proximity import ProximityConfig, ProximityEstimate
from ..perception.scan import depth_to_points, depth_to_scan, ScanConfig
from ..perception.scan_frame import scan_frame_of
from ..report.drawing import colorize_depth, draw_proximity
from . import quality_of_service as qos
from .messages import (
    camera_info_message,
    depth_image_message,
    horizontal_field_of_view_rad,
    image_message,
    point_cloud_message,
    range_message,
    scan_message,
)
from .node_settings import OutputSettings
from .parameters import ParameterGroup

_PICTURES: dict[str, type] = {
    'depth/camera_info': CameraInfo,
    'depth/image_rect': Image,
    'depth/image_color': Image,
    'depth/points': PointCloud2,
    'depth/scan': LaserScan,
}
_SIGNALS: dict[str, type] = {
    'proximity': Float32,
    'proximity/near': Bool,
    'proximity/range': Range,
}


@dataclass(frozen=True)
class DepthResult:
    """
    What one frame became.

    Attributes
    ----------
    header : std_msgs.msg.Header
        That of the frame.
    picture_stamp : builtin_interfaces.msg.Time
        When these very pixels first came: older than the header where a camera repeats itself.
    image_rgb : ndarray of uint8, shape (H, W, 3)
        The frame, rectified.
    estimate : DepthEstimate
        Its depth; all NaN where the frame tells nothing.
    intrinsics : CameraIntrinsics
        Of the depth map; assumed where the camera's are unknown.
    mounting : CameraMounting or None
        Where the camera sits.
    proximity : ProximityEstimate
        How near.
    near : bool
        The same, debounced.

    """

    header: Header
    picture_stamp: Time
    image_rgb: np.ndarray
    estimate: DepthEstimate
    intrinsics: CameraIntrinsics
    mounting: CameraMounting | None
    proximity: ProximityEstimate
    near: bool


class DepthOutputs:
    """
    The publishers of depth_node.

    Parameters
    ----------
    node : rclpy.lifecycle.LifecycleNode
        The node they belong to.
    settings : ParameterGroup
        Of the node; read for every frame.

    """

    def __init__(self, node: LifecycleNode, settings: ParameterGroup) -> None:
        self._node = node
        self._settings = settings
        self._publishers: dict[str, Any] = {}
        for kinds, profile in ((_PICTURES, qos.sensor_output()), (_SIGNALS, qos.signal())):
            for topic, message_type in kinds.items():
                self._publishers[topic] = node.create_lifecycle_publisher(
                    message_type, topic, profile, qos_overriding_options=qos.overridable()
                )

    def destroy(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

    def anyone_listens(self) -> bool:
        """Tell whether any output has a subscriber."""
        return any(self._wanted(topic) for topic in self._publishers)

    def publish_unknown(self, near: bool) -> None:
        """Say that a frame told nothing."""
        self._publish('proximity', Float32(data=math.nan))
        self._publish('proximity/near', Bool(data=near))

    def publish(self, result: DepthResult) -> None:
        """Publish everything that somebody wants, the signals first."""
        self._publish_signals(result)
        if self._wanted('depth/image_color'):
            self._publish(
                'depth/image_color', image_message(result.header, self._colored(result), 'rgb8')
            )
        # A relative map is no distance: it must not look like one.
        if result.estimate.is_metric:
            self._publish_depth(result)

    def _publish_signals(self, result: DepthResult) -> None:
        proximity, config = result.proximity, self._settings.get(ProximityConfig)
        if not math.isnan(proximity.nearest_distance_m):
            field_of_view = horizontal_field_of_view_rad(
                result.intrinsics, config.roi_left, config.roi_right
            )
            # A repeated picture is no news: whoever watches this stamp sees the distance grow old.
            header = Header(stamp=result.picture_stamp, frame_id=result.header.frame_id)
            self._publish(
                'proximity/range',
                range_message(
                    self._forward_header(header),
                    proximity.nearest_distance_m,
                    field_of_view,
                    config.max_range_m,
                ),
            )
        self._publish('proximity', Float32(data=proximity.proximity))
        self._publish('proximity/near', Bool(data=result.near))

    def _publish_depth(self, result: DepthResult) -> None:
        header, depth_m = result.header, result.estimate.depth_m
        if self._wanted('depth/image_rect') or self._wanted('depth/camera_info'):
            encoding = self._settings.get(OutputSettings).depth_encoding
            self._publish('depth/camera_info', camera_info_message(header, result.intrinsics))
            self._publish('depth/image_rect', depth_image_message(header, depth_m, encoding))
        if self._wanted('depth/scan'):
            config = self._settings.get(ScanConfig)
            scan = depth_to_scan(depth_m, result.intrinsics, config, result.mounting)
            self._publish('depth/scan', scan_message(self._forward_header(header), scan, config))
        if self._wanted('depth/points'):
            colors = cv2.resize(
                result.image_rgb, depth_m.shape[::-1], interpolation=cv2.INTER_AREA
            )
            points = depth_to_points(depth_m, result.intrinsics)
            self._publish('depth/points', point_cloud_message(header, points, colors))

    def _colored(self, result: DepthResult) -> np.ndarray:
        outputs, depth_m = self._settings.get(OutputSettings), result.estimate.depth_m
        if not result.estimate.is_metric and np.isfinite(depth_m).any():
            # A relative map has no metres to fix a range to: its own extremes are drawn, and
            # larger is nearer, so the sign is turned.
            depth_m = 1.0 + np.nanmax(depth_m) - depth_m
            outputs = replace(
                outputs, color_min_m=1.0, color_max_m=1.001 + float(np.nanmax(depth_m))
            )
        picture = colorize_depth(
            depth_m, outputs.color_min_m, outputs.color_max_m, outputs.color_map
        )
        return draw_proximity(
            picture, result.proximity, self._settings.get(ProximityConfig), result.near
        )

    def _forward_header(self, header: Header) -> Header:
        # LaserScan and Range look along the x axis of their frame, an optical frame along z.
        frame_id = self._settings.get(OutputSettings).scan_frame_id
        return Header(stamp=header.stamp, frame_id=frame_id or scan_frame_of(header.frame_id))

    def _wanted(self, topic: str) -> bool:
        return self._publishers[topic].get_subscription_count() > 0

    def _publish(self, topic: str, message: Any) -> None:
        self._publishers[topic].publish(message)
