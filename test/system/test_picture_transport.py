# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Pictures arrive at a process that knows nothing of the tuning."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys

import pytest

# Neither discovery nor a process that stands still for half a second is what is tested: the
# pictures begin once one has arrived, and the subscriber keeps all that its process did not take.
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
from std_msgs.msg import Empty
rclpy.init()
node = Node('publisher')
publisher = node.create_publisher(Image, 'pictures', qos_profile_sensor_data)
arrived = []
node.create_subscription(Empty, 'arrived', arrived.append, 1)
picture = Image(width=640, height=480, step=1920, encoding='rgb8')
picture.data = array('B', bytes(921600))
picture.header.stamp.sec = -1
while not arrived:
    publisher.publish(picture)
    rclpy.spin_once(node, timeout_sec=0.05)
for count in range(60):
    time.sleep(0.05)
    picture.header.stamp.sec = count
    publisher.publish(picture)
# The last picture may be lost, not this end.
picture.data = array('B', [0])
picture.header.stamp.sec = 60
while node.count_subscribers('pictures'):
    publisher.publish(picture)
    time.sleep(0.05)
"""

_SUBSCRIBER = """
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Empty
rclpy.init()
node = Node('subscriber')
publisher = node.create_publisher(Empty, 'arrived', 1)
numbers = set()
def take(picture):
    publisher.publish(Empty())
    numbers.add(picture.header.stamp.sec)
profile = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
node.create_subscription(Image, 'pictures', take, profile)
while 60 not in numbers:
    rclpy.spin_once(node, timeout_sec=0.1)
print(*sorted(set(range(60)) - numbers), flush=True)
"""


def test_tuned_pictures_reach_an_untuned_process() -> None:
    pytest.importorskip('rclpy')
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
            output, _ = subscriber.communicate(timeout=60)
            assert publisher.wait(timeout=20) == 0
        finally:
            publisher.kill()
            subscriber.kill()
    assert len(output.split()) <= 2, f'lost: {output}'
