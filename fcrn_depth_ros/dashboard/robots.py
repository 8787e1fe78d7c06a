# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The ROS side of the page: which robots there are, what they publish, and requests to their nodes.

Everything of rclpy happens in the executor's thread. The server's thread hands work over with
`Executor.create_task` and gets futures back.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterDescriptor, ParameterEvent, ParameterType, ParameterValue
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    ListParameters,
    SetParameters,
)
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import qos_profile_parameter_events
from std_srvs.srv import SetBool, Trigger

from .foxglove_server import FoxgloveServer
from .mcap_file import McapFile
from .parameter_values import NODES, ShownParameter
from .recording import new_path, Recording
from .robot_view import picture_of, RobotView
from ..errors import ConfigurationError
from ..ros import quality_of_service as qos

_SUFFIXES = ('/alert/level', '/proximity/range', '/depth/image_rect')
_GRAPH_PERIOD_S = 0.5
_MEETING_LIMIT_S = 1.0
_ANSWER_LIMIT_S = 4.0
_CALL_PERIOD_S = 0.05
_REFRESH_S = 5.0
# After the last page has gone, as a reload leaves and comes back.
_LINGER_S = 3.0
_KINDS = {
    ParameterType.PARAMETER_BOOL: 'bool',
    ParameterType.PARAMETER_INTEGER: 'int',
    ParameterType.PARAMETER_DOUBLE: 'double',
    ParameterType.PARAMETER_STRING: 'string',
}
SERVICES: dict[str, type] = {'reset': Trigger, 'set_enabled': SetBool, 'mute': SetBool}


@dataclass(frozen=True)
class Answer:
    """What a node said to a request, word for word."""

    ok: bool
    message: str


@dataclass(frozen=True)
class RecordingPlace:
    """A folder, and the most bytes of one file in it."""

    folder: Path
    most_bytes: int


@dataclass(eq=False)
class _Call:
    """A request that waits for its service, or for the answer."""

    client: Any
    request: Any
    answered: Callable[[Any], None]
    failed: Callable[[str], None]
    begun_s: float
    future: Any = None


class Robots:
    """
    All robots in the graph; those that somebody watches have a view.

    Parameters
    ----------
    node : rclpy.node.Node
        Must be added to an executor before the first request.
    on_frame : callable
        Called with a namespace when a frame of that robot waits, in the executor's thread.
    on_word : callable
        Called in the executor's thread when the word of a robot has changed.
    recordings : RecordingPlace
        Where recordings go, and how large they may get.

    """

    def __init__(
        self,
        node: Node,
        on_frame: Callable[[str], None],
        on_word: Callable[[], None],
        recordings: RecordingPlace,
    ) -> None:
        self._node, self._on_frame, self._on_word = node, on_frame, on_word
        self._place = recordings
        self._recordings: dict[str, Recording] = {}
        self._foxglove: FoxgloveServer | None = None
        self.names: tuple[str, ...] = ()
        self.views: dict[str, RobotView] = {}
        self._watchers: dict[str, int] = {}
        self._left_s: dict[str, float] = {}
        self._refreshed_s: dict[tuple[str, str], float] = {}
        self._clients: dict[str, Any] = {}
        self._calls: list[_Call] = []
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(_GRAPH_PERIOD_S, self._follow_graph, clock=steady)
        # Runs while a call waits.
        self._call_timer = node.create_timer(_CALL_PERIOD_S, self._look_after_calls, clock=steady)
        self._call_timer.cancel()
        node.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.signal()
        )
        node.create_subscription(
            ParameterEvent,
            '/parameter_events',
            self._on_parameter_event,
            qos_profile_parameter_events,
        )
        self._follow_graph()

    # Server thread -------------------------------------------------------------------------

    def watch(self, robot: str) -> None:
        """Begin to watch a robot; each call needs one of `unwatch`."""
        self._post(self._watch, robot)

    def unwatch(self, robot: str) -> None:
        """Cease to watch."""
        self._post(self._unwatch, robot)

    def set_parameter(self, robot: str, node: str, name: str, value: Any) -> Future[Answer]:
        """Ask a node to set a parameter; the answer is the node's own."""
        return self._ask(partial(self._set_parameter, robot, node, name, value))

    def call(self, robot: str, service: str, value: bool) -> Future[Answer]:
        """Call one of SERVICES of alert_node; `value` is for those that take one."""
        return self._ask(partial(self._call_alert, robot, service, value))

    def record(self, robot: str, on: bool) -> Future[Answer]:
        """Begin or end a recording of a robot; it goes on when nobody watches."""
        return self._ask(partial(self._record, robot, on))

    def recording(self, robot: str) -> dict[str, Any] | None:
        """Return what is known of the recording of a robot, as JSON values; None without one."""
        recording = self._recordings.get(robot)
        return None if recording is None else recording.status()

    def want_confidence(self, robot: str, is_wanted: bool) -> None:
        """Show the confidence of the depth, where the network gives one, or cease to."""
        self._post(self._want_confidence, robot, is_wanted)

    def post(self, work: Callable[..., None], *arguments: Any) -> None:
        """Let the executor's thread do something; it must not raise."""
        self._post(work, *arguments)

    def _post(self, work: Callable[..., None], *arguments: Any) -> None:
        executor = self._node.executor
        if executor is not None:
            executor.create_task(self._guarded, work, *arguments)

    def _guarded(self, work: Callable[..., None], *arguments: Any) -> None:
        try:
            work(*arguments)
        except Exception as error:
            self._node.get_logger().error(f'{work.__name__}: {error!r}')

    def _ask(self, question: Callable[[Callable[[Answer], None]], None]) -> Future[Answer]:
        answer: Future[Answer] = Future()
        if self._node.executor is None:
            answer.set_result(Answer(False, 'the dashboard is ending'))
            return answer

        def ask() -> None:
            try:
                question(answer.set_result)
            except Exception as error:
                answer.set_result(Answer(False, f'internal error: {error!r}'))

        self._node.executor.create_task(ask)
        return answer

    # Executor thread -----------------------------------------------------------------------

    def _watch(self, robot: str) -> None:
        self._watchers[robot] = self._watchers.get(robot, 0) + 1
        self._left_s.pop(robot, None)
        if robot not in self.views:
            self.views[robot] = RobotView(
                self._node, robot, lambda: self._on_frame(robot), self._on_word
            )
            for node in NODES:
                self._refresh(robot, node)

    def _unwatch(self, robot: str) -> None:
        self._watchers[robot] = self._watchers.get(robot, 0) - 1
        if self._watchers[robot] <= 0:
            del self._watchers[robot]
            self._left_s[robot] = time.monotonic()

    def serve_foxglove(self, port: int) -> None:
        """Serve all robots to Foxglove, too; ConfigurationError where that cannot be."""
        self._foxglove = FoxgloveServer(self._node, port, self._post)

    def close(self) -> None:
        """End the recordings, and the server of Foxglove."""
        if self._foxglove is not None:
            self._foxglove.close()
        for robot in list(self._recordings):
            self._recordings.pop(robot).close()

    def _record(self, robot: str, on: bool, done: Callable[[Answer], None]) -> None:
        recording = self._recordings.get(robot)
        if not on:
            if recording is None:
                done(Answer(False, f'{robot} is not recorded'))
                return
            del self._recordings[robot]
            recording.close()
            done(Answer(True, recording.summary()))
            return
        if recording is not None and recording.file.is_open:
            done(Answer(False, f'{robot} is recorded already, to {recording.file.path}'))
            return
        path = new_path(self._place.folder, robot, datetime.now())
        try:
            file = McapFile(path, self._place.most_bytes)
        except ConfigurationError as error:
            done(Answer(False, str(error)))
            return
        self._recordings[robot] = Recording(self._node, robot, file)
        self._follow_recordings()
        done(Answer(True, ''))

    def _follow_recordings(self) -> None:
        for robot, recording in list(self._recordings.items()):
            recording.follow_picture(*picture_of(self._node, robot))
            if not recording.file.is_open:
                # It has ended by itself; what it says is shown until the next one.
                recording.close()

    def _want_confidence(self, robot: str, is_wanted: bool) -> None:
        view = self.views.get(robot)
        if view is not None:
            view.want_confidence(is_wanted)

    def _follow_graph(self) -> None:
        now_s = time.monotonic()
        for robot, left_s in list(self._left_s.items()):
            if now_s - left_s > _LINGER_S:
                del self._left_s[robot]
                self.views.pop(robot).close()
        self.names = tuple(
            sorted(
                {
                    name.removesuffix(suffix) or '/'
                    for name, _ in self._node.get_topic_names_and_types()
                    for suffix in _SUFFIXES
                    if name.endswith(suffix)
                }
            )
        )
        if self._foxglove is not None:
            for robot in self.names:
                self._foxglove.offer(robot, *picture_of(self._node, robot))
        self._follow_recordings()
        for robot, view in self.views.items():
            view.follow_graph()
            for node in NODES:
                if now_s - self._refreshed_s.get((robot, node), 0.0) > _REFRESH_S:
                    self._refresh(robot, node)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        # Names start with the namespace of their node; at the root all are shown.
        for status in message.status:
            for robot, view in self.views.items():
                if f'/{status.name}'.startswith(f'{robot.rstrip("/")}/'):
                    view.on_diagnostics(status)

    def _on_parameter_event(self, message: ParameterEvent) -> None:
        namespace, _, node = message.node.rpartition('/')
        view = self.views.get(namespace or '/')
        if view is None or node not in NODES:
            return
        for parameter in (*message.changed_parameters, *message.new_parameters):
            view.parameters.change(
                node, parameter.name, parameter_value_to_python(parameter.value)
            )

    def _refresh(self, robot: str, node: str) -> None:
        """Read all parameters of a node anew: another one may have taken its place."""
        self._refreshed_s[robot, node] = time.monotonic()
        base = f'{robot.rstrip("/")}/{node}'

        def listed(answer: Any) -> None:
            names = [n for n in answer.result.names if not n.startswith('qos_overrides.')]

            def described(descriptions: Any) -> None:
                def got(values: Any) -> None:
                    found = {
                        name: _shown(node, name, descriptor, value)
                        for name, descriptor, value in zip(
                            names, descriptions.descriptors, values.values, strict=False
                        )
                        if value.type in _KINDS
                    }
                    view = self.views.get(robot)
                    if view is not None and view.parameters.nodes.get(node) != found:
                        view.parameters.replace(node, found)

                self._send(
                    GetParameters,
                    f'{base}/get_parameters',
                    GetParameters.Request(names=names),
                    got,
                )

            self._send(
                DescribeParameters,
                f'{base}/describe_parameters',
                DescribeParameters.Request(names=names),
                described,
            )

        self._send(ListParameters, f'{base}/list_parameters', ListParameters.Request(), listed)

    def _set_parameter(
        self, robot: str, node: str, name: str, value: Any, done: Callable[[Answer], None]
    ) -> None:
        view = self.views.get(robot)
        present = view.parameters.nodes.get(node, {}).get(name) if view is not None else None
        if present is None:
            done(Answer(False, f'{node} of {robot} has reported no parameter {name!r}'))
            return

        def answered(answer: Any) -> None:
            self._refresh(robot, node)
            done(Answer(answer.results[0].successful, answer.results[0].reason))

        message = ParameterMessage(name=name, value=_value_message(value, present.kind))
        self._send(
            SetParameters,
            f'{robot.rstrip("/")}/{node}/set_parameters',
            SetParameters.Request(parameters=[message]),
            answered,
            lambda reason: done(Answer(False, reason)),
        )

    def _call_alert(
        self, robot: str, service: str, value: bool, done: Callable[[Answer], None]
    ) -> None:
        service_type = SERVICES[service]
        request = service_type.Request()  # type: ignore[attr-defined]
        if service_type is SetBool:
            request.data = value
        self._send(
            service_type,
            f'{robot.rstrip("/")}/alert_node/{service}',
            request,
            lambda answer: done(Answer(answer.success, answer.message)),
            lambda reason: done(Answer(False, reason)),
        )

    def _send(
        self,
        service_type: type,
        name: str,
        request: Any,
        answered: Callable[[Any], None],
        failed: Callable[[str], None] = lambda reason: None,
    ) -> None:
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = self._node.create_client(service_type, name)
        self._calls.append(_Call(client, request, answered, failed, time.monotonic()))
        self._call_timer.reset()
        self._look_after_calls()

    def _look_after_calls(self) -> None:
        now_s = time.monotonic()
        for call in list(self._calls):
            waited_s = now_s - call.begun_s
            if call.future is None:
                # A client that has just been made has not met the service yet.
                if call.client.service_is_ready():
                    call.future = call.client.call_async(call.request)
                    call.future.add_done_callback(partial(self._on_response, call))
                elif waited_s > _MEETING_LIMIT_S:
                    self._calls.remove(call)
                    call.failed(f'{call.client.srv_name} is not there: its node does not run')
            elif waited_s > _ANSWER_LIMIT_S:
                self._calls.remove(call)
                call.client.remove_pending_request(call.future)
                call.failed(f'{call.client.srv_name} did not answer in {_ANSWER_LIMIT_S:g} s')
        if not self._calls:
            self._call_timer.cancel()

    def _on_response(self, call: _Call, future: Any) -> None:
        if call not in self._calls:
            return
        self._calls.remove(call)
        try:
            call.answered(future.result())
        except Exception as error:
            self._node.get_logger().error(f'answer of {call.client.srv_name}: {error!r}')
            call.failed(f'internal error: {error!r}')


def _shown(
    node: str, name: str, descriptor: ParameterDescriptor, value: ParameterValue
) -> ShownParameter:
    bounds = [*descriptor.floating_point_range, *descriptor.integer_range]
    return ShownParameter(
        node,
        name,
        parameter_value_to_python(value),
        _KINDS[value.type],
        float(bounds[0].from_value) if bounds else None,
        float(bounds[0].to_value) if bounds else None,
        descriptor.description,
    )


def _value_message(value: Any, kind: str) -> ParameterValue:
    """Make the value of the kind that the node has; what does not fit goes as it is."""
    if isinstance(value, bool):
        return ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=value)
    if isinstance(value, str):
        return ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=value)
    if kind == 'int' and float(value).is_integer() and abs(value) < 2**53:
        return ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=int(value))
    return ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=float(value))
