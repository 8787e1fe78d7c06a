# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The simulated robot's side of the wire: camera, clock and command out, alert in."""

from __future__ import annotations

import math
import time
from typing import Any

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.ros import quality_of_service as qos
from fcrn_depth_ros.ros.messages import camera_info_message, depth_image_message, image_message
from geometry_msgs.msg import Twist
import numpy as np
from numpy.typing import NDArray
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, Range
from std_msgs.msg import Bool, Header, String

from .world import Mounting

_READY_S = 60.0
# A base stops by itself when commands cease; most drivers take half a second.
_COMMAND_TIMEOUT_S = 0.5


class RobotLink(Node):
    """
    Publishes and hears everything that a robot would.

    Parameters
    ----------
    oracle : bool
        Send true depth instead of pictures.

    Attributes
    ----------
    now_s : float
        Simulated time; it goes on from drive to drive.
    stop : bool
        Latest of `stop`.
    state : str
        Latest of `alert/state`.
    reported_nearest_m : float
        Latest of `proximity/range`.
    estimated_depth_m : ndarray of float32 or None
        Latest of `depth/image_rect`.

    """

    def __init__(self, oracle: bool) -> None:
        super().__init__('simulated_robot')
        self.now_s = 1.0
        self.stop, self.state, self.reported_nearest_m = True, '', math.nan
        self.estimated_depth_m: NDArray[np.float32] | None = None
        self._command, self._command_s = Twist(), -math.inf
        self._heartbeats = 0
        self._clock_publisher = self.create_publisher(Clock, '/clock', qos.signal())
        self._drive = self.create_publisher(Twist, 'cmd_vel_in', qos.signal())
        self._info = self.create_publisher(CameraInfo, 'camera_info', qos.sensor_output())
        picture_topic = 'oracle/depth' if oracle else 'image'
        self._picture = self.create_publisher(Image, picture_topic, qos.sensor_output())
        self._depth_node_parameters: Any = self.create_client(
            SetParameters, '/depth_node/set_parameters'
        )
        self._hear(Twist, 'cmd_vel_out', self._on_command)
        self._hear(Bool, 'stop', self._on_stop)
        self.create_subscription(String, 'alert/state', self._on_state, qos.latched())
        self._hear(Range, 'proximity/range', self._on_range)
        if not oracle:
            self._hear(Image, 'depth/image_rect', self._on_depth)
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

    def wait_for_stop(self) -> None:
        """Wait until alert_node has noticed that the drive before is over: no more pictures."""
        deadline = time.monotonic() + _READY_S
        while not self.stop:
            self.spin_until(time.monotonic() + 0.05)
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f'alert_node must stop without pictures, got none in {_READY_S:g} s'
                )

    def set_mounting(self, mounting: Mounting) -> None:
        """Tell depth_node where the camera sits."""
        values = {
            'camera_height_m': mounting.height_m,
            'camera_pitch_deg': mounting.pitch_deg,
            'camera_roll_deg': mounting.roll_deg,
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

    def ask_to_drive(self, speed_mps: float) -> None:
        """Send what a driver or a planner would."""
        command = Twist()
        command.linear.x = speed_mps
        self._drive.publish(command)

    def send_picture(
        self, picture: NDArray[Any], fx_px: float, stamp_s: float | None = None
    ) -> None:
        """
        Send a colour picture, or true depth.

        Parameters
        ----------
        picture : ndarray, shape (H, W, 3) of uint8 or (H, W) of float32
            RGB, or metres.
        fx_px : float
            Focal length; the principal point is the centre.
        stamp_s : float, optional
            When it was taken; now by default.

        """
        height, width = picture.shape[:2]
        header = Header(frame_id='camera_optical_frame', stamp=self._stamp(stamp_s))
        intrinsics = CameraIntrinsics(
            fx_px, fx_px, (width - 1) / 2, (height - 1) / 2, width, height
        )
        self._info.publish(camera_info_message(header, intrinsics))
        if picture.ndim == 2:
            self._picture.publish(depth_image_message(header, picture, '32FC1'))
        else:
            self._picture.publish(image_message(header, picture, 'rgb8'))

    def spin_until(self, deadline_s: float) -> None:
        """Handle what comes in, until a time of the steady clock; at least once."""
        while True:
            self._executor.spin_once(timeout_sec=max(0.0, deadline_s - time.monotonic()))
            if time.monotonic() >= deadline_s:
                return

    def _hear(self, message_type: type, topic: str, callback: Any) -> None:
        self.create_subscription(message_type, topic, callback, qos.sensor_input())

    def _stamp(self, time_s: float | None = None) -> Any:
        nanoseconds = round((self.now_s if time_s is None else time_s) * 1e9)
        stamp = Header().stamp
        stamp.sec, stamp.nanosec = divmod(nanoseconds, 1_000_000_000)
        return stamp

    def _on_command(self, message: Twist) -> None:
        self._command, self._command_s = message, self.now_s

    def _on_stop(self, message: Bool) -> None:
        self._heartbeats += 1
        self.stop = message.data

    def _on_state(self, message: String) -> None:
        self.state = message.data

    def _on_range(self, message: Range) -> None:
        self.reported_nearest_m = message.range

    def _on_depth(self, message: Image) -> None:
        self.estimated_depth_m = np.frombuffer(message.data, np.float32).reshape(
            message.height, message.width
        )
