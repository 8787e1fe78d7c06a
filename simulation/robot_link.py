# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A robot that runs the real nodes: camera, clock and command go out, the alert comes in."""

from __future__ import annotations

import math
import time
from typing import Any

from builtin_interfaces.msg import Time
from fcrn_depth_ros.alert.memory import MemoryConfig
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.odometry import OdometryReading
from fcrn_depth_ros.ros import quality_of_service as qos
from fcrn_depth_ros.ros.messages import camera_info_message, depth_image_message, image_message
from fcrn_depth_ros.ros.stamps import nanoseconds, time_message
from fcrn_depth_ros.scale.keeper import ScaleReport
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
import numpy as np
from numpy.typing import NDArray
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, Range
from std_msgs.msg import Bool, Float32, Header, String

from .drive import scan_height_max_m
from .odometry import BEAM_MAX_M

_READY_S = 60.0
# Rendering makes single steps late by this much, which the next steps make up for.
_CATCH_UP_S = 0.1
# A base stops by itself when commands cease; most drivers take half a second.
_COMMAND_TIMEOUT_S = 0.5
_FORGOTTEN_S = MemoryConfig().memory_s


class RobotLink(Node):
    """
    The brain of a robot that runs the real nodes: everything goes over DDS, in real time.

    Parameters
    ----------
    oracle : bool
        Send true depth instead of pictures.

    Attributes
    ----------
    now_s : float
        Simulated time; it goes on from drive to drive.

    See :class:`simulation.drive.Brain` for the others.

    """

    def __init__(self, oracle: bool) -> None:
        super().__init__('simulated_robot')
        self.wants_pictures = not oracle
        self.now_s = 1.0
        self.stop, self.state, self.reported_nearest_m = True, '', math.nan
        self.is_unknown = False
        self.estimated_depth_m: NDArray[np.float32] | None = None
        self.scale_report: ScaleReport | None = None
        self.lag_s = 0.0
        self.reading_latencies_s: list[float] = []
        self._intrinsics: CameraIntrinsics | None = None
        self._begin_s = self._begin_steady_s = 0.0
        self._sent_steady_s: dict[int, float] = {}
        self._command, self._command_s = Twist(), -math.inf
        self._heartbeats = 0
        self._clock_publisher = self.create_publisher(Clock, '/clock', qos.signal())
        self._drive = self.create_publisher(Twist, 'cmd_vel_in', qos.signal())
        self._info = self.create_publisher(CameraInfo, 'camera_info', qos.sensor_output())
        picture_topic = 'oracle/depth' if oracle else 'image'
        self._picture = self.create_publisher(Image, picture_topic, qos.sensor_output())
        self._odometry = self.create_publisher(Odometry, 'odom', qos.sensor_output())
        self._range_hint = self.create_publisher(Range, 'range_hint', qos.sensor_output())
        self._depth_node_parameters: Any = self.create_client(
            SetParameters, '/depth_node/set_parameters'
        )
        self._subscribe(Twist, 'cmd_vel_out', self._on_command)
        self._subscribe(Bool, 'stop', self._on_stop)
        self.create_subscription(String, 'alert/state', self._on_state, qos.latched())
        self._subscribe(Range, 'proximity/range', self._on_range)
        self._subscribe(Float32, 'proximity', self._on_proximity)
        if not oracle:
            self._subscribe(Image, 'depth/image_rect', self._on_depth)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    @property
    def command(self) -> tuple[float, float]:
        """Return forward speed and turn rate that the base obeys now."""
        if self.now_s - self._command_s > _COMMAND_TIMEOUT_S:
            return 0.0, 0.0
        return self._command.linear.x, self._command.angular.z

    def wait_for_alert(self) -> None:
        """Wait until both nodes are there."""
        deadline = time.monotonic() + _READY_S
        while self._heartbeats < 3 or not self._depth_node_parameters.service_is_ready():
            self.spin_until(time.monotonic() + 0.1)
            self.tick(0.02)
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f'depth_node and alert_node must be up within {_READY_S:g} s, got '
                    f'{self._heartbeats} heartbeats; see the log beside the report'
                )

    @property
    def now_ns(self) -> int:
        """Simulated time, on the clock of the stamps."""
        return round(self.now_s * 1e9)

    def begin_drive(self, mounting: CameraMounting | None, intrinsics: CameraIntrinsics) -> None:
        """Take the camera of a new drive, and wait until the drive before has ended in a stop."""
        self._set_mounting(mounting)
        self._intrinsics = intrinsics
        self._wait_for_stop()
        self.reported_nearest_m = math.nan
        self.estimated_depth_m = None
        self.lag_s = 0.0
        self.reading_latencies_s = []
        self._sent_steady_s = {}
        self._begin_s, self._begin_steady_s = self.now_s, time.monotonic()

    def _wait_for_stop(self) -> None:
        """Wait until alert_node has noticed that no more pictures come, and forgotten the room."""
        deadline = time.monotonic() + _READY_S
        while not self.stop:
            self.spin_until(time.monotonic() + 0.05)
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f'alert_node must stop without pictures, got no stop in {_READY_S:g} s'
                )
        # The next drive begins elsewhere, which no robot does: what is remembered is not there.
        self.spin_until(time.monotonic() + _FORGOTTEN_S)

    def _set_mounting(self, mounting: CameraMounting | None) -> None:
        """Set depth_node's parameters of the mounting; a height of 0 is unknown."""
        values = {
            'camera_height_m': 0.0 if mounting is None else mounting.height_m,
            'camera_pitch_deg': 0.0 if mounting is None else mounting.pitch_deg,
            'camera_roll_deg': 0.0 if mounting is None else mounting.roll_deg,
            'scan_height_max_m': scan_height_max_m(mounting),
        }
        request = SetParameters.Request()
        request.parameters = [
            Parameter(name, value=value).to_parameter_msg() for name, value in values.items()
        ]
        future = self._depth_node_parameters.call_async(request)
        self._executor.spin_until_future_complete(future, timeout_sec=_READY_S)
        response = future.result()
        if response is None or not all(result.successful for result in response.results):
            raise RuntimeError(f'depth_node must take {values}, got {response}')

    def tick(self, duration_s: float) -> None:
        """Advance simulated time."""
        self.now_s += duration_s
        self._clock_publisher.publish(Clock(clock=self._stamp()))

    def ask_to_drive(self, speed_mps: float, turn_radps: float = 0.0) -> None:
        """Send what a driver or a planner would."""
        command = Twist()
        command.linear.x, command.angular.z = speed_mps, turn_radps
        self._drive.publish(command)

    def feel_odometry(self, reading: OdometryReading) -> None:
        """Publish where the wheels place the robot."""
        message = Odometry(header=Header(frame_id='odom', stamp=self._stamp()))
        message.child_frame_id = 'base_link'
        position, turn = message.pose.pose.position, message.pose.pose.orientation
        position.x, position.y, position.z = reading.position_m
        turn.x, turn.y, turn.z, turn.w = reading.quaternion_xyzw
        self._odometry.publish(message)

    def feel_range(self, distance_m: float) -> None:
        """Publish what the range sensor measures."""
        self._range_hint.publish(
            Range(
                header=Header(frame_id='camera_scan', stamp=self._stamp()),
                radiation_type=Range.INFRARED,
                field_of_view=0.02,
                min_range=0.0,
                max_range=BEAM_MAX_M,
                range=distance_m,
            )
        )

    def see(self, image_rgb: NDArray[np.uint8] | None, depth_m: NDArray[np.float32]) -> None:
        """Publish the picture, or the true depth where there is none."""
        assert self._intrinsics is not None
        header = Header(frame_id='camera_optical_frame', stamp=self._stamp())
        self._sent_steady_s[nanoseconds(header.stamp)] = time.monotonic()
        self._info.publish(camera_info_message(header, self._intrinsics))
        if image_rgb is None:
            self._picture.publish(depth_image_message(header, depth_m, '32FC1'))
        else:
            self._picture.publish(image_message(header, image_rgb, 'rgb8'))

    def settle(self) -> None:
        """Handle what comes in until real time has caught up with simulated time."""
        deadline_s = self._begin_steady_s + self.now_s - self._begin_s
        self.spin_until(deadline_s)
        late_s = time.monotonic() - deadline_s
        if late_s > _CATCH_UP_S:
            # Simulated time waits: run faster than real time, the robot would outpace the nodes.
            self._begin_steady_s += late_s
            self.lag_s += late_s

    def spin_until(self, deadline_s: float) -> None:
        """Handle what comes in, until a time of the steady clock; at least once."""
        while True:
            self._executor.spin_once(timeout_sec=max(0.0, deadline_s - time.monotonic()))
            if time.monotonic() >= deadline_s:
                return

    def _subscribe(self, message_type: type, topic: str, callback: Any) -> None:
        self.create_subscription(message_type, topic, callback, qos.sensor_input())

    def _stamp(self) -> Time:
        return time_message(round(self.now_s * 1e9))

    def _on_command(self, message: Twist) -> None:
        self._command, self._command_s = message, self.now_s

    def _on_stop(self, message: Bool) -> None:
        self._heartbeats += 1
        self.stop = message.data

    def _on_state(self, message: String) -> None:
        self.state = message.data

    def _on_range(self, message: Range) -> None:
        self.reported_nearest_m = message.range
        sent_steady_s = self._sent_steady_s.pop(nanoseconds(message.header.stamp), None)
        if sent_steady_s is not None:
            self.reading_latencies_s.append(time.monotonic() - sent_steady_s)

    def _on_proximity(self, message: Float32) -> None:
        self.is_unknown = math.isnan(message.data)

    def _on_depth(self, message: Image) -> None:
        self.estimated_depth_m = np.frombuffer(message.data, np.float32).reshape(
            message.height, message.width
        )
