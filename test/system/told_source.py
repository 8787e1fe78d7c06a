# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A publisher in a process of its own, that behaves as its standard input tells it."""

import sys
import threading

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node


class ToldSource(Node):
    """Calls `publish` at 20 Hz; `behaviour` is the last line that came."""

    def __init__(self, name):
        super().__init__(name)
        self.behaviour = 'good'
        self.create_timer(0.05, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def publish(self):
        """Publish as the behaviour says."""
        raise NotImplementedError

    def obey(self):
        """Take lines from standard input until it ends."""
        for line in sys.stdin:
            self.behaviour = line.strip()


def run(source_class):
    """Publish until a signal."""
    rclpy.init()
    source = source_class()
    threading.Thread(target=source.obey, daemon=True).start()
    try:
        rclpy.spin(source)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    rclpy.try_shutdown()
