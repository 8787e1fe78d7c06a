# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
A camera in a process of its own, that misbehaves on command.

Reads one word at a time from standard input. Publishes 64x48 pictures and their camera_info at
20 Hz; no two pictures are alike unless it is told to freeze.
"""

from fcrn_depth_ros.ros import quality_of_service as qos
from fcrn_depth_ros.ros.messages import image_message
import numpy as np
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from told_source import run, ToldSource

HOUR_NS = 3600 * 10**9
AGES_NS = {'old': HOUR_NS, 'future': -HOUR_NS}
BLOCKS = np.random.default_rng(0).integers(60, 220, (6, 8, 3), np.uint8)
PICTURE = BLOCKS.repeat(8, axis=0).repeat(8, axis=1)


class CameraSource(ToldSource):
    """Publishes as the current behaviour says."""

    def __init__(self):
        super().__init__('camera_source')
        self._images = self.create_publisher(Image, 'image', qos.sensor_input())
        self._infos = self.create_publisher(CameraInfo, 'camera_info', qos.sensor_input())
        self._count = 0

    def publish(self):
        """Publish a picture and its calibration."""
        behaviour = self.behaviour
        if behaviour != 'frozen':
            self._count += 1
        pixels = np.roll(PICTURE, self._count, axis=1)
        if behaviour == 'covered':
            pixels = pixels // 20
        stamp_ns = self.get_clock().now().nanoseconds - AGES_NS.get(behaviour, 0)
        header = Header(frame_id='camera_optical_frame')
        header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, 10**9)
        self._infos.publish(
            CameraInfo(
                header=header,
                width=64,
                height=48,
                k=[64.0, 0.0, 31.5, 0.0, 64.0, 23.5, 0.0, 0.0, 1.0],
            )
        )
        self._images.publish(image_message(header, pixels, 'rgb8'))


if __name__ == '__main__':
    run(CameraSource)
