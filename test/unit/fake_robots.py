# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Robots for the server of the page, without ROS: made-up topics, and what was asked is kept."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
import math
import threading
import time
from typing import Any

from fcrn_depth_ros.dashboard.frames import depth_part, jpeg, near_part, pack
from fcrn_depth_ros.dashboard.parameter_values import ParameterValues, ShownParameter
from fcrn_depth_ros.dashboard.robots import Answer
from fcrn_depth_ros.ros.node_settings import NODE_SETTINGS
from fcrn_depth_ros.settings import describe_settings
import numpy as np

HEIGHT, WIDTH = 48, 64


def all_parameters() -> ParameterValues:
    """Give every parameter of both nodes at its default."""
    values = ParameterValues()
    kinds = {bool: 'bool', int: 'int', float: 'double', str: 'string'}
    for node in ('depth_node', 'alert_node'):
        values.replace(
            node,
            {
                name: ShownParameter(
                    node,
                    name,
                    default,
                    kinds[type(default)],
                    setting.minimum,
                    setting.maximum,
                    setting.description,
                )
                for config in NODE_SETTINGS[node]
                for name, (default, setting) in describe_settings(config).items()
                if type(default) in kinds
            },
        )
    return values


def synthetic_frame(number: int) -> bytes:
    """Draw a box that comes nearer before a wall."""
    depth_m = np.full((HEIGHT, WIDTH), 3.5, np.float32)
    depth_m[:4] = np.nan
    distance_m = 0.6 + 0.5 * (1 + math.sin(number / 10))
    depth_m[14:44, 20:44] = distance_m
    picture = np.full((480, 640, 3), 150, np.uint8)
    picture[140:440, 200:440] = (110, 80, 50)
    return pack(
        {
            'number': number,
            'age_ms': 80.0,
            'depth': {'width': WIDTH, 'height': HEIGHT},
            'near': {'width': WIDTH, 'height': HEIGHT},
        },
        {
            'picture': jpeg(picture),
            'depth': depth_part(depth_m),
            'near': near_part(depth_m < 1.0),
        },
    )


@dataclass
class FakeFrame:
    """A frame that waits."""

    data: bytes

    def encode(self) -> bytes:
        """Give the message."""
        return self.data


@dataclass
class FakeView:
    """One robot; a test sets what it shows."""

    name: str = '/'
    parameters: ParameterValues = field(default_factory=all_parameters)
    changes: dict[str, Any] = field(default_factory=dict)
    frame: Callable[[int], bytes] = synthetic_frame
    number: int = 0
    taken: int = 0

    def take_frame(self) -> FakeFrame | None:
        """Give the newest frame once."""
        if self.number == self.taken:
            return None
        self.taken = self.number
        return FakeFrame(self.frame(self.number))

    def status(self) -> dict[str, Any]:
        """Give a status in which all is well, less the changes of the test."""
        return {
            'type': 'status',
            'robot': self.name,
            'word': 'CLEAR',
            'reason': 'nothing near',
            'stop': False,
            'heartbeat_age_s': 0.02,
            'proximity': 0.02,
            'proximity_age_s': 0.05,
            'range': {
                'm': 1.84,
                'max_m': 10.0,
                'sigma_m': 0.2,
                'verified': True,
                'received_age_s': 0.05,
                'age_s': 0.1,
            },
            'scale_verified': True,
            'scale_contradicted': False,
            'scale_text': 'verified within 11%',
            'scan': {
                'angle_min': -0.58,
                'angle_increment': 0.0145,
                'range_max': 10.0,
                'ranges': [1.8 + abs(i - 40) / 30 for i in range(81)],
                'received_age_s': 0.05,
            },
            'memory': None,
            'picture_hz': 15.0,
            'depth_hz': 15.0,
            'picture_age_s': 0.05,
            'depth_age_s': 0.05,
            'latency_ms': 84.0,
            **self.changes,
        }

    def diagnostics(self) -> dict[str, Any]:
        """Give one status that is well."""
        values = [['state', 'active'], ['input rate (Hz)', '15']]
        node = {'name': 'depth_node: depth estimation', 'level': 0, 'message': 'depth comes'}
        return {
            'type': 'diagnostics',
            'robot': self.name,
            'nodes': [{**node, 'age_s': 0.3, 'values': values}],
        }


class FakeRobots:
    """
    Stand in for Robots; frames come from a thread of their own.

    Parameters
    ----------
    rate_hz : float
        Frames a second; 0 sends none.

    """

    def __init__(self, rate_hz: float = 0.0) -> None:
        self.names: tuple[str, ...] = ('/',)
        self.views: dict[str, Any] = {'/': FakeView()}
        self.watched: list[str] = []
        self.asked: list[tuple[Any, ...]] = []
        self.recordings: dict[str, dict[str, Any]] = {}
        self.answer = Answer(True, '')
        self.on_frame: Callable[[str], None] = lambda robot: None
        self._ends = threading.Event()
        self._rate_hz = rate_hz
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def _play(self) -> None:
        while self._rate_hz and not self._ends.wait(1 / self._rate_hz):
            self.next_frame()

    def next_frame(self) -> None:
        """Let a frame come."""
        for name, view in self.views.items():
            view.number += 1
            self.on_frame(name)

    def close(self) -> None:
        """End the thread."""
        self._ends.set()
        self._thread.join()

    def watch(self, robot: str) -> None:
        """Keep who is watched."""
        self.watched.append(robot)

    def unwatch(self, robot: str) -> None:
        """Keep who is not watched any more."""
        self.watched.remove(robot)

    def want_confidence(self, robot: str, is_wanted: bool) -> None:
        """Keep the request."""
        self.asked.append(('confidence', robot, is_wanted))

    def record(self, robot: str, on: bool) -> Future[Answer]:
        """Keep the request, and let the status tell of it."""
        self.asked.append(('record', robot, on))
        self.recordings[robot] = {'on': on, 'text': '3 s, 1.0 MB in /tmp/x.mcap', 'problem': ''}
        return self._answered()

    def recording(self, robot: str) -> dict[str, Any] | None:
        """Give what a test has begun."""
        return self.recordings.get(robot)

    def post(self, work: Callable[..., None], *arguments: Any) -> None:
        """Do it at once."""
        work(*arguments)

    def set_parameter(self, robot: str, node: str, name: str, value: Any) -> Future[Answer]:
        """Keep the request, and let the parameter change where the answer is good."""
        self.asked.append(('set', robot, node, name, value))
        if self.answer.ok:
            self.views[robot].parameters.change(node, name, value)
        return self._answered()

    def call(self, robot: str, service: str, value: bool) -> Future[Answer]:
        """Keep the request."""
        self.asked.append(('call', robot, service, value))
        return self._answered()

    def _answered(self) -> Future[Answer]:
        future: Future[Answer] = Future()
        future.set_result(self.answer)
        return future


def wait_for(condition: Callable[[], Any], what: str, patience_s: float = 60.0) -> None:
    """Wait until a condition holds, or fail."""
    deadline_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline_s, f'not within {patience_s:g} s: {what}'
        time.sleep(0.02)
