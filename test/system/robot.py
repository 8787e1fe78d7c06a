# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
A robot's driver and wheels around real processes: sends forward commands, records what passes.

A message counts from when DDS took it from its publisher, in seconds of this machine's steady
clock: how busy this process is makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

from geometry_msgs.msg import Twist, Vector3
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Bool, String

ROOT = Path(__file__).resolve().parents[2]
RANGE_SOURCE = Path(__file__).with_name('range_source.py')
CAMERA_SOURCE = Path(__file__).with_name('camera_source.py')
PATIENCE_S = 60.0
COMMAND = Twist(linear=Vector3(x=0.2))
# The state machine's distances do not matter to faults of the source.
ALERT_PARAMETERS = {'assume_scale_verified': True, 'source_timeout_s': 0.5}


@dataclass
class Received:
    """A message and when it was sent, in steady seconds."""

    time_s: float
    message: Any


class Recording(list[Received]):
    """Messages in the order they came."""

    def take(self, message: Any, info: Mapping[str, int]) -> None:
        """Add a message, as a subscription callback."""
        steady_minus_wall_s = time.monotonic() - time.time()
        self.append(Received(info['source_timestamp'] * 1e-9 + steady_minus_wall_s, message))

    def since(self, time_s: float) -> list[Received]:
        """Give what was sent after a time."""
        return [received for received in self if received.time_s > time_s]


@dataclass
class RosProcess:
    """One ROS process; its input is a pipe."""

    popen: subprocess.Popen[bytes]

    def tell(self, word: str) -> None:
        """Write a line to its standard input."""
        self.popen.stdin.write(f'{word}\n'.encode())
        self.popen.stdin.flush()

    def send(self, signal_number: int) -> None:
        """Send a signal."""
        self.popen.send_signal(signal_number)

    def end(self) -> int:
        """Ask it to end, and give its exit status."""
        self.send(signal.SIGTERM)
        return self.popen.wait(PATIENCE_S)

    def close(self) -> None:
        """Make sure that it is gone."""
        with suppress(ProcessLookupError):
            self.popen.kill()
        self.popen.wait()
        self.popen.stdin.close()


@dataclass
class Robot:
    """The driver, the wheels, and every process that a test starts."""

    processes: list[RosProcess] = field(default_factory=list)
    velocities: Recording = field(default_factory=Recording)
    stops: Recording = field(default_factory=Recording)
    states: Recording = field(default_factory=Recording)
    drives: bool = True

    def __post_init__(self) -> None:
        """Bring the driver and the wheels up."""
        rclpy.init()
        self.node = Node('robot')
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._commands = self.node.create_publisher(Twist, 'cmd_vel_in', 1)
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._listen(Twist, 'cmd_vel_out', self.velocities, 100)
        self._listen(Bool, 'stop', self.stops, 100)
        self._listen(String, 'alert/state', self.states, latched)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.node.create_timer(0.05, self._drive, clock=steady)

    def close(self) -> None:
        """End every process, then this one's part."""
        for process in self.processes:
            process.close()
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown()

    def start(
        self,
        command: Sequence[str | Path],
        parameters: Mapping[str, Any] | None = None,
    ) -> RosProcess:
        """Start a process with ROS parameters."""
        arguments = []
        for name, value in (parameters or {}).items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            arguments += ['-p', f'{name}:={text}']
        process = RosProcess(
            subprocess.Popen(
                [*map(str, command), '--ros-args', *arguments], cwd=ROOT, stdin=subprocess.PIPE
            )
        )
        self.processes.append(process)
        return process

    def start_node(
        self,
        name: str,
        parameters: Mapping[str, Any] | None = None,
    ) -> RosProcess:
        """Start one of the package's nodes."""
        return self.start([sys.executable, '-m', f'fcrn_depth_ros.nodes.{name}'], parameters)

    def start_alert(self, **parameters: Any) -> RosProcess:
        """Start alert_node."""
        return self.start_node('alert_node', ALERT_PARAMETERS | parameters)

    def start_source(self, **parameters: Any) -> RosProcess:
        """Start the distance source."""
        return self.start([sys.executable, RANGE_SOURCE], parameters)

    def start_camera(self) -> RosProcess:
        """Start the camera."""
        return self.start([sys.executable, CAMERA_SOURCE])

    def spin(self, seconds: float) -> None:
        """Drive on for a while."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._executor.spin_once(timeout_sec=0.01)

    def wait_for(self, condition: Callable[[], Any], what: str) -> None:
        """Drive on until a condition holds."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline_s:
                state = self.states[-1].message.data if self.states else 'none'
                raise AssertionError(f'not within {PATIENCE_S:g} s: {what}; state: {state}')
            self._executor.spin_once(timeout_sec=0.01)

    def wait_until_driving(self) -> None:
        """Wait until a forward command passes."""
        begin_s = time.monotonic()
        self.wait_for(
            lambda: any(moves(received) for received in self.velocities.since(begin_s)),
            'a forward command passes',
        )

    def wait_until_stopped(self, since_s: float) -> float:
        """
        Wait until zero goes out for good.

        Returns
        -------
        float
            Seconds from `since_s` to the first zero after the last forward command.

        """
        self.wait_for(
            lambda: any(not moves(received) for received in self.velocities.since(since_s)),
            'zero velocity',
        )
        self.spin(1.0)
        after = self.velocities.since(since_s)
        last_move = max(
            (index for index, received in enumerate(after) if moves(received)), default=-1
        )
        assert last_move + 1 < len(after), 'forward commands pass on after the fault'
        return after[last_move + 1].time_s - since_s

    @property
    def state(self) -> str:
        """Return the state in force, with its reason."""
        return self.states[-1].message.data if self.states else ''

    def _drive(self) -> None:
        if self.drives:
            self._commands.publish(COMMAND)

    def _listen(
        self, message_type: type, topic: str, recording: Recording, qos: QoSProfile | int
    ) -> None:
        self.node.create_subscription(message_type, topic, recording.take, qos)


def moves(received: Received) -> bool:
    """Return whether a velocity is not zero."""
    return received.message != Twist()
