# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Which type velocity commands have: the rule as a table, and real topics that change theirs."""

from __future__ import annotations

from collections.abc import Iterator
import time

from fcrn_depth_ros.alert.speed_limit import Velocity
from fcrn_depth_ros.ros.velocity_topics import choose_type, Endpoint, VelocityTopics
from geometry_msgs.msg import Twist, TwistStamped, Vector3
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import Bool, Header

PATIENCE_S = 20.0


def endpoints(text: str) -> list[Endpoint]:
    """Read `node:type node:type`, with S for TwistStamped and T for Twist."""
    names = {'T': 'Twist', 'S': 'TwistStamped'}
    pairs = (word.split(':') for word in text.split())
    return [Endpoint(node, names.get(type_name, type_name)) for node, type_name in pairs]


@pytest.mark.parametrize(
    ('wanted', 'current', 'publishers', 'subscribers', 'type_name'),
    [
        ('auto', '', '', '', ''),
        ('auto', '', '/nav:T', '', 'Twist'),
        ('auto', '', '/nav:S', '', 'TwistStamped'),
        ('auto', '', '/nav:S /joy:S', '', 'TwistStamped'),
        ('auto', '', '', '/base:S', 'TwistStamped'),
        ('auto', '', '', '/base:T', 'Twist'),
        ('auto', 'Twist', '', '', 'Twist'),
        ('auto', 'Twist', '/nav:S', '', 'TwistStamped'),
        ('auto', 'TwistStamped', '', '/base:T', 'Twist'),
        ('Twist', '', '', '', 'Twist'),
        ('TwistStamped', '', '/nav:S', '/base:S', 'TwistStamped'),
    ],
)
def test_the_type_is_that_of_the_others(wanted, current, publishers, subscribers, type_name):
    choice = choose_type(wanted, current, endpoints(publishers), endpoints(subscribers))
    assert (choice.type_name, choice.problem) == (type_name, '')


@pytest.mark.parametrize(
    ('wanted', 'current', 'publishers', 'subscribers', 'type_name', 'problem'),
    [
        (
            'Twist',
            'Twist',
            '/nav:S /joy:T',
            '',
            'Twist',
            'cmd_vel_in is published as TwistStamped by /nav; Twist is used: '
            'set cmd_vel_type to auto',
        ),
        (
            'TwistStamped',
            '',
            '',
            '/base:T',
            'TwistStamped',
            'cmd_vel_out is subscribed as Twist by /base; TwistStamped is used: '
            'set cmd_vel_type to auto',
        ),
        (
            'auto',
            '',
            '/nav:S /joy:T /key:T',
            '/base:S',
            '',
            'cmd_vel_in is published as Twist by /joy, /key; '
            'cmd_vel_in is published as TwistStamped by /nav; '
            'cmd_vel_out is subscribed as TwistStamped by /base; '
            'no type can be chosen: use one type everywhere',
        ),
        (
            'auto',
            'Twist',
            '/nav:S /joy:T',
            '/base:S',
            'Twist',
            'cmd_vel_in is published as TwistStamped by /nav; '
            'cmd_vel_out is subscribed as TwistStamped by /base; '
            'Twist is used: use one type everywhere',
        ),
        (
            'auto',
            '',
            '/nav:T',
            '/base:S',
            'Twist',
            'cmd_vel_out is subscribed as TwistStamped by /base; '
            'Twist is used: use one type everywhere',
        ),
        (
            'auto',
            '',
            '/odd:std_msgs/msg/Bool',
            '/base:T',
            '',
            'cmd_vel_in is published as std_msgs/msg/Bool by /odd; '
            'cmd_vel_out is subscribed as Twist by /base; '
            'no type can be chosen: use one type everywhere',
        ),
        (
            'auto',
            '',
            '/odd:std_msgs/msg/Bool /nav:T',
            '',
            'Twist',
            'cmd_vel_in is published as std_msgs/msg/Bool by /odd; '
            'Twist is used: use one type everywhere',
        ),
        (
            'auto',
            '',
            '',
            '/base:T /arm:S',
            '',
            'cmd_vel_out is subscribed as Twist by /base; '
            'cmd_vel_out is subscribed as TwistStamped by /arm; '
            'no type can be chosen: use one type everywhere',
        ),
    ],
)
def test_who_is_not_reached_is_named(wanted, current, publishers, subscribers, type_name, problem):
    choice = choose_type(wanted, current, endpoints(publishers), endpoints(subscribers))
    assert (choice.type_name, choice.problem) == (type_name, problem)


class Other:
    """A node in a DDS participant of its own, as another process has: its types are its own."""

    def __init__(self, name: str) -> None:
        self.context = rclpy.Context()
        self.context.init()
        self.node = Node(name, context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.shutdown()


class World:
    """The node under test, and others that come and go."""

    def __init__(self, wanted: str) -> None:
        rclpy.init()
        self.node = Node('alert', namespace='robot')
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.others: list[Other] = []
        self.commands: list[Velocity] = []
        self.topics = VelocityTopics(self.node, wanted, self.take)
        self.switches = 0
        self.follows = True

    def take(self, message: Twist | TwistStamped) -> None:
        self.commands.append(self.topics.velocity(message))

    def other(self, name: str) -> Other:
        self.others.append(Other(name))
        return self.others[-1]

    def leave(self, other: Other) -> None:
        self.others.remove(other)
        other.close()

    def wait_for(self, condition, what: str = '') -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f'{what or condition}: {self.topics.problem}'
            if self.follows:
                self.switches += self.topics.follow_graph(time.monotonic())
            self.executor.spin_once(timeout_sec=0.01)
            for other in self.others:
                other.executor.spin_once(timeout_sec=0.01)

    def close(self) -> None:
        self.topics.close()
        for other in self.others:
            other.close()
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown()


@pytest.fixture
def world(request) -> Iterator[World]:
    world = World(getattr(request, 'param', 'auto'))
    yield world
    world.close()


def publisher(other: Other, message_type: type):
    return other.node.create_publisher(message_type, '/robot/cmd_vel_in', 10)


def subscribe(other: Other, message_type: type) -> list:
    received = []
    other.node.create_subscription(message_type, '/robot/cmd_vel_out', received.append, 10)
    return received


def pass_on(world: World, sender, message, received: list) -> None:
    """Send a command until it arrives, and its answer until that arrives."""
    world.commands.clear()
    world.wait_for(lambda: sender.publish(message) or world.commands, 'a command')

    def has_arrived() -> list:
        world.topics.send(world.commands[-1])
        return received

    world.wait_for(has_arrived, 'the answer')


def test_nothing_passes_while_nobody_publishes_or_subscribes(world):
    assert not world.topics.follow_graph(0.0)
    assert not world.topics.follow_graph(9.0)
    assert (world.topics.type_name, world.topics.problem) == ('', '')
    world.topics.send(Velocity(1.0))
    assert world.node.count_publishers('cmd_vel_out') == 0
    assert world.node.count_subscribers('cmd_vel_in') == 0


def test_a_type_is_taken_once_it_has_settled(world):
    publisher(world.other('nav'), Twist)
    topic = '/robot/cmd_vel_in'
    world.follows = False
    world.wait_for(lambda: world.node.count_publishers(topic))
    assert not world.topics.follow_graph(100.0)
    assert not world.topics.follow_graph(100.19)
    assert world.topics.follow_graph(100.21)
    assert world.topics.type_name == 'Twist'


@pytest.mark.parametrize('world', ['TwistStamped'], indirect=True)
def test_a_fixed_type_is_taken_at_once(world):
    assert world.topics.follow_graph(0.0)
    assert world.topics.type_name == 'TwistStamped'


def test_the_only_publisher_is_followed_and_so_is_its_successor_of_another_type(world):
    base = world.other('base')
    received = subscribe(base, Twist)
    nav = world.other('nav')
    twist = Twist(linear=Vector3(x=0.5), angular=Vector3(z=-0.25))
    sender = publisher(nav, Twist)
    pass_on(world, sender, twist, received)
    assert (world.topics.type_name, world.switches) == ('Twist', 1)
    assert world.commands[-1] == Velocity(0.5, 0.0, 0.0, 0.0, 0.0, -0.25)
    assert received[-1] == twist
    world.leave(nav)
    world.leave(base)
    base, nav = world.other('base'), world.other('nav')
    received = subscribe(base, TwistStamped)
    stamped = TwistStamped(header=Header(frame_id='base_link'), twist=twist)
    pass_on(world, publisher(nav, TwistStamped), stamped, received)
    assert (world.topics.type_name, world.switches) == ('TwistStamped', 2)
    assert (received[-1].twist, received[-1].header.frame_id) == (twist, 'base_link')
    assert received[-1].header.stamp.sec > 0


def test_a_change_of_type_sends_zero_in_the_old_type_first(world):
    base = world.other('base')
    received = subscribe(base, Twist)
    world.wait_for(lambda: world.topics.type_name == 'Twist')
    world.wait_for(lambda: world.topics.send(Velocity(1.0)) or received)
    nav = world.other('nav')
    publisher(nav, TwistStamped)
    world.wait_for(lambda: world.topics.type_name == 'TwistStamped')
    world.wait_for(lambda: received[-1] == Twist(), 'zero as Twist')
    world.wait_for(lambda: 'subscribed as Twist by /base' in world.topics.problem)


@pytest.mark.parametrize('world', ['Twist'], indirect=True)
def test_a_fixed_type_that_nobody_matches_is_named(world):
    nav = world.other('nav')
    publisher(nav, TwistStamped)
    named = 'cmd_vel_in is published as TwistStamped by /nav; '
    world.wait_for(lambda: world.topics.problem.startswith(named))
    assert world.topics.type_name == 'Twist'
    world.leave(nav)
    world.wait_for(lambda: not world.topics.problem)


def test_a_type_that_cannot_be_had_is_a_problem_and_no_exception(world):
    """Another node of this very process has a third type on the topic."""
    world.node.create_publisher(Bool, 'cmd_vel_out', 10)
    publisher(world.other('nav'), Twist)
    world.wait_for(lambda: 'cannot be used as Twist' in world.topics.problem)
    assert world.topics.type_name == ''
    world.topics.send(Velocity(1.0))
