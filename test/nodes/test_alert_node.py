# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""alert_node over real DDS, in this process: what goes out for what comes in."""

from __future__ import annotations

import math
import pickle
import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from fcrn_depth_ros.errors import ConfigurationError
from fcrn_depth_ros.nodes.alert_node import AlertNode
from fcrn_depth_ros.ros.range_reading import scale_variance
from geometry_msgs.msg import Twist, TwistStamped, Vector3
import pytest
from rclpy.parameter import Parameter
from running_node import parameters, RunningNode
from sensor_msgs.msg import Range
from std_msgs.msg import Bool, Float32, String
from std_srvs.srv import SetBool, Trigger

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

    def __init__(self, **overrides):
        values = PATIENT | overrides
        super().__init__(lambda: AlertNode(parameter_overrides=parameters(values)))
        self.velocity_type = (
            TwistStamped if values.get('cmd_vel_type') == 'TwistStamped' else Twist
        )
        self.states = self.listen(String, 'alert/state')
        self.stops = self.listen(Bool, 'stop')
        self.velocities = self.listen(self.velocity_type, 'cmd_vel_out')

    def see(self, distance_m, age_s=0.0, sigma=None):
        now = self.peer.get_clock().now().nanoseconds - int(age_s * 1e9)
        message = Range(min_range=0.0, max_range=10.0, range=distance_m)
        message.variance = scale_variance(distance_m, sigma)
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
    from rclpy.qos import DurabilityPolicy, QoSProfile

    heard = []
    alert.peer.create_subscription(
        String,
        'alert/state',
        heard.append,
        QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL),
    )
    alert.wait_for(lambda: heard)
    assert heard[0].data == 'STOP: no distance received yet'


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
    assert alert.state == 'STALE'


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
    ],
    ids=['nan', 'inf', 'an hour old', 'an hour ahead', 'unknown picture'],
)
def test_a_fault_sends_zero_at_once(alert, fault):
    alert.see_until(5.0, 'CLEAR')
    assert alert.drive().linear.x == 0.2
    fault(alert)
    alert.wait_for(lambda: alert.velocities[-1] == Twist())
    alert.wait_for(lambda: alert.state in ('STOP', 'STALE'))


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


@with_parameters(cmd_vel_type='TwistStamped')
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

    alert_sigma = 0.05
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
