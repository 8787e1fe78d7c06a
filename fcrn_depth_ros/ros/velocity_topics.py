# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
`cmd_vel_in` and `cmd_vel_out`: Twist or TwistStamped, whichever the robot uses.

Nav2 publishes Twist up to Jazzy and TwistStamped from Kilted on; a subscription of the other type
receives nothing, and no error is raised. So the type is taken from the ROS graph, and a type that
nobody matches is reported by name. One process can have only one type on a topic (Fast DDS), so
subscription and publisher are made when the type is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import Twist, TwistStamped, Vector3
from rclpy.duration import Duration
from rclpy.node import Node
from std_msgs.msg import Header

from . import quality_of_service as qos
from .hang_guard import must_end
from ..alert.speed_limit import Velocity, ZERO_VELOCITY

AUTO = 'auto'
_TYPES: dict[str, type] = {'Twist': Twist, 'TwistStamped': TwistStamped}
_PACKAGE = 'geometry_msgs/msg/'
# A type that the graph shows must stay for this long before it is taken: nodes are discovered
# piece by piece.
_SETTLING_S = 0.2
# What rmw says of an endpoint whose node it has not discovered yet, or that has no node.
_UNKNOWN_NAME = '_NODE_NAME_UNKNOWN_'


@dataclass(frozen=True)
class Endpoint:
    """
    A publisher or subscription of another node.

    Attributes
    ----------
    node : str
        Its fully qualified name.
    type_name : str
        Message type, without the package where that is geometry_msgs.

    """

    node: str
    type_name: str


@dataclass(frozen=True)
class TypeChoice:
    """
    Which message type to use.

    Attributes
    ----------
    type_name : str
        Twist, TwistStamped, or empty while it is unknown.
    problem : str
        Who is not reached, and what to do; empty where all types agree.

    """

    type_name: str
    problem: str


def choose_type(
    wanted: str,
    current: str,
    publishers: Sequence[Endpoint],
    subscribers: Sequence[Endpoint],
) -> TypeChoice:
    """
    Choose the message type of cmd_vel_in and cmd_vel_out.

    Parameters
    ----------
    wanted : str
        The setting `cmd_vel_type`: auto, Twist or TwistStamped.
    current : str
        The type in use; empty where there is none.
    publishers, subscribers : sequence of Endpoint
        Who publishes cmd_vel_in, and who subscribes to cmd_vel_out.

    Returns
    -------
    TypeChoice
        With `auto`: the one type that is published, or the one that is subscribed where nobody
        publishes; the current one where two types compete.

    """
    type_name = current if wanted == AUTO else wanted
    if wanted == AUTO:
        for endpoints in (publishers, subscribers):
            found = {one.type_name for one in endpoints} & _TYPES.keys()
            if len(found) == 1:
                type_name = found.pop()
            if found or endpoints is publishers and publishers:
                break
    problems = [
        *_mismatches('cmd_vel_in is published as', publishers, type_name),
        *_mismatches('cmd_vel_out is subscribed as', subscribers, type_name),
    ]
    if not problems:
        return TypeChoice(type_name, '')
    advice = 'use one type everywhere' if wanted == AUTO else 'set cmd_vel_type to auto'
    used = f'{type_name} is used' if type_name else 'no type can be chosen'
    return TypeChoice(type_name, f'{"; ".join(problems)}; {used}: {advice}')


def _mismatches(what: str, endpoints: Iterable[Endpoint], type_name: str) -> list[str]:
    nodes: dict[str, list[str]] = {}
    for endpoint in endpoints:
        if endpoint.type_name != type_name:
            nodes.setdefault(endpoint.type_name, []).append(endpoint.node)
    return [f'{what} {other} by {", ".join(sorted(nodes[other]))}' for other in sorted(nodes)]


class VelocityTopics:
    """
    The subscription `cmd_vel_in` and the publisher `cmd_vel_out` of a node.

    Parameters
    ----------
    node : rclpy.node.Node
        Owns both.
    wanted : str
        The setting `cmd_vel_type`.
    on_command : callable
        Subscription callback; takes a Twist or TwistStamped.

    """

    def __init__(self, node: Node, wanted: str, on_command: Callable[[Any], None]) -> None:
        self._node = node
        self._wanted = wanted
        self._on_command = on_command
        self._subscription: Any = None
        self._publisher: Any = None
        self._frame_id = ''
        self._candidate = ''
        self._candidate_since_s = 0.0
        self.type_name = ''
        self.problem = ''

    def follow_graph(self, now_s: float) -> bool:
        """
        Take the type that the other nodes use.

        Parameters
        ----------
        now_s : float
            Steady time.

        Returns
        -------
        bool
            True where the type in use changed: the robot was sent zero in the old type.

        """
        choice = choose_type(
            self._wanted,
            self.type_name,
            self._endpoints('cmd_vel_in', self._node.get_publishers_info_by_topic),
            self._endpoints('cmd_vel_out', self._node.get_subscriptions_info_by_topic),
        )
        self.problem = choice.problem
        if choice.type_name != self._candidate:
            self._candidate, self._candidate_since_s = choice.type_name, now_s
        has_settled = now_s - self._candidate_since_s >= _SETTLING_S or self._wanted != AUTO
        if choice.type_name == self.type_name or not has_settled:
            return False
        self.send(ZERO_VELOCITY)
        self.close()
        self._open(choice.type_name)
        return True

    def velocity(self, message: Twist | TwistStamped) -> Velocity:
        """
        Return the command in a message; the frame of a stamped one is that of the answers.

        Parameters
        ----------
        message : Twist or TwistStamped
            As received.

        Returns
        -------
        Velocity
            Not checked.

        """
        if isinstance(message, TwistStamped):
            self._frame_id = message.header.frame_id
            message = message.twist
        linear, angular = message.linear, message.angular
        return Velocity(linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)

    def send(self, velocity: Velocity) -> None:
        """Publish on cmd_vel_out; nothing while the type is unknown."""
        if self._publisher is None:
            return
        message: Twist | TwistStamped = Twist(
            linear=Vector3(x=velocity.linear_x, y=velocity.linear_y, z=velocity.linear_z),
            angular=Vector3(x=velocity.angular_x, y=velocity.angular_y, z=velocity.angular_z),
        )
        if self.type_name == 'TwistStamped':
            stamp = self._node.get_clock().now().to_msg()
            message = TwistStamped(
                header=Header(stamp=stamp, frame_id=self._frame_id), twist=message
            )
        self._publisher.publish(message)

    def wait_for_all_acked(self, timeout: Duration) -> None:
        """Wait until every subscriber has what was sent, at most for `timeout`."""
        if self._publisher is not None:
            self._publisher.wait_for_all_acked(timeout)

    def close(self) -> None:
        """Destroy subscription and publisher; the type is unknown again."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)
        self._subscription = self._publisher = None
        self.type_name = self._frame_id = ''

    def _open(self, type_name: str) -> None:
        message_type = _TYPES[type_name]
        try:
            with must_end('making the topics of the velocity'):
                self._publisher = self._node.create_publisher(
                    message_type,
                    'cmd_vel_out',
                    qos.signal(),
                    event_callbacks=qos.no_events(),
                    qos_overriding_options=qos.overridable(),
                )
                self._subscription = self._node.create_subscription(
                    message_type,
                    'cmd_vel_in',
                    self._on_command,
                    qos.command_input(),
                    qos_overriding_options=qos.overridable(),
                )
        except Exception as error:
            # For example where another node of this process has the other type on the topic.
            self.close()
            self.problem = f'cmd_vel_in and cmd_vel_out cannot be used as {type_name}: {error}'
            return
        self.type_name = type_name

    def _endpoints(self, topic: str, query: Callable[[str], Any]) -> list[Endpoint]:
        return [
            Endpoint(
                'a node of unknown name'
                if info.node_name == _UNKNOWN_NAME
                else f'{info.node_namespace.rstrip("/")}/{info.node_name}',
                info.topic_type.removeprefix(_PACKAGE),
            )
            for info in query(self._node.resolve_topic_name(topic))
        ]
