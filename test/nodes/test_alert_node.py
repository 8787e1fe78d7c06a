# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""alert_node over real DDS, in this process: what goes out for what comes in."""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
import threading
import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from fcrn_depth_ros.alert.machine import ERROR_HOLD_S
from fcrn_depth_ros.errors import ConfigurationError
from fcrn_depth_ros.nodes.alert_node import AlertNode
from geometry_msgs.msg import Twist, TwistStamped, Vector3
from nav_msgs.msg import Odometry
import numpy as np
import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from running_node import parameters, RunningNode
from sensor_msgs.msg import LaserScan, PointCloud2, Range
from std_msgs.msg import Bool, Float32, String, UInt8
from std_srvs.srv import SetBool, Trigger
from test_real_time import may_set_real_time

# Long timeouts, so that a slow machine cannot make a test fail; the tests of silence shorten them.
PATIENT = {
    'release_count': 2,
    'assume_scale_verified': True,
    'source_timeout_s': 60.0,
    'max_stamp_age_s': 60.0,
    'command_timeout_s': 60.0,
    'realtime_priority': 0,
}


class Alert(RunningNode):
    """A running alert_node, and a world that answers it."""

    def __init__(self, velocity_type=Twist, **overrides):
        values = PATIENT | overrides
        super().__init__(lambda: AlertNode(parameter_overrides=parameters(values)))
        is_stamped = values.get('cmd_vel_type') == 'TwistStamped'
        self.velocity_type = TwistStamped if is_stamped else velocity_type
        self.states = self.listen(String, 'alert/state')
        self.stops = self.listen(Bool, 'stop')
        self.velocities = self.listen(self.velocity_type, 'cmd_vel_out')

    def see(self, distance_m, age_s=0.0, sigma=None):
        now = self.peer.get_clock().now().nanoseconds - int(age_s * 1e9)
        message = Range(min_range=0.0, max_range=10.0, range=distance_m)
        message.variance = 0.0 if sigma is None else (sigma * distance_m) ** 2
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(now, 10**9)
        self.publish('proximity/range', message)
        self.spin(2)

    def see_until(self, distance_m, state, sigma=None):
        def seen():
            self.see(distance_m, sigma=sigma)
            return self.state == state

        self.wait_for(seen, f'{state} at {distance_m} m, is {self.states[-1:]}')

    @property
    def state(self):
        return self.states[-1].data.split(':')[0] if self.states else ''

    def drive(self, linear_x=0.2, angular_z=0.0):
        """Send a command, and give what came out for it."""
        before = len(self.velocities)
        command = Twist(linear=Vector3(x=linear_x), angular=Vector3(z=angular_z))
        if self.velocity_type is TwistStamped:
            command = TwistStamped(twist=command)
            command.header.frame_id = 'base_link'
        self.publish('cmd_vel_in', command)
        self.wait_for(lambda: len(self.velocities) > before, 'cmd_vel_out')
        return self.velocities[-1]

    def call(self, service_type, name, **fields):
        client = self.peer.create_client(service_type, f'alert_node/{name}')
        assert client.wait_for_service(timeout_sec=20.0)
        future = client.call_async(service_type.Request(**fields))
        self.wait_for(future.done, name)
        return future.result()


def stamped(sec, nanosec):
    """Make a reading that is good but for its stamp."""
    message = Range(min_range=0.0, max_range=10.0, range=5.0)
    message.header.stamp.sec, message.header.stamp.nanosec = sec, nanosec
    return message


def values_of(diagnostics):
    """Give the keys and values of the latest diagnostics of alert_node."""
    status = diagnostics[-1].status[0]
    return {pair.key: pair.value for pair in status.values}


@pytest.fixture
def alert(request):
    """Start alert_node with the parameters of the test's marker argument, and end it."""
    running = Alert(**getattr(request, 'param', {}))
    yield running
    running.close()


def with_parameters(**overrides):
    return pytest.mark.parametrize('alert', [overrides], indirect=True, ids=str)


def test_it_starts_stopped_and_beats(alert):
    alert.wait_for(lambda: len(alert.stops) > 5)
    assert all(stop.data for stop in alert.stops)
    assert alert.drive() == Twist()


def test_a_late_listener_hears_the_state_and_the_reason(alert):
    heard = []
    alert.peer.create_subscription(
        String,
        'alert/state',
        heard.append,
        QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL),
    )
    alert.wait_for(lambda: heard)
    assert heard[0].data == 'STOP: no distance received yet'


def test_the_level_is_a_number_for_programs(alert):
    levels = alert.listen(UInt8, 'alert/level')
    alert.see_until(5.0, 'CLEAR')
    alert.see_until(1.0, 'CAUTION')
    alert.see_until(0.3, 'STOP')
    alert.see(5.0, age_s=3600.0)
    alert.wait_for(lambda: alert.state == 'STALE')
    alert.call(SetBool, 'set_enabled', data=False)
    alert.wait_for(lambda: levels[-1].data == 4)
    numbers = [level.data for level in levels]
    changes = [new for old, new in zip([2, *numbers], numbers, strict=False) if new != old]
    assert changes == [0, 1, 2, 3, 4]
    late = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    alert.peer.create_subscription(UInt8, 'alert/level', late.append, latched)
    alert.wait_for(lambda: late)
    assert late[0].data == 4


def test_a_free_way_passes_commands_and_an_obstacle_stops_them(alert):
    alert.see_until(5.0, 'CLEAR')
    assert alert.drive(0.2, 0.1) == Twist(linear=Vector3(x=0.2), angular=Vector3(z=0.1))
    before = len(alert.velocities)
    alert.see_until(0.3, 'STOP')
    alert.wait_for(lambda: len(alert.velocities) > before)  # without waiting for a command
    assert alert.velocities[before] == Twist()
    alert.see(0.3)
    assert alert.drive(0.2) == Twist()
    assert alert.stops[-1].data


def test_caution_slows_down(alert):
    alert.see_until(5.0, 'CLEAR')
    alert.see_until(1.0, 'CAUTION')
    alert.see(1.0)
    slowed = alert.drive(2.0, 1.0)
    assert 0.2 < slowed.linear.x < 1.0
    assert slowed.angular.z == pytest.approx(slowed.linear.x / 2.0)


def test_a_held_command_is_slowed_while_the_obstacle_comes_nearer(alert):
    """The driver sends one command and no more; the alert does not wait for the next."""
    alert.see_until(5.0, 'CLEAR')
    assert alert.drive(1.0).linear.x == 1.0

    def slower():
        alert.see(0.8)
        return alert.velocities[-1].linear.x < 0.6

    alert.wait_for(slower)
    assert alert.velocities[-1].linear.x > 0.0


@with_parameters(allow_rotation=True, source_timeout_s=1.0)
def test_a_turn_that_was_allowed_ends_when_the_robot_goes_blind(alert):
    alert.see_until(0.3, 'STOP')
    turn = Twist(angular=Vector3(z=0.5))

    def turns():
        alert.see(0.3)
        return alert.drive(0.0, 0.5) == turn

    alert.wait_for(turns)
    alert.wait_for(lambda: alert.velocities[-1] == Twist(), 'zero without another command')
    alert.wait_for(lambda: alert.state == 'STALE')


@with_parameters(source_timeout_s=0.5)
def test_silence_is_stale_and_sends_zero(alert):
    alert.see_until(5.0, 'CLEAR')
    alert.drive()
    alert.wait_for(lambda: alert.state == 'STALE')
    alert.wait_for(lambda: alert.velocities[-1] == Twist())
    alert.see_until(5.0, 'CLEAR')


@pytest.mark.parametrize(
    'fault',
    [
        lambda alert: alert.see(math.nan),
        lambda alert: alert.see(math.inf),
        lambda alert: alert.see(5.0, age_s=3600.0),
        lambda alert: alert.see(5.0, age_s=-3600.0),
        lambda alert: alert.publish('proximity', Float32(data=math.nan)),
        lambda alert: alert.publish('proximity/range', stamped(-1, 0)),
        lambda alert: alert.publish('proximity/range', stamped(-(2**31), 2**32 - 1)),
        lambda alert: alert.publish('proximity/range', stamped(0, 0)),
        lambda alert: alert.publish('proximity/range', stamped(2**31 - 1, 2**32 - 1)),
        lambda alert: alert.publish('proximity/range', stamped(int(time.time()) - 5, 2**32 - 1)),
    ],
    ids=[
        'nan',
        'inf',
        'an hour old',
        'an hour ahead',
        'unknown picture',
        'negative stamp',
        'first stamp there is',
        'zero stamp',
        'last stamp there is',
        'malformed stamp of now',
    ],
)
def test_a_fault_sends_zero_at_once(alert, fault):
    alert.see_until(5.0, 'CLEAR')
    assert alert.drive().linear.x == 0.2
    fault(alert)
    alert.wait_for(lambda: alert.velocities[-1] == Twist())
    alert.wait_for(lambda: alert.state in ('STOP', 'STALE'))


@pytest.mark.parametrize('speed', [1e155, 1.7e308, -1e200, 1000.5])
def test_a_command_beyond_any_speed_is_zero_while_ranges_come(alert, speed):
    alert.see_until(5.0, 'CLEAR')
    assert alert.drive(speed) == Twist()
    for _ in range(3):
        alert.see(5.0)
    assert alert.state == 'CLEAR'
    assert alert.drive(0.2).linear.x == 0.2


@with_parameters(command_timeout_s=0.5)
def test_a_driver_who_falls_silent_is_stopped_once(alert):
    alert.see_until(5.0, 'CLEAR')
    assert alert.drive().linear.x == 0.2
    before = len(alert.velocities)

    def see_on():
        alert.see(5.0)
        return len(alert.velocities) > before

    alert.wait_for(see_on)
    for _ in range(30):
        alert.see(5.0)
    assert [message == Twist() for message in alert.velocities[before:]] == [True]


@pytest.mark.parametrize(
    'alert',
    [{'cmd_vel_type': 'TwistStamped'}, {'velocity_type': TwistStamped}],
    indirect=True,
    ids=['by setting', 'by what is subscribed'],
)
def test_stamped_commands_come_out_stamped(alert):
    alert.see_until(5.0, 'CLEAR')
    out = alert.drive(0.2)
    assert (out.twist.linear.x, out.header.frame_id) == (0.2, 'base_link')
    assert out.header.stamp.sec > 0


def test_a_command_that_is_not_finite_becomes_zero(alert):
    alert.see_until(5.0, 'CLEAR')
    assert alert.drive(0.1, math.nan) == Twist()


@with_parameters(alert_source='near')
def test_near_mode_follows_proximity_near(alert):
    def say(near, state):
        def said():
            alert.publish('proximity/near', Bool(data=near))
            alert.spin(2)
            return alert.state == state

        alert.wait_for(said)

    say(False, 'CLEAR')
    say(True, 'STOP')
    say(False, 'CLEAR')


@with_parameters(latch=True)
def test_a_latched_stop_waits_for_a_reset_and_a_zero_command(alert):
    alert.see_until(5.0, 'CLEAR')
    alert.see_until(0.3, 'STOP')
    refused = alert.call(Trigger, 'reset')
    assert not refused.success and refused.message.startswith('refused: ')
    for _ in range(5):
        alert.see(5.0)
    assert alert.drive() == Twist()
    alert.see(5.0)
    accepted = alert.call(Trigger, 'reset')
    assert accepted.success, accepted.message
    assert alert.drive() == Twist()
    alert.drive(0.0)
    alert.see(5.0)
    assert alert.drive().linear.x == 0.2


def test_disabled_passes_commands_and_is_loud(alert):
    diagnostics = alert.listen(DiagnosticArray, '/diagnostics')
    assert 'DISABLED' in alert.call(SetBool, 'set_enabled', data=False).message
    alert.wait_for(lambda: alert.state == 'DISABLED')
    assert alert.states[-1].data.endswith('would be STOP')
    alert.wait_for(lambda: alert.see(5.0) or alert.states[-1].data.endswith('would be CLEAR'))
    assert alert.drive(9.0).linear.x == 9.0
    alert.wait_for(lambda: not alert.stops[-1].data)
    beeps = alert.listen(Bool, 'buzzer')
    alert.wait_for(lambda: any(beep.data for beep in beeps))
    alert.wait_for(
        lambda: any(
            array.status[0].level == DiagnosticStatus.ERROR
            and array.status[0].message.startswith('DISABLED')
            for array in diagnostics
        )
    )
    assert alert.call(SetBool, 'set_enabled', data=True).success
    alert.wait_for(lambda: alert.state == 'STOP')
    assert alert.drive() == Twist()


def test_mute_silences_the_buzzer_only(alert):
    alert.see_until(0.3, 'STOP')
    beeps = alert.listen(Bool, 'buzzer')
    pitches = alert.listen(Float32, 'buzzer/frequency')
    alert.wait_for(lambda: any(beep.data for beep in beeps))
    alert.wait_for(lambda: pitches and pitches[-1].data > 0)
    alert.call(SetBool, 'mute', data=True)
    beeps.clear()
    pitches.clear()
    alert.stops.clear()
    alert.wait_for(lambda: len(beeps) > 20 and len(alert.stops) > 20)
    assert not any(beep.data for beep in beeps)
    assert not any(pitch.data for pitch in pitches)
    assert all(stop.data for stop in alert.stops)
    alert.call(SetBool, 'mute', data=False)
    alert.wait_for(lambda: any(beep.data for beep in beeps))


@with_parameters(assume_scale_verified=False, trigger_count=1)
def test_the_scale_comes_with_each_reading(alert):
    """0.8 m is CAUTION where the scale is verified, and within the larger margin where not."""
    diagnostics = alert.listen(DiagnosticArray, '/diagnostics')

    def reports(value):
        def reported():
            alert.see(0.8, sigma=alert_sigma)
            return values_of(diagnostics)['scale of the last reading'] == value

        return reported

    alert_sigma: float | None = 0.05
    alert.wait_for(lambda: diagnostics)
    alert.see_until(0.8, 'CAUTION', sigma=0.05)
    alert.wait_for(reports('verified within 5 %'))
    assert alert.state == 'CAUTION'
    alert_sigma = None
    alert.see_until(0.8, 'STOP')
    alert.wait_for(reports('unverified'))


def test_diagnostics_of_others_change_nothing(alert):
    alert.see_until(5.0, 'CLEAR')
    assert alert.node.count_subscribers('/diagnostics') == 0


@with_parameters(latch=True)
def test_publishing_diagnostics_changes_nothing(alert):
    """A tick of their timer, while inactive or at any other time, must not latch a stop."""
    alert.see_until(5.0, 'CLEAR')
    alert.node.trigger_deactivate()
    time.sleep(0.05)
    before = pickle.dumps(alert.node._machine)
    alert.node._publish_diagnostics()
    assert pickle.dumps(alert.node._machine) == before
    alert.node.trigger_activate()
    alert.see_until(5.0, 'CLEAR')


def test_new_settings_take_effect_and_stop_first(alert):
    alert.see_until(0.8, 'CAUTION')
    result = alert.node.set_parameters_atomically(
        [Parameter('stop_distance_m', value=1.0), Parameter('release_distance_m', value=1.1)]
    )
    assert result.successful, result.reason
    alert.wait_for(lambda: alert.state == 'STOP')
    for _ in range(5):
        alert.see(0.8)
    assert alert.state == 'STOP'


def test_other_settings_do_not_stop(alert):
    alert.see_until(5.0, 'CLEAR')
    alert.call(SetBool, 'mute', data=True)
    beeps = alert.listen(Bool, 'buzzer')
    before = len(alert.states)
    assert alert.node.set_parameters([Parameter('beep_far_m', value=2.0)])[0].successful
    alert.see(5.0)
    assert alert.drive().linear.x == 0.2
    assert len(alert.states) == before
    alert.see_until(1.0, 'CAUTION')
    alert.see(1.0)
    assert beeps and not any(beep.data for beep in beeps)  # still muted


def test_what_is_fixed_is_refused_while_configured(alert):
    (result,) = alert.node.set_parameters([Parameter('cmd_vel_type', value='TwistStamped')])
    assert not result.successful
    assert 'while the node is configured' in result.reason


def test_deactivated_it_sends_a_last_stop_and_is_silent(alert):
    alert.see_until(5.0, 'CLEAR')
    assert alert.drive().linear.x == 0.2
    alert.node.trigger_deactivate()
    alert.wait_for(lambda: alert.stops[-1].data and alert.velocities[-1] == Twist())
    alert.wait_for(lambda: 'no longer active' in alert.states[-1].data)
    stops, velocities = len(alert.stops), len(alert.velocities)
    alert.spin(30)
    assert (len(alert.stops), len(alert.velocities)) == (stops, velocities)
    assert alert.call(Trigger, 'reset').message == 'refused: alert_node is not active'
    alert.node.trigger_activate()
    alert.wait_for(lambda: len(alert.stops) > stops)
    assert alert.stops[-1].data
    alert.see_until(5.0, 'CLEAR')


@with_parameters(latch=True)
def test_a_latched_stop_survives_deactivation(alert):
    alert.see_until(5.0, 'CLEAR')
    alert.see_until(0.3, 'STOP')
    alert.node.trigger_deactivate()
    alert.node.trigger_activate()
    for _ in range(10):
        alert.see(5.0)
    assert alert.states[-1].data.startswith('STOP: held since')


def test_without_autostart_it_waits():
    values = {'autostart': False, 'realtime_priority': 0}
    running = RunningNode(lambda: AlertNode(parameter_overrides=parameters(values)))
    try:
        running.spin(10)
        assert running.peer.count_publishers('stop') == 0
        running.node.start()
        stops = running.listen(Bool, 'stop')
        running.wait_for(lambda: stops)
    finally:
        running.close()


def test_cleanup_and_shutdown_leave_nothing_behind(alert):
    node = alert.node
    node.trigger_deactivate()
    node.trigger_cleanup()
    alert.wait_for(lambda: alert.peer.count_publishers('stop') == 0)
    node.trigger_configure()
    node.trigger_activate()
    alert.wait_for(lambda: alert.stops)
    alert.stops.clear()
    node.trigger_shutdown()
    alert.wait_for(lambda: alert.stops and alert.stops[-1].data)
    alert.spin(20)
    count = len(alert.stops)
    alert.spin(20)
    assert len(alert.stops) == count


def test_bad_initial_settings_are_refused():
    with pytest.raises(ConfigurationError, match='stop_distance_m must be below'):
        Alert(stop_distance_m=3.0)


class Broken:
    """Stands in for anything, and fails whatever is asked of it."""

    def __init__(self, error_type, text):
        self.error_type, self.text = error_type, text

    def __getattr__(self, name):
        raise (AttributeError if name.startswith('__') else self.error_type)(self.text)


def fail_once(thing, name, error=None):
    """Let the next call of a method raise."""
    works = getattr(thing, name)

    def fails(*args):
        setattr(thing, name, works)
        raise error or RuntimeError('burnt')

    setattr(thing, name, fails)


def test_an_exception_in_a_callback_is_a_stop_that_ends(alert, capfd):
    diagnostics = alert.listen(DiagnosticArray, '/diagnostics')
    alert.see_until(5.0, 'CLEAR')
    assert alert.drive().linear.x == 0.2
    fail_once(alert.node._machine, 'hear')
    failed_s = time.monotonic()
    alert.see_until(5.0, 'STOP')
    reason = "internal error: RuntimeError('burnt') in _on_range"
    assert alert.states[-1].data == f'STOP: {reason}'
    alert.wait_for(lambda: alert.velocities[-1] == Twist(), 'zero')

    def reported():
        status = diagnostics[-1].status[0] if diagnostics else DiagnosticStatus()
        return status.level == DiagnosticStatus.ERROR and reason in status.message

    alert.see_until(5.0, 'CLEAR')
    assert time.monotonic() - failed_s >= ERROR_HOLD_S
    assert alert.drive().linear.x == 0.2
    alert.wait_for(reported)
    values = values_of(diagnostics)
    assert (values['internal errors'], values['last internal error']) == ('1', reason)
    log = capfd.readouterr().err
    assert reason in log and 'Traceback' in log


@pytest.mark.parametrize('topic', ['stop', 'alert/state', 'alert/level', 'buzzer'])
def test_a_message_that_cannot_be_published_ends_nothing(alert, topic):
    alert.see_until(5.0, 'CLEAR')
    works = alert.node._outputs[topic]
    alert.node._outputs[topic] = Broken(RuntimeError, 'no such publisher')
    alert.wait_for(lambda: alert.see(0.3) or alert.node._internal_error_count)
    alert.node._outputs[topic] = works
    alert.wait_for(lambda: 'no such publisher' in alert.states[-1].data)
    assert alert.drive() == Twist()
    alert.see_until(5.0, 'CLEAR')


def test_a_velocity_that_cannot_be_published_ends_nothing(alert):
    alert.see_until(5.0, 'CLEAR')
    alert.drive()
    fail_once(alert.node._velocity._publisher, 'publish')
    alert.publish('cmd_vel_in', Twist(linear=Vector3(x=0.1)))
    alert.wait_for(lambda: alert.state == 'STOP')
    assert alert.states[-1].data.endswith('in publishing on cmd_vel_out')
    alert.see_until(5.0, 'CLEAR')


def test_a_machine_that_always_fails_is_a_heartbeat_of_stops(alert):
    alert.see_until(5.0, 'CLEAR')
    alert.drive()
    machine = alert.node._machine
    alert.node._machine = Broken(ArithmeticError, 'worn out')
    alert.wait_for(lambda: alert.velocities[-1] == Twist(), 'zero')
    alert.stops.clear()
    alert.wait_for(lambda: len(alert.stops) > 10, 'heartbeats')
    assert all(stop.data for stop in alert.stops)
    alert.wait_for(lambda: alert.states[-1].data.startswith('STOP: internal error: Arithmetic'))
    alert.node._machine = machine
    alert.see_until(5.0, 'CLEAR')


def test_a_service_that_fails_answers(alert):
    alert.see_until(5.0, 'CLEAR')
    fail_once(alert.node._machine, 'reset')
    response = alert.call(Trigger, 'reset')
    assert (response.success, response.message) == (False, "internal error: RuntimeError('burnt')")
    alert.see_until(5.0, 'CLEAR')


def test_disabled_an_exception_is_only_reported(alert):
    alert.see_until(5.0, 'CLEAR')
    alert.call(SetBool, 'set_enabled', data=False)
    fail_once(alert.node._machine, 'hear')
    alert.wait_for(lambda: alert.see(5.0) or alert.node._internal_error_count == 1)
    assert alert.drive(9.0).linear.x == 9.0
    assert alert.state == 'DISABLED'


def test_stops_are_warnings_and_the_rest_is_not(alert, capfd):
    alert.see_until(5.0, 'CLEAR')
    alert.see_until(0.3, 'STOP')
    alert.see(5.0, age_s=3600.0)
    alert.wait_for(lambda: alert.state == 'STALE')
    lines = capfd.readouterr().err.splitlines()
    levels = {
        state: {line.split('[', 1)[1].split(']')[0] for line in lines if f']: {state}: ' in line}
        for state in ('CLEAR', 'STOP', 'STALE')
    }
    assert levels == {'CLEAR': {'INFO'}, 'STOP': {'WARN'}, 'STALE': {'WARN'}}


def test_a_source_that_is_missing_is_named_with_its_resolved_topic(monkeypatch, capfd):
    monkeypatch.setattr('fcrn_depth_ros.nodes.alert_node._SOURCE_GRACE_S', 0.1)
    values = PATIENT | {'autostart': True}
    running = RunningNode(
        lambda: AlertNode(
            parameter_overrides=parameters(values),
            namespace='robot',
            cli_args=['--ros-args', '-r', 'proximity/range:=front/range'],
        )
    )
    logged = ''

    def named():
        nonlocal logged
        logged += capfd.readouterr().err
        return 'nobody publishes /robot/front/range' in logged

    try:
        diagnostics = running.listen(DiagnosticArray, '/diagnostics')
        running.wait_for(named)
        running.wait_for(lambda: diagnostics)
        assert diagnostics[-1].status[0].name == 'robot/alert_node: alert'
        values = values_of(diagnostics)
        assert values['distance topic'] == '/robot/front/range'
        assert values['publishers of the distance'] == '0'
    finally:
        running.close()


def test_a_second_source_of_the_distance_is_a_warning(alert, monkeypatch):
    monkeypatch.setattr('fcrn_depth_ros.ros.publisher_count._LEASE_S', 0.1)
    diagnostics = alert.listen(DiagnosticArray, '/diagnostics')
    alert.see_until(5.0, 'CLEAR')
    second = alert.peer.create_publisher(Range, 'proximity/range', 10)

    def warned():
        alert.see(5.0)
        text = diagnostics[-1].status[0].message if diagnostics else ''
        return 'distance: 2 publishers of /proximity/range, expected one' in text

    alert.wait_for(warned)
    assert alert.state == 'CLEAR'
    alert.peer.destroy_publisher(second)
    alert.wait_for(lambda: not warned())


def test_shutting_down_takes_less_than_a_second(alert):
    """The subscriber of `stop` does not spin: nothing is acknowledged by it."""
    alert.see_until(5.0, 'CLEAR')
    begin_s = time.monotonic()
    alert.node.shut_down()
    assert time.monotonic() - begin_s < 2.0  # stated: 1 s; a busy machine doubles it


BUZZER_SCRIPT = """
import os, sys, threading
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from fcrn_depth_ros.nodes.alert_node import AlertNode
rclpy.init()
values = {'buzzer': 'sound', 'buzzer_sound_file': sys.argv[1], 'realtime_priority': 5}
node = AlertNode(parameter_overrides=[Parameter(n, value=v) for n, v in values.items()])
def policies():
    schedulers = {t.name: os.sched_getscheduler(t.native_id) for t in threading.enumerate()}
    return [schedulers[name] & ~os.SCHED_RESET_ON_FORK for name in ('MainThread', 'buzzer')]
print(policies())
node.trigger_deactivate(); node.trigger_cleanup()
node.trigger_configure(); node.trigger_activate()
print(policies())
node.shut_down(); node.destroy_node(); rclpy.shutdown()
"""


@pytest.mark.skipif(not may_set_real_time(), reason='needs the right to real-time threads')
def test_the_buzzer_does_not_compete_with_the_stop(tmp_path):
    """Its thread is ordinary, also after a second configuration."""
    result = subprocess.run(
        [sys.executable, '-c', BUZZER_SCRIPT, str(tmp_path / 'alert.wav')],
        check=True,
        capture_output=True,
        text=True,
    )
    assert result.stdout.splitlines() == [str([os.SCHED_RR, os.SCHED_OTHER])] * 2


def scan_with_a_post(node, distance_m):
    """Make a scan of now that sees one thing, straight ahead."""
    message = LaserScan(angle_min=-0.5, angle_max=0.5, angle_increment=0.02)
    message.range_min, message.range_max = 0.1, 8.0
    message.ranges = [math.inf] * 51
    message.ranges[25] = distance_m
    message.header.stamp = node.get_clock().now().to_msg()
    return message


@with_parameters(source_timeout_s=0.3, release_count=1)
def test_the_heartbeat_goes_on_as_a_stop_where_the_executor_hangs(alert):
    """Nothing is received any more: that is silence, which the heartbeat notices."""
    alert.see_until(5.0, 'CLEAR')
    hanging = threading.Event()
    alert.node.create_timer(0.01, lambda: hanging.wait(20.0))
    executor = SingleThreadedExecutor()
    executor.add_node(alert.node)
    stuck = threading.Thread(target=executor.spin_once)
    stuck.start()
    listener = SingleThreadedExecutor()
    listener.add_node(alert.peer)
    alert.stops.clear()
    deadline_s = time.monotonic() + 10.0
    while time.monotonic() < deadline_s and not (
        alert.state == 'STALE' and [stop.data for stop in alert.stops[-3:]] == [True] * 3
    ):
        listener.spin_once(timeout_sec=0.05)
    assert stuck.is_alive()
    hanging.set()
    stuck.join()
    assert alert.state == 'STALE'
    assert [stop.data for stop in alert.stops[-3:]] == [True] * 3


def test_a_buzzer_that_nobody_hears_is_not_published(alert, monkeypatch):
    """Its first listener gets the next beat."""
    sent = []
    buzzer = alert.node._outputs['buzzer']
    publish = buzzer.publish

    def count_and_publish(message):
        sent.append(message)
        publish(message)

    monkeypatch.setattr(buzzer, 'publish', count_and_publish)
    stops = len(alert.stops)
    alert.wait_for(lambda: len(alert.stops) > stops + 5, 'heartbeats')
    assert not sent
    beeps = alert.listen(Bool, 'buzzer')
    alert.wait_for(lambda: beeps, 'a beep')
    assert sent


@with_parameters(footprint_radius_m=0.2, camera_x_m=0.1)
def test_where_the_body_is_known_the_path_of_a_command_is_judged_and_remembered(alert):
    clouds = alert.listen(PointCloud2, 'proximity/memory')
    odometry = Odometry()
    odometry.pose.pose.orientation.w = 1.0

    def blocked():
        alert.see(5.0, sigma=0.05)
        odometry.header.stamp = alert.peer.get_clock().now().to_msg()
        alert.publish('odom', odometry)
        alert.publish('depth/scan', scan_with_a_post(alert.peer, 0.2))
        return (
            bool(alert.states) and 'of the path' in alert.states[-1].data and alert.state == 'STOP'
        )

    alert.wait_for(blocked, 'a stop for the path')
    assert alert.drive(0.2).linear.x == 0.0
    assert alert.drive(-0.2).linear.x == -0.2  # away from it
    cloud = clouds[-1]
    assert cloud.header.frame_id == 'base_link'
    values = np.frombuffer(bytes(cloud.data), np.float32).reshape(-1, 5)
    assert values[0, :3] == pytest.approx([0.3, 0.0, 0.0], abs=0.01)


def test_where_the_body_is_unknown_no_scan_is_asked_for(alert):
    assert alert.peer.count_subscribers('depth/scan') == 0
    assert alert.peer.count_subscribers('odom') == 0
