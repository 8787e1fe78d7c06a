# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Pictures arrive at a process that knows nothing of the tuning."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys

import pytest

pytest.importorskip('rclpy', reason='needs rclpy: run scripts/test, or source a ROS 2')

_PUBLISHER = """
from array import array
import sys, time
from fcrn_depth_ros.ros.transport import tune_fast_dds
if sys.argv[1] == 'tuned':
    assert tune_fast_dds()
import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
rclpy.init()
node = Node('publisher')
publisher = node.create_publisher(Image, 'pictures', qos_profile_sensor_data)
picture = Image(width=640, height=480, step=1920, encoding='rgb8')
picture.data = array('B', bytes(921600))
while publisher.get_subscription_count() == 0:
    rclpy.spin_once(node, timeout_sec=0.05)
time.sleep(1.0)
for count in range(60):
    picture.header.stamp.sec = count
    publisher.publish(picture)
    time.sleep(0.05)
"""

_SUBSCRIBER = """
import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
rclpy.init()
node = Node('subscriber')
stamps = []
node.create_subscription(
    Image, 'pictures', lambda picture: stamps.append(picture.header.stamp.sec),
    qos_profile_sensor_data)
print('ready', flush=True)
while not stamps or stamps[-1] < 59:
    rclpy.spin_once(node, timeout_sec=0.1)
print(len(stamps), flush=True)
"""


def test_tuned_pictures_reach_an_untuned_process() -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('FASTDDS_', 'FASTRTPS_'))
    }
    environment['PYTHONPATH'] = os.pathsep.join(
        [str(Path(__file__).parents[2]), environment.get('PYTHONPATH', '')]
    )

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, '-c', code, *arguments],
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
        )

    with start(_SUBSCRIBER) as subscriber, start(_PUBLISHER, 'tuned') as publisher:
        try:
            assert publisher.wait(timeout=60) == 0
            output, _ = subscriber.communicate(timeout=20)
        finally:
            publisher.kill()
            subscriber.kill()
    assert int(output.split()[-1]) >= 58
