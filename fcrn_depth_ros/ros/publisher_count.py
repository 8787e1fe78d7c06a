# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Notices a second publisher of what one camera, or one depth_node, should publish alone."""

from __future__ import annotations

# DDS counts a publisher that was killed for 20 s more (Fast DDS, leaseDuration).
_LEASE_S = 25.0


class PublisherCount:
    """Follows how many publish a topic."""

    def __init__(self) -> None:
        self._topic, self._several_since_s = '', 0.0

    def look(self, topic: str, count: int, now_s: float) -> str:
        """
        Judge the publishers of a topic.

        Parameters
        ----------
        topic : str
            Fully qualified.
        count : int
            How many publish it now.
        now_s : float
            Steady time.

        Returns
        -------
        str
            What is wrong and what helps; empty where one publishes, or several only since a
            moment ago: one of them may have ended.

        """
        if count <= 1 or topic != self._topic:
            self._topic, self._several_since_s = topic, now_s
        if count <= 1 or now_s - self._several_since_s < _LEASE_S:
            return ''
        return (
            f'{count} publishers of {topic}, expected one: what they publish arrives by turns; '
            'end all but one, or give each its own topic'
        )
