# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Stands in for depth_node with the renderer's true depth, to tell the alert's faults from others.

It has depth_node's name, its parameters of mounting and proximity, its perception pipeline and
the topics that alert_node subscribes to; instead of pictures it takes `oracle/depth`.
"""

from __future__ import annotations

import sys

from fcrn_depth_ros.perception.proximity import ProximityConfig
from fcrn_depth_ros.perception.scan import depth_to_scan, ScanConfig
from fcrn_depth_ros.ros import quality_of_service as qos
from fcrn_depth_ros.ros.messages import range_message, scan_message
from fcrn_depth_ros.ros.node_settings import MountingSettings
from fcrn_depth_ros.ros.parameters import ParameterGroup
from fcrn_depth_ros.ros.process import run_nodes
from fcrn_depth_ros.ros.stamps import nanoseconds
from fcrn_depth_ros.wire.camera_info import calibration_from_camera_info
from fcrn_depth_ros.wire.contents import horizontal_field_of_view_rad
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, LaserScan, Range
from std_msgs.msg import Bool, Float32

from .true_depth import oracle_frame, oracle_pipeline, TrueDepth


class OracleNode(Node):
    """Proximity from true depth."""

    def __init__(self) -> None:
        super().__init__('depth_node')
        self._settings = ParameterGroup(self, (MountingSettings, ProximityConfig, ScanConfig))
        self._source = TrueDepth()
        self._camera_info: CameraInfo | None = None
        self._range = self.create_publisher(Range, 'proximity/range', qos.signal())
        self._share = self.create_publisher(Float32, 'proximity', qos.signal())
        self._is_near = self.create_publisher(Bool, 'proximity/near', qos.signal())
        self._scan = self.create_publisher(LaserScan, 'depth/scan', qos.sensor_output())
        self.create_subscription(
            CameraInfo, 'camera_info', self._on_camera_info, qos.sensor_input()
        )
        self.create_subscription(Image, 'oracle/depth', self._on_depth, qos.sensor_input())

    def shut_down(self) -> None:
        """Nothing is left to be done."""

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._camera_info = message

    def _on_depth(self, message: Image) -> None:
        mounting = self._settings.get(MountingSettings).mounting()
        if self._camera_info is None or mounting is None:
            return
        size = message.height, message.width
        self._source.depth_m = np.frombuffer(message.data, np.float32).reshape(size)
        intrinsics = calibration_from_camera_info(
            self._camera_info, message.width, message.height
        ).intrinsics
        config = self._settings.get(ProximityConfig)
        stamp_ns = nanoseconds(message.header.stamp)
        seen = oracle_pipeline(self._source, config).observe(
            oracle_frame(self._source.depth_m, intrinsics, mounting, stamp_ns)
        )
        self._range.publish(
            range_message(
                message.header,
                seen.nearest_m,
                horizontal_field_of_view_rad(intrinsics),
                config.max_range_m,
                seen.range_variance_m2,
            )
        )
        scan_config = self._settings.get(ScanConfig)
        scan = depth_to_scan(seen.depth_m, seen.intrinsics, scan_config, seen.mounting)
        self._scan.publish(scan_message(message.header, scan, scan_config))
        self._share.publish(Float32(data=seen.proximity.proximity))
        self._is_near.publish(Bool(data=seen.proximity.is_near(config)))


if __name__ == '__main__':
    sys.exit(run_nodes([OracleNode]))
