# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Distance in; stop, gated velocity and beeps out: the wiring of alert_node.

The decision is made in `alert.py`; here it is kept on time. Whatever comes in is judged at once,
a timer on a steady clock judges silence, and when the verdict is stop, zero velocity goes out
before anything else is done. All callbacks share one thread; only the buzzer has its own.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist, TwistStamped, Vector3
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.time import Time
from sensor_msgs.msg import Range
from std_msgs.msg import Bool, Float32, Header, String
from std_srvs.srv import SetBool, Trigger

from ..alert.beeper import Beeper, BeeperConfig, SILENCE
from ..alert.machine import (
    AlertConfig,
    AlertDecision,
    AlertMachine,
    AlertState,
    RangeReading,
    Velocity,
    ZERO_VELOCITY,
)
from ..errors import FcrnDepthError
from ..ros import quality_of_service as qos
from ..ros.buzzers import BuzzerThread, make_buzzer
from ..ros.diagnostics import diagnostic_array, Level
from ..ros.lifecycle import says_why_it_fails, SelfStartingNode
from ..ros.node_settings import AlertNodeSettings, NODE_SETTINGS
from ..ros.parameters import ParameterGroup
from ..ros.process import run_nodes
from ..ros.real_time import ask_for_real_time

_DIAGNOSTICS_PERIOD_S = 1.0
_WARNING_PERIOD_S = 1.0
# How long the last stop may take to be acknowledged by every subscriber.
_FAREWELL = Duration(seconds=0.2)
# The key by which depth_node says in /diagnostics whether its metres are metres.
_SCALE_KEY = 'metric scale'
_LEVELS = {
    AlertState.CLEAR: Level.OK,
    AlertState.CAUTION: Level.OK,
    AlertState.STOP: Level.WARN,
    AlertState.STALE: Level.ERROR,
    AlertState.DISABLED: Level.ERROR,
}


class AlertNode(SelfStartingNode):
    """
    The lifecycle node `alert_node`.

    Only an active node sends a heartbeat: after a final stop, a node that is not active is
    silent, which a twist_mux lock takes as locked.

    Parameters
    ----------
    **kwargs
        Passed to rclpy's LifecycleNode, for example `parameter_overrides`.

    Raises
    ------
    ConfigurationError
        If an initial parameter value is refused.

    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('alert_node', **kwargs)
        self._is_configured = self._is_active = False
        self._settings = ParameterGroup(
            self, NODE_SETTINGS['alert_node'], self._apply_parameters, lambda: self._is_configured
        )
        self._config = self._settings.get(AlertConfig)
        self._machine = AlertMachine(self._config)
        self._beeper = Beeper(self._settings.get(BeeperConfig))
        self._outputs: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._heartbeat: Any = None
        self._buzzer: BuzzerThread | None = None
        self._buzzer_failure = ''
        self._scheduling = 'ordinary'
        self._sent_velocity = ZERO_VELOCITY
        self._command_frame = ''
        self._said: tuple[AlertState, str] | None = None
        self._was_stopped = False
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', qos.signal())
        self.create_timer(_DIAGNOSTICS_PERIOD_S, self._publish_diagnostics, clock=_steady_clock())
        self.create_service(Trigger, '~/reset', self._on_reset)
        self.create_service(SetBool, '~/set_enabled', self._on_set_enabled)
        self.create_service(SetBool, '~/mute', self._on_mute)
        if self._settings.get(AlertNodeSettings).autostart:
            self.start()

    # Lifecycle -----------------------------------------------------------------------------

    @says_why_it_fails
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Make the publishers and the buzzer."""
        settings = self._settings.get(AlertNodeSettings)
        try:
            buzzer = make_buzzer(self, settings)
        except FcrnDepthError as error:
            self.get_logger().error(f'not configured: {error}')
            self._buzzer_failure = str(error)
            return TransitionCallbackReturn.FAILURE
        self._buzzer_failure = ''
        self._buzzer = None if buzzer is None else BuzzerThread(buzzer, self._on_buzzer_failure)
        velocity_type = Twist if settings.cmd_vel_type == 'Twist' else TwistStamped
        for topic, message_type, profile in (
            ('cmd_vel_out', velocity_type, qos.signal()),
            ('stop', Bool, qos.signal()),
            ('alert/state', String, qos.latched()),
            ('buzzer', Bool, qos.signal()),
            ('buzzer/frequency', Float32, qos.signal()),
        ):
            self._outputs[topic] = self.create_lifecycle_publisher(
                message_type, topic, profile, qos_overriding_options=qos.overridable()
            )
        self._scheduling = ask_for_real_time(settings.realtime_priority)
        self.get_logger().info(f'scheduling: {self._scheduling}')
        self._is_configured = True
        return super().on_configure(state)

    @says_why_it_fails
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Say stop, then listen."""
        result = super().on_activate(state)
        self._is_active = True
        self._said = None
        self._was_stopped = False
        self._machine.reconfigure(self._config)  # starts stopped, keeps a latched stop
        self._beat()
        distance = (
            (Range, 'proximity/range', self._on_range, qos.newest_input())
            if self._config.alert_source == 'range'
            else (Bool, 'proximity/near', self._on_near, qos.newest_input())
        )
        for message_type, topic, callback, profile in (
            (self._velocity_type, 'cmd_vel_in', self._on_command, qos.command_input()),
            (Float32, 'proximity', self._on_proximity, qos.newest_input()),
            distance,
        ):
            self._inputs.append(
                self.create_subscription(
                    message_type,
                    topic,
                    callback,
                    profile,
                    qos_overriding_options=qos.overridable(),
                )
            )
        self._inputs.append(
            self.create_subscription(
                DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.sensor_input()
            )
        )
        self._heartbeat = self.create_timer(
            1 / self._settings.get(AlertNodeSettings).heartbeat_rate_hz,
            self._beat,
            clock=_steady_clock(),
        )
        return result

    @says_why_it_fails
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Send a final stop, then be silent."""
        self._stop_for_good()
        return super().on_deactivate(state)

    @says_why_it_fails
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of the publishers and the buzzer."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    @says_why_it_fails
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Send a final stop, then let go of everything."""
        self._stop_for_good()
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Send a final stop and return to unconfigured after a failed transition."""
        self._stop_for_good()
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def shut_down(self) -> None:
        """Send a final stop before the process ends."""
        self._stop_for_good()
        self._release()

    def _stop_for_good(self) -> None:
        if not self._is_active:
            return
        self._is_active = False
        self._send_velocity(ZERO_VELOCITY)
        self._publish('stop', Bool(data=True))
        self._publish('alert/state', String(data='STOP: alert_node is no longer active'))
        self._send_sound(SILENCE)
        self.destroy_timer(self._heartbeat)
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs.clear()
        for topic in ('cmd_vel_out', 'stop'):
            self._outputs[topic].wait_for_all_acked(_FAREWELL)

    def _release(self) -> None:
        if self._buzzer is not None:
            self._buzzer.close()
            self._buzzer = None
        for publisher in self._outputs.values():
            self.destroy_lifecycle_publisher(publisher)
        self._outputs.clear()
        self._is_configured = False

    def _apply_parameters(self) -> None:
        config = self._settings.get(AlertConfig)
        if config != self._config:
            self._config = config
            self._machine.reconfigure(config)
            self._act()
        muted = self._beeper.is_muted
        self._beeper = Beeper(self._settings.get(BeeperConfig))
        self._beeper.is_muted = muted

    # Inputs --------------------------------------------------------------------------------

    def _on_range(self, message: Range) -> None:
        stamp_s = Time.from_msg(message.header.stamp).nanoseconds * 1e-9
        clock_s = self.get_clock().now().nanoseconds * 1e-9
        self._machine.hear_range(
            time.monotonic(),
            RangeReading(message.range, message.min_range, message.max_range, stamp_s),
            clock_s,
        )
        self._act()

    def _on_proximity(self, message: Float32) -> None:
        self._machine.hear_proximity(time.monotonic(), message.data)
        self._act()

    def _on_near(self, message: Bool) -> None:
        self._machine.hear_near(time.monotonic(), message.data)
        self._act()

    def _on_command(self, message: Twist | TwistStamped) -> None:
        if isinstance(message, TwistStamped):
            self._command_frame = message.header.frame_id
            message = message.twist
        command = _velocity_from(message)
        self._send_velocity(self._machine.gate(time.monotonic(), command))
        if not command.is_finite:
            self.get_logger().warning(
                f'cmd_vel_in must be finite, got {command}; zero is sent instead',
                throttle_duration_sec=_WARNING_PERIOD_S,
            )

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        scales = [
            pair.value
            for status in message.status
            for pair in status.values
            if pair.key == _SCALE_KEY
        ]
        if scales:
            self._machine.hear_scale(
                time.monotonic(), all(scale == 'verified' for scale in scales)
            )

    # Services ------------------------------------------------------------------------------

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Any:
        if not self._is_active:
            response.success, response.message = False, 'refused: alert_node is not active'
            return response
        result = self._machine.reset(time.monotonic())
        self.get_logger().info(f'reset: {result.message}')
        self._act()
        response.success, response.message = result.success, result.message
        return response

    def _on_set_enabled(self, request: SetBool.Request, response: SetBool.Response) -> Any:
        self._machine.set_enabled(request.data)
        self._act()
        response.success = True
        response.message = (
            'enabled: stopped until the distance is good'
            if request.data
            else 'DISABLED: every command passes, nothing stops the robot'
        )
        return response

    def _on_mute(self, request: SetBool.Request, response: SetBool.Response) -> Any:
        self._beeper.is_muted = request.data
        response.success = True
        response.message = (
            'muted: the buzzer is silent, the alert works on' if request.data else 'unmuted'
        )
        return response

    # Outputs -------------------------------------------------------------------------------

    def _beat(self) -> None:
        decision = self._act()
        self._publish('stop', Bool(data=decision.stop))
        now_s = time.monotonic()
        if self._machine.command_is_silent(now_s) and self._sent_velocity != ZERO_VELOCITY:
            self._send_velocity(ZERO_VELOCITY)
        self._send_sound(self._beeper.sound(now_s, decision))

    def _act(self) -> AlertDecision:
        """Judge now; what slows or stops the robot goes out first, and waits for no command."""
        now_s = time.monotonic()
        decision = self._machine.decide(now_s)
        if not self._is_active:
            return decision
        velocity = self._machine.limit(now_s, self._sent_velocity)
        begins_to_stop = decision.stop and not self._was_stopped
        if velocity != self._sent_velocity or begins_to_stop:
            self._send_velocity(velocity)
        if decision.stop != self._was_stopped:
            self._publish('stop', Bool(data=decision.stop))
            self._was_stopped = decision.stop
        if (decision.state, decision.cause) != self._said:
            self._say(decision)
        if decision.state is AlertState.DISABLED:
            self.get_logger().warning(
                f'DISABLED: {decision.reason}', throttle_duration_sec=_WARNING_PERIOD_S
            )
        return decision

    def _say(self, decision: AlertDecision) -> None:
        previous_state = self._said and self._said[0]
        self._said = decision.state, decision.cause
        text = f'{decision.state.name}: {decision.reason}'
        self._publish('alert/state', String(data=text))
        if decision.state != previous_state:
            self.get_logger().info(text)

    def _send_velocity(self, velocity: Velocity) -> None:
        self._sent_velocity = velocity
        message: Twist | TwistStamped = Twist(
            linear=Vector3(x=velocity.linear_x, y=velocity.linear_y, z=velocity.linear_z),
            angular=Vector3(x=velocity.angular_x, y=velocity.angular_y, z=velocity.angular_z),
        )
        if self._velocity_type is TwistStamped:
            header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._command_frame)
            message = TwistStamped(header=header, twist=message)
        self._publish('cmd_vel_out', message)

    def _send_sound(self, sound: Any) -> None:
        self._publish('buzzer', Bool(data=sound.on))
        self._publish('buzzer/frequency', Float32(data=sound.frequency_hz))
        if self._buzzer is not None:
            self._buzzer.play(sound)

    def _publish(self, topic: str, message: Any) -> None:
        self._outputs[topic].publish(message)

    @property
    def _velocity_type(self) -> type:
        stamped = self._settings.get(AlertNodeSettings).cmd_vel_type == 'TwistStamped'
        return TwistStamped if stamped else Twist

    def _on_buzzer_failure(self, text: str) -> None:
        self._buzzer_failure = text
        self.get_logger().error(f'the buzzer failed and is left alone, the alert works on: {text}')

    def _publish_diagnostics(self) -> None:
        decision = self._machine.decide(time.monotonic())
        level, text = _LEVELS[decision.state], f'{decision.state.name}: {decision.reason}'
        if not self._is_active:
            level, text = Level.ERROR, 'not active: no heartbeat, no command passes'
        elif self._buzzer_failure:
            level = max(level, Level.WARN, key=lambda one: one.value)
            text += f'; buzzer: {self._buzzer_failure}'
        self._diagnostics.publish(
            diagnostic_array(
                self.get_clock().now().to_msg(),
                f'{self.get_name()}: alert',
                '',
                level,
                text,
                {
                    'state': decision.state.name if self._is_active else 'inactive',
                    'cause': decision.cause,
                    'nearest (m)': decision.nearest_m,
                    'speed limit (m/s)': decision.speed_limit_mps,
                    'time to collision (s)': decision.time_to_collision_s,
                    'scale of the distance': 'verified'
                    if decision.scale_verified
                    else 'unverified',
                    'latched': decision.is_latched,
                    'muted': self._beeper.is_muted,
                    'publishers of the distance': self.count_publishers(
                        f'proximity/{self._config.alert_source}'
                    ),
                    'buzzer': self._buzzer_failure or 'works',
                    'scheduling': self._scheduling,
                },
            )
        )


def _steady_clock() -> Clock:
    """Make a clock that goes on when /clock stands still, and does not jump with the date."""
    return Clock(clock_type=ClockType.STEADY_TIME)


def _velocity_from(twist: Twist) -> Velocity:
    linear, angular = twist.linear, twist.angular
    return Velocity(linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)


def main(args: list[str] | None = None) -> int:
    """Run alert_node until a signal."""
    return run_nodes([AlertNode], args)


if __name__ == '__main__':
    sys.exit(main())
