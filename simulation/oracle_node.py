# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Stands in for depth_node with the renderer's true depth, to tell the alert's faults from others.

It has depth_node's name, its parameters of mounting and proximity, and the topics that alert_node
hears; instead of pictures it takes `oracle/depth`.
"""

from __future__ import annotations

import sys

from diagnostic_msgs.msg import DiagnosticArray
from fcrn_depth_ros.camera.mounting import inverse_floor_depth
from fcrn_depth_ros.perception.proximity import estimate_proximity, NearDebounce, ProximityConfig
from fcrn_depth_ros.ros import quality_of_service as qos
from fcrn_depth_ros.ros.diagnostics import diagnostic_array, Level
from fcrn_depth_ros.ros.messages import (
    calibration_from_camera_info,
    horizontal_field_of_view_rad,
    range_message,
)
from fcrn_depth_ros.ros.node_settings import MountingSettings
from fcrn_depth_ros.ros.parameters import ParameterGroup
from fcrn_depth_ros.ros.process import run_nodes
import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, Range
from std_msgs.msg import Bool, Float32


class OracleNode(Node):
    """Proximity from true depth."""

    def __init__(self) -> None:
        super().__init__('depth_node')
        self._settings = ParameterGroup(self, (MountingSettings, ProximityConfig))
        self._near = NearDebounce(self._settings.get(ProximityConfig))
        self._camera_info: CameraInfo | None = None
        self._range = self.create_publisher(Range, 'proximity/range', qos.signal())
        self._share = self.create_publisher(Float32, 'proximity', qos.signal())
        self._is_near = self.create_publisher(Bool, 'proximity/near', qos.signal())
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', qos.signal())
        self.create_subscription(
            CameraInfo, 'camera_info', self._on_camera_info, qos.sensor_input()
        )
        self.create_subscription(Image, 'oracle/depth', self._on_depth, qos.sensor_input())
        self.create_timer(1.0, self._diagnose, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def shut_down(self) -> None:
        """Nothing is left to be said."""

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._camera_info = message

    def _on_depth(self, message: Image) -> None:
        mounting = self._settings.get(MountingSettings).mounting()
        if self._camera_info is None or mounting is None:
            return
        depth = np.frombuffer(message.data, np.float32).reshape(message.height, message.width)
        intrinsics = calibration_from_camera_info(
            self._camera_info, message.width, message.height
        ).intrinsics
        config = self._settings.get(ProximityConfig)
        slope = (np.arange(message.width) - intrinsics.cx_px) / intrinsics.fx_px
        floor = inverse_floor_depth(intrinsics, mounting)
        estimate = estimate_proximity(depth, config, floor, slope)
        view_rad = horizontal_field_of_view_rad(intrinsics)
        self._range.publish(
            range_message(
                message.header, estimate.nearest_distance_m, view_rad, config.max_range_m
            )
        )
        self._share.publish(Float32(data=estimate.proximity))
        self._is_near.publish(Bool(data=self._near.update(estimate.proximity)))

    def _diagnose(self) -> None:
        self._diagnostics.publish(
            diagnostic_array(
                self.get_clock().now().to_msg(),
                'depth_node: oracle',
                'renderer',
                Level.OK,
                'true depth',
                {'metric scale': 'verified'},
            )
        )


if __name__ == '__main__':
    sys.exit(run_nodes([OracleNode]))
