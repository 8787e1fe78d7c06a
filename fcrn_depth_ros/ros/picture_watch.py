# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Watches whether the pictures of depth_node's camera arrive, warns, and names what helps."""

from __future__ import annotations

from collections.abc import Callable
import math
import re

from rclpy.node import Node
from rclpy.utilities import get_rmw_implementation_identifier

from .picture_loss import (
    picture_problem,
    PictureTraffic,
    RecentTraffic,
    Sender,
    sender_of,
    this_machine,
)
from .publisher_count import PublisherCount

_WARNING_PERIOD_S = 10.0


class PictureWatch:
    """
    Compares what arrives with what is published.

    Parameters
    ----------
    node : rclpy.node.Node
        Knows the graph; logs.
    steady_time_s : callable
        A clock that never jumps.

    """

    def __init__(self, node: Node, steady_time_s: Callable[[], float]) -> None:
        self._node, self._steady_time_s = node, steady_time_s
        self._recent = RecentTraffic()
        self._publishers = PublisherCount()
        self._infos = 0
        self._topic = self._other_topic = ''
        self._is_compressed = False
        self._warned_s, self._warned_of = -math.inf, ''

    def begin(self, topic: str, other_topic: str, is_compressed: bool) -> None:
        """
        Begin to watch a topic.

        Parameters
        ----------
        topic, other_topic : str
            Fully qualified: of the subscription, and of the other image_transport.
        is_compressed : bool
            Which of the two is the one of compressed images.

        """
        self._topic, self._other_topic, self._is_compressed = topic, other_topic, is_compressed
        self._recent.restart()

    def count_info(self) -> None:
        """Count a camera_info."""
        self._infos += 1

    def look(self, received: int, lost: int) -> str:
        """
        Judge the last seconds; to be called about once a second while the node is active.

        Parameters
        ----------
        received, lost : int
            Pictures since the start of the process.

        Returns
        -------
        str
            What is wrong and what helps; empty where pictures of one publisher arrive, or nothing
            is known yet.

        """
        problem = self._loss(received, lost) or self._publishers.look(
            self._topic, self._count(self._topic), self._steady_time_s()
        )
        self._warn(problem)
        return problem

    def _loss(self, received: int, lost: int) -> str:
        recent = self._recent.add(self._steady_time_s(), (received, lost, self._infos))
        if recent is None:
            return ''
        arrived, missed, infos = recent
        if arrived and not missed and infos <= arrived:
            return ''
        other_topic = self._other_topic if self._count(self._other_topic) else ''
        traffic = PictureTraffic(
            self._topic,
            self._is_compressed,
            arrived,
            missed,
            infos,
            self._senders(),
            other_topic,
        )
        is_fast_dds = 'fastrtps' in get_rmw_implementation_identifier()
        return picture_problem(traffic, this_machine(is_fast_dds))

    def _warn(self, problem: str) -> None:
        """Log what is new at once, and what goes on now and then; numbers are not news."""
        now_s, wording = self._steady_time_s(), re.sub(r'\d+', '', problem)
        if problem and (wording != self._warned_of or now_s - self._warned_s >= _WARNING_PERIOD_S):
            self._node.get_logger().warning(problem)
            self._warned_s, self._warned_of = now_s, wording

    def _count(self, topic: str) -> int:
        return int(self._node.count_publishers(topic))

    def _senders(self) -> tuple[Sender, ...]:
        """Return where each publisher of the topic is."""
        node = self._node
        own_name = node.get_name(), node.get_namespace()
        own_gids = [
            bytes(endpoint.endpoint_gid)
            for endpoint in node.get_subscriptions_info_by_topic(self._topic)
            if (endpoint.node_name, endpoint.node_namespace) == own_name
        ]
        own_gid = own_gids[0] if own_gids else b''
        return tuple(
            sender_of(bytes(endpoint.endpoint_gid), own_gid)
            for endpoint in node.get_publishers_info_by_topic(self._topic)
        )
