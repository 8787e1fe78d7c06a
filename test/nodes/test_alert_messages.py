# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Every callback of alert_node takes whole random messages: none raises, and nothing absurd goes out.

The callbacks are called directly, without DDS in between. RANDOM_MESSAGES=100000 for a long run.
"""

from __future__ import annotations

from collections.abc import Iterator
import math
import time

from builtin_interfaces.msg import Time
from fcrn_depth_ros.nodes.alert_node import AlertNode
from geometry_msgs.msg import Twist, TwistStamped, Vector3
from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
from nav_msgs.msg import Odometry
import pytest
from random_messages import CASES, messages
import rclpy
from running_node import parameters
from sensor_msgs.msg import LaserScan, Range
from std_msgs.msg import Bool, Float32, Header
from std_srvs.srv import SetBool, Trigger

MESSAGES_IN_A_ROW = 20


def stamp(age_ns: int) -> Time:
    """Make a stamp of so long ago."""
    sec, nanosec = divmod(time.time_ns() - age_ns, 10**9)
    return Time(sec=sec, nanosec=nanosec)


# Random readings are all but never good. These often are, so that every state is entered.
likely_header = st.builds(Header, stamp=st.sampled_from([0, 0, 0, 10**8, -(10**8)]).map(stamp))
likely_range = messages(
    Range,
    header=likely_header,
    range=st.sampled_from([0.3, 1.0, 5.0, 5.0]),
    min_range=st.just(0.0),
    max_range=st.just(10.0),
)
likely_twist = st.builds(
    Twist, linear=st.builds(Vector3, x=st.sampled_from([0.0, 0.2, 2.0, -0.2, 1e155, -1e200]))
)
likely_scan = messages(
    LaserScan,
    header=likely_header,
    angle_min=st.just(-0.5),
    angle_increment=st.just(0.1),
    range_min=st.just(0.1),
    range_max=st.just(8.0),
)
likely_odometry = st.builds(Odometry, header=likely_header)
# A short time to collision holds STOP for seconds, in which no other state would be entered.
likely_growth = st.builds(Float32, data=st.sampled_from([math.inf, math.nan, -0.5, 60.0]))
likely_share = st.builds(Float32, data=st.sampled_from([0.0, 1.0]))

EVENTS = st.one_of(
    st.tuples(st.just('_on_range'), st.one_of(likely_range, messages(Range))),
    st.tuples(st.just('_on_range'), likely_range),
    st.tuples(st.just('_on_range'), likely_range),
    st.tuples(st.just('_on_proximity'), st.one_of(likely_share, messages(Float32))),
    st.tuples(st.just('_on_near'), messages(Bool)),
    st.tuples(st.just('_on_growth'), likely_growth),
    st.tuples(st.just('_on_scan'), st.one_of(likely_scan, messages(LaserScan))),
    st.tuples(st.just('_on_odometry'), st.one_of(likely_odometry, messages(Odometry))),
    st.tuples(
        st.just('_on_command'), st.one_of(likely_twist, messages(Twist), messages(TwistStamped))
    ),
    st.tuples(st.just('_on_reset'), messages(Trigger.Request)),
    st.tuples(st.just('_on_set_enabled'), messages(SetBool.Request)),
    st.tuples(st.just('_on_mute'), messages(SetBool.Request)),
    st.tuples(st.sampled_from(['_beat', '_publish_diagnostics']), st.none()),
)
RESPONSES = {
    '_on_reset': Trigger.Response,
    '_on_set_enabled': SetBool.Response,
    '_on_mute': SetBool.Response,
}


class Recorder:
    """Takes the place of a publisher, after which every message has gone through it."""

    def __init__(self, publisher) -> None:
        self.publisher = publisher
        self.sent: list = []

    def publish(self, message) -> None:
        self.publisher.publish(message)
        self.sent = [message]


@pytest.fixture(scope='module', params=['range', 'near'])
def node(request) -> Iterator[AlertNode]:
    """Run alert_node with nobody around."""
    rclpy.init()
    values = {
        'alert_source': request.param,
        'cmd_vel_type': 'TwistStamped' if request.param == 'range' else 'Twist',
        'release_count': 1,
        'trigger_count': 1,
        'latch': True,
        'realtime_priority': 0,
        'footprint_radius_m': 0.2,
    }
    node = AlertNode(parameter_overrides=parameters(values))
    node._velocity._publisher = Recorder(node._velocity._publisher)
    yield node
    node._velocity._publisher = node._velocity._publisher.publisher
    node.shut_down()
    node.destroy_node()
    rclpy.shutdown()


def call(node: AlertNode, name: str, message) -> None:
    """Call a callback as rclpy does."""
    arguments = () if message is None else (message,)
    if name in RESPONSES:
        response = getattr(node, name)(message, RESPONSES[name]())
        assert isinstance(response, RESPONSES[name]) and response.message
    else:
        assert getattr(node, name)(*arguments) is None


def begin(node: AlertNode) -> str:
    """Let it see a free way, and return its state: at random that does not happen in every run."""
    reading = Range(min_range=0.0, max_range=10.0, range=5.0)
    reading.header.stamp = stamp(0)
    for name, message in (('_on_range', reading), ('_on_near', Bool()), ('_beat', None)):
        call(node, name, message)
    return str(node._machine.decision.state.name)


def test_no_message_is_an_internal_error(node):
    states = {begin(node)}
    assert states == {'CLEAR'}

    @settings(
        max_examples=max(1, CASES // (2 * MESSAGES_IN_A_ROW)),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(EVENTS, min_size=MESSAGES_IN_A_ROW, max_size=MESSAGES_IN_A_ROW))
    def check(events):
        for name, message in events:
            call(node, name, message)
            assert node._internal_error_count == 0, node._internal_error
            decision = node._machine.decision
            states.add(decision.state.name)
            assert decision.reason
            for sent in node._velocity._publisher.sent:
                velocity = node._velocity.velocity(sent)
                assert not velocity.flaw()
                assert not (decision.stop and velocity.linear_x)

    check()
    assert {'CLEAR', 'STOP', 'DISABLED'} <= states


def test_no_time_to_collision_is_an_internal_error(node):
    @settings(max_examples=max(1, CASES // 20), deadline=None)
    @given(messages(Float32))
    def check(message):
        call(node, '_on_growth', message)
        assert node._internal_error_count == 0, node._internal_error
        assert node._machine.decision.reason

    check()
