# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
A distance source in a process of its own, that misbehaves on command.

Reads one line at a time from standard input: a word that says how to go on, or `at METRES NOISE`
for an obstacle seen with noise of that relative standard deviation. Publishes at 20 Hz.
"""

import random

from fcrn_depth_ros.ros.real_time import ask_for_real_time
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Range
from std_msgs.msg import Float32
from told_source import run, ToldSource

FAR_M, NEAR_M, MAX_M = 5.0, 0.3, 10.0
# Behaviour -> distance, age of the stamp in seconds.
READINGS = {
    'good': (FAR_M, 0.0),
    'near': (NEAR_M, 0.0),
    'nan': (float('nan'), 0.0),
    'inf': (float('inf'), 0.0),
    'old': (FAR_M, 3600.0),
    'future': (FAR_M, -3600.0),
}


class RangeSource(ToldSource):
    """Publishes as the current behaviour says."""

    def __init__(self):
        super().__init__('range_source')
        profile = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._ranges = self.create_publisher(Range, 'proximity/range', profile)
        self._shares = self.create_publisher(Float32, 'proximity', profile)
        self._frozen = None
        ask_for_real_time(self.declare_parameter('realtime_priority', 0).value)

    def publish(self):
        """Publish a distance and a share, or what the fault makes of them."""
        behaviour = self.behaviour
        if behaviour == 'silent':
            return
        if behaviour == 'unknown':
            self._shares.publish(Float32(data=float('nan')))
            return
        self._shares.publish(Float32(data=0.0))
        if behaviour == 'frozen' and self._frozen is not None:
            self._ranges.publish(self._frozen)
            return
        if behaviour.startswith('at '):
            true_m, noise = map(float, behaviour.split()[1:])
            distance_m, age_s = min(MAX_M, true_m * abs(random.gauss(1.0, noise))), 0.0
        else:
            distance_m, age_s = READINGS.get(behaviour, READINGS['good'])
        message = Range(min_range=0.0, max_range=MAX_M, range=distance_m)
        stamp = max(0, self.get_clock().now().nanoseconds - int(age_s * 1e9))
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
        self._ranges.publish(message)
        self._frozen = message


if __name__ == '__main__':
    run(RangeSource)
