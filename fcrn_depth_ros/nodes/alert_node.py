# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Distance in; stop, gated velocity and beeps out: the wiring of alert_node.

The decision is made in `alert/machine.py`; here it is kept on time. Whatever comes in is judged at
once, a heartbeat on a steady clock lets time pass, and when the decision is a stop, zero velocity
goes out before anything else is done. The heartbeat has a thread of its own: where the executor's
thread hangs in the middleware, it notices the silence and goes on as a stop. `callback_lock` lets
one of the two work at a time.

No message ends this node: what a callback raises is a stop with the reason `internal error`.
"""

from __future__ import annotations

import math
import sys
import threading
import time
import traceback
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import LaserScan, PointCloud2, Range
from std_msgs.msg import Bool, Float32, Header, String, UInt8
from std_srvs.srv import SetBool, Trigger

from ..alert.beeper import Beeper, BeeperConfig, SILENCE, Sound
from ..alert.machine import AlertConfig, AlertDecision, AlertMachine, AlertState, ZERO_VELOCITY
from ..alert.speed_limit import Velocity
from ..errors import FcrnDepthError
from ..ros import quality_of_service as qos
from ..ros.buzzers import BuzzerThread, make_buzzer
from ..ros.callbacks import guarded, guarded_service
from ..ros.diagnostic_keys import ALERT, status_name
from ..ros.diagnostics import diagnostic_array, Level
from ..ros.heartbeat import Heartbeat
from ..ros.lifecycle import SelfStartingNode
from ..ros.memory_points import memory_points_message
from ..ros.node_settings import AlertNodeSettings, NODE_SETTINGS
from ..ros.parameters import ParameterGroup, Snapshot
from ..ros.process import run_nodes
from ..ros.publisher_count import PublisherCount
from ..ros.real_time import ask_for_real_time
from ..ros.velocity_topics import VelocityTopics
from ..wire.odometry_reading import odometry_reading
from ..wire.range_reading import range_reading
from ..wire.scan_reading import scan_reading

_DIAGNOSTICS_PERIOD_S = 1.0
_GRAPH_PERIOD_S = 0.2
_WARNING_PERIOD_S = 1.0
# A source that starts together with this node is not missed; later comes a reminder each minute.
_SOURCE_GRACE_S = 3.0
_SOURCE_REMINDER_S = 60.0
# Diagnostics are an error for this long after an internal error, so that a monitor sees it.
_ERROR_REPORT_S = 10.0
# How long each of two last messages may take to be acknowledged by every subscriber.
_FAREWELL = Duration(nanoseconds=200_000_000)
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
        self.callback_lock = threading.RLock()
        # First what `shut_down` needs: it is called for a node that refuses its settings, too.
        self._is_configured = self._is_active = False
        self._velocity: VelocityTopics | None = None
        self._outputs: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._heartbeat: Heartbeat | None = None
        self._buzzer: BuzzerThread | None = None
        self._buzzer_failure = ''
        self._logged_problem = ''
        self._internal_error = ''
        self._internal_error_s = -math.inf
        self._internal_error_count = 0
        self._scheduling = 'ordinary'
        self._sent_velocity = ZERO_VELOCITY
        self._shown: tuple[AlertState, str] | None = None
        self._was_stopped = False
        self._activated_s = 0.0
        self._graph_due_s = 0.0
        self._settings = ParameterGroup(
            self, NODE_SETTINGS['alert_node'], self._apply_parameters, lambda: self._is_configured
        )
        self._config, self._contradiction = self._settings.get(AlertConfig), ''
        self._machine = AlertMachine(self._config)
        self._beeper = Beeper(self._settings.get(BeeperConfig))
        self._distance_publishers = PublisherCount()
        self._diagnostics = self.create_publisher(
            DiagnosticArray, '/diagnostics', qos.signal(), event_callbacks=qos.no_events()
        )
        self.create_timer(_DIAGNOSTICS_PERIOD_S, self._publish_diagnostics, clock=_steady_clock())
        self.create_service(Trigger, '~/reset', self._on_reset)
        self.create_service(SetBool, '~/set_enabled', self._on_set_enabled)
        self.create_service(SetBool, '~/mute', self._on_mute)
        if self._settings.get(AlertNodeSettings).autostart:
            self.start()

    # Lifecycle -----------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Make the publishers and the buzzer."""
        settings = self._settings.get(AlertNodeSettings)
        # Before the buzzer: its threads and processes must not compete with the stop.
        self._scheduling = ask_for_real_time(settings.realtime_priority)
        self.get_logger().info(f'scheduling: {self._scheduling}')
        try:
            buzzer = make_buzzer(self, settings)
        except FcrnDepthError as error:
            self.get_logger().error(f'not configured: {error}')
            self._buzzer_failure = str(error)
            return TransitionCallbackReturn.FAILURE
        self._buzzer_failure = ''
        self._buzzer = None if buzzer is None else BuzzerThread(buzzer, self._on_buzzer_failure)
        for topic, message_type, profile in (
            ('stop', Bool, qos.signal()),
            ('alert/state', String, qos.latched()),
            ('alert/level', UInt8, qos.latched()),
            ('buzzer', Bool, qos.signal()),
            ('buzzer/frequency', Float32, qos.signal()),
            ('proximity/memory', PointCloud2, qos.sensor_output()),
        ):
            self._outputs[topic] = self.create_lifecycle_publisher(
                message_type,
                topic,
                profile,
                event_callbacks=qos.no_events(),
                qos_overriding_options=qos.overridable(),
            )
        self._is_configured = True
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Send a stop, then subscribe."""
        result = super().on_activate(state)
        settings = self._settings.get(AlertNodeSettings)
        self._velocity = VelocityTopics(self, settings.cmd_vel_type, self._on_command)
        self._is_active = True
        self._activated_s = time.monotonic()
        self._shown = None
        self._was_stopped = False
        self._sent_velocity = ZERO_VELOCITY
        self._machine.reconfigure(self._activated_s, self._config, self._contradiction)
        self._follow_graph()
        self._beat()
        distance = (
            (Range, 'proximity/range', self._on_range)
            if self._config.alert_source == 'range'
            else (Bool, 'proximity/near', self._on_near)
        )
        for message_type, topic, callback in (
            (Float32, 'proximity', self._on_proximity),
            (Float32, 'proximity/time_to_collision', self._on_growth),
            distance,
            *self._path_inputs(),
        ):
            self._inputs.append(
                self.create_subscription(
                    message_type,
                    topic,
                    callback,
                    qos.newest_input(),
                    qos_overriding_options=qos.overridable(),
                )
            )
        self._heartbeat = Heartbeat(
            1 / settings.heartbeat_rate_hz, self._beat_while_active, settings.realtime_priority
        )
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Send a final stop, then be silent."""
        self._stop_for_good()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of the publishers and the buzzer."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

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
        """Send a final stop before the process ends; takes less than a second."""
        self._stop_for_good()
        self._release()

    def _stop_for_good(self) -> None:
        with self.callback_lock:
            if not self._is_active:
                return
            self._is_active = False
            # Inactive, nothing is received: that must not count as silence, nor be latched.
            self._machine.reconfigure(time.monotonic(), self._config, self._contradiction)
            self._send_velocity(ZERO_VELOCITY)
            self._publish('stop', Bool(data=True))
            self._show(AlertState.STOP, 'STOP: alert_node is no longer active')
            self._send_sound(SILENCE)
        # Without the lock: a beat may be waiting for it.
        if self._heartbeat is not None:
            self._heartbeat.close()
            self._heartbeat = None
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs.clear()
        for sender in (self._velocity, self._outputs.get('stop')):
            try:
                if sender is not None:
                    sender.wait_for_all_acked(_FAREWELL)
            except Exception as error:
                self.get_logger().error(f'the last stop may not have arrived: {error!r}')
        if self._velocity is not None:
            self._velocity.close()
            self._velocity = None

    def _release(self) -> None:
        if self._buzzer is not None:
            self._buzzer.close()
            self._buzzer = None
        for publisher in self._outputs.values():
            self.destroy_lifecycle_publisher(publisher)
        self._outputs.clear()
        self._is_configured = False

    @guarded
    def _apply_parameters(self, settings: Snapshot) -> None:
        config = settings.get(AlertConfig)
        if (config, settings.contradiction) != (self._config, self._contradiction):
            self._config, self._contradiction = config, settings.contradiction
            self._machine.reconfigure(time.monotonic(), config, settings.contradiction)
            self._act()
        if settings.contradiction:
            return
        muted = self._beeper.is_muted
        self._beeper = Beeper(settings.get(BeeperConfig))
        self._beeper.is_muted = muted

    # Inputs --------------------------------------------------------------------------------

    @guarded
    def _on_range(self, message: Range) -> None:
        clock_ns = self.get_clock().now().nanoseconds
        self._machine.hear(time.monotonic(), range_reading(message), clock_ns)
        self._act()

    def _path_inputs(self) -> list[tuple[type, str, Any]]:
        """Return what the path is judged by: nothing where the robot's body is unknown."""
        if self._config.body() is None:
            return []
        return [(LaserScan, 'depth/scan', self._on_scan), (Odometry, 'odom', self._on_odometry)]

    @guarded
    def _on_scan(self, message: LaserScan) -> None:
        now_s = time.monotonic()
        self._machine.hear_scan(now_s, scan_reading(message), self.get_clock().now().nanoseconds)
        self._act()
        if self._outputs['proximity/memory'].get_subscription_count():
            frame_id = self._settings.get(AlertNodeSettings).robot_frame_id
            header = Header(stamp=self.get_clock().now().to_msg(), frame_id=frame_id)
            points = memory_points_message(header, self._machine.remembered(now_s))
            self._publish('proximity/memory', points)

    @guarded
    def _on_odometry(self, message: Odometry) -> None:
        clock_ns = self.get_clock().now().nanoseconds
        self._machine.hear_odometry(time.monotonic(), odometry_reading(message), clock_ns)
        self._act()

    @guarded
    def _on_proximity(self, message: Float32) -> None:
        self._machine.hear_proximity(time.monotonic(), message.data)
        self._act()

    @guarded
    def _on_growth(self, message: Float32) -> None:
        self._machine.hear_growth(time.monotonic(), message.data)
        self._act()

    @guarded
    def _on_near(self, message: Bool) -> None:
        self._machine.hear_near(time.monotonic(), message.data)
        self._act()

    @guarded
    def _on_command(self, message: Twist | TwistStamped) -> None:
        if self._velocity is None:
            return
        command = self._velocity.velocity(message)
        self._send_velocity(self._machine.gate(time.monotonic(), command))
        self._act()
        flaw = command.flaw()
        if flaw:
            self.get_logger().warning(
                f'cmd_vel_in: {flaw}; zero is sent instead',
                throttle_duration_sec=_WARNING_PERIOD_S,
            )

    @guarded
    def _follow_graph(self) -> None:
        if self._velocity is None:
            return
        problem = self._velocity.problem
        if self._velocity.follow_graph(time.monotonic()):
            self._sent_velocity = ZERO_VELOCITY
            self.get_logger().info(f'type of velocity commands: {self._velocity.type_name}')
        # Names are discovered a moment after types: wait until the text stays the same.
        if self._velocity.problem == problem and problem != self._logged_problem:
            self._logged_problem = problem
            if problem:
                self.get_logger().warning(problem)

    # Services ------------------------------------------------------------------------------

    @guarded_service
    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Any:
        if not self._is_active:
            response.success, response.message = False, 'refused: alert_node is not active'
            return response
        result = self._machine.reset(time.monotonic())
        self.get_logger().info(f'reset: {result.message}')
        self._act()
        response.success, response.message = result.success, result.message
        return response

    @guarded_service
    def _on_set_enabled(self, request: SetBool.Request, response: SetBool.Response) -> Any:
        self._machine.set_enabled(time.monotonic(), request.data)
        self._act()
        response.success = True
        response.message = (
            'enabled: stopped until the distance is good'
            if request.data
            else 'DISABLED: every command passes, nothing stops the robot'
        )
        return response

    @guarded_service
    def _on_mute(self, request: SetBool.Request, response: SetBool.Response) -> Any:
        self._beeper.is_muted = request.data
        response.success = True
        response.message = (
            'muted: the buzzer is silent, the alert works on' if request.data else 'unmuted'
        )
        return response

    # Outputs -------------------------------------------------------------------------------

    @guarded
    def _beat_while_active(self) -> None:
        if self._is_active:
            self._beat()

    @guarded
    def _beat(self) -> None:
        now_s = time.monotonic()
        self._machine.advance(now_s)
        self._act()
        self._publish('stop', Bool(data=self._machine.decision.stop))
        self._send_sound(self._beeper.sound(now_s, self._machine.decision))
        # Not a timer of its own: each time that the executor waits costs more than this does.
        if now_s >= self._graph_due_s:
            self._graph_due_s = now_s + _GRAPH_PERIOD_S
            self._follow_graph()

    def _act(self) -> None:
        """Publish what the decision changes; what slows or stops the robot goes out first."""
        if not self._is_active:
            return
        decision = self._machine.decision
        velocity = self._machine.limit(self._sent_velocity)
        begins_to_stop = decision.stop and not self._was_stopped
        if velocity != self._sent_velocity or begins_to_stop:
            self._send_velocity(velocity)
        if decision.stop != self._was_stopped:
            self._publish('stop', Bool(data=decision.stop))
            self._was_stopped = decision.stop
        if (decision.state, decision.cause) != self._shown:
            self._announce(decision)
        if decision.state is AlertState.DISABLED:
            self.get_logger().warning(
                f'DISABLED: {decision.reason}', throttle_duration_sec=_WARNING_PERIOD_S
            )

    def _announce(self, decision: AlertDecision) -> None:
        previous_state = self._shown and self._shown[0]
        text = f'{decision.state.name}: {decision.reason}'
        if self._show(decision.state, text):
            self._shown = decision.state, decision.cause
        if decision.state == previous_state:
            return
        if decision.stop:
            self.get_logger().warning(text)
        else:
            self.get_logger().info(text)

    def _show(self, state: AlertState, text: str) -> bool:
        """Return whether both went out; otherwise the next beat tries again."""
        is_published = self._publish('alert/level', UInt8(data=state.value))
        return self._publish('alert/state', String(data=text)) and is_published

    def _send_velocity(self, velocity: Velocity) -> None:
        self._sent_velocity = velocity
        try:
            if self._velocity is not None:
                self._velocity.send(velocity)
        except Exception as error:
            self._note_error('publishing on cmd_vel_out', error)

    def _send_sound(self, sound: Sound) -> None:
        self._publish_if_heard('buzzer', Bool(data=sound.on))
        self._publish_if_heard('buzzer/frequency', Float32(data=sound.frequency_hz))
        if self._buzzer is not None:
            self._buzzer.play(sound)

    def _publish_if_heard(self, topic: str, message: Any) -> None:
        """Leave out what is sent with each beat and mostly has no listener."""
        try:
            is_heard = self._outputs[topic].get_subscription_count() > 0
        except Exception as error:
            self._note_error(f'counting the listeners of {topic}', error)
            return
        if is_heard:
            self._publish(topic, message)

    def _publish(self, topic: str, message: Any) -> bool:
        try:
            self._outputs[topic].publish(message)
        except Exception as error:
            self._note_error(f'publishing on {topic}', error)
            return False
        return True

    # Failures ------------------------------------------------------------------------------

    def on_internal_error(self, where: str, error: Exception) -> None:
        """Stop for an exception that nobody foresaw, and go on working."""
        self._note_error(where, error)
        try:
            self._act()
        except Exception:  # the decision itself cannot be relied on
            if self._is_active:
                self._send_velocity(ZERO_VELOCITY)
                self._publish('stop', Bool(data=True))
                self._show(AlertState.STOP, f'STOP: {self._internal_error}')
                self._shown, self._was_stopped = None, True

    def _note_error(self, where: str, error: Exception) -> None:
        self._internal_error = f'internal error: {error!r} in {where}'
        self._internal_error_s = time.monotonic()
        self._internal_error_count += 1
        self.get_logger().error(
            f'{self._internal_error}\n{"".join(traceback.format_exception(error))}',
            throttle_duration_sec=_WARNING_PERIOD_S,
        )
        try:
            self._machine.fail(self._internal_error_s, self._internal_error)
        except Exception as failure:
            self.get_logger().error(
                f'the decision itself fails: {failure!r}',
                throttle_duration_sec=_WARNING_PERIOD_S,
            )

    def _on_buzzer_failure(self, text: str) -> None:
        self._buzzer_failure = text
        self.get_logger().error(f'the buzzer failed and is left alone, the alert works on: {text}')

    @guarded
    def _publish_diagnostics(self) -> None:
        decision = self._machine.decision
        level, text = _LEVELS[decision.state], f'{decision.state.name}: {decision.reason}'
        if not self._is_active:
            level, text = Level.ERROR, 'not active: no heartbeat, no command passes'
        velocity_problem = self._velocity.problem if self._velocity is not None else ''
        topic = self.resolve_topic_name(f'proximity/{self._config.alert_source}')
        sources = self.count_publishers(topic)
        for what, problem in (
            ('buzzer', self._buzzer_failure),
            ('velocity', velocity_problem),
            ('distance', self._distance_publishers.look(topic, sources, time.monotonic())),
        ):
            if problem:
                level = max(level, Level.WARN, key=lambda one: one.value)
                text += f'; {what}: {problem}'
        if time.monotonic() - self._internal_error_s < _ERROR_REPORT_S:
            level = Level.ERROR
            if decision.cause != 'error':
                text += f'; lately: {self._internal_error}'
        self._diagnostics.publish(
            diagnostic_array(
                self.get_clock().now().to_msg(),
                status_name(self.get_fully_qualified_name(), ALERT),
                '',
                level,
                text,
                {
                    'state': decision.state.name if self._is_active else 'inactive',
                    'cause': decision.cause,
                    'nearest (m)': decision.nearest_m,
                    'speed limit (m/s)': decision.speed_limit_mps,
                    'time to collision (s)': decision.time_to_collision_s,
                    'free path (m)': decision.free_path_m,
                    'path': self._path_text(),
                    'scale of the last reading': _scale_text(decision),
                    'latched': decision.is_latched,
                    'muted': self._beeper.is_muted,
                    'distance topic': topic,
                    'publishers of the distance': sources,
                    'velocity type': self._velocity_type_text(),
                    'buzzer': self._buzzer_failure or 'works',
                    'scheduling': self._scheduling,
                    'internal errors': self._internal_error_count,
                    'last internal error': self._internal_error or 'none',
                },
            )
        )
        active_s = time.monotonic() - self._activated_s
        if self._is_active and not sources and active_s > _SOURCE_GRACE_S:
            self.get_logger().warning(
                f'nobody publishes {topic}: the robot is held; start depth_node, or check '
                'namespace and remapping',
                throttle_duration_sec=_SOURCE_REMINDER_S,
            )

    def _path_text(self) -> str:
        if self._config.body() is None:
            return 'not judged: footprint_radius_m and footprint are not set'
        now_s = time.monotonic()
        count = len(self._machine.remembered(now_s).xy_m)
        motion = 'odometry' if self._machine.has_odometry(now_s) else 'commands, no odometry'
        fault = self._machine.path_fault
        return f'{count} points; motion by {motion}' + (f'; {fault}' if fault else '')

    def _velocity_type_text(self) -> str:
        if self._velocity is None:
            return 'none while inactive'
        return self._velocity.type_name or 'unknown: nobody publishes or subscribes yet'


def _scale_text(decision: AlertDecision) -> str:
    if not decision.scale_verified:
        return 'unverified'
    if math.isnan(decision.scale_sigma):
        return 'assumed'
    return f'verified within {100 * decision.scale_sigma:.3g} %'


def _steady_clock() -> Clock:
    """Make a clock that goes on when /clock stands still, and does not jump with the date."""
    return Clock(clock_type=ClockType.STEADY_TIME)


def main(args: list[str] | None = None) -> int:
    """Run alert_node until a signal."""
    return run_nodes([AlertNode], args)


if __name__ == '__main__':
    sys.exit(main())
