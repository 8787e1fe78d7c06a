# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Call something at a steady rate, from a thread that does nothing else.

A timer of rclpy wakes the executor, which collects all that a node waits for anew before and after
it: at 25 Hz that cost more processor time than all the rest of an idle alert_node.
"""

from __future__ import annotations

from collections.abc import Callable
import threading
import time

from .real_time import ask_for_real_time

# A beat that hangs must not hang the end of its node.
_LAST_BEAT_S = 1.0


class Heartbeat:
    """
    Call `beat` every `period_s` on a clock that does not jump, until closed.

    A beat that comes late does not move those after it; those that were missed are left out.

    Parameters
    ----------
    period_s : float
        Time from one call to the next.
    beat : callable
        Must not raise.
    realtime_priority : int
        Of the thread, as `ask_for_real_time` takes it.

    """

    def __init__(
        self, period_s: float, beat: Callable[[], None], realtime_priority: int = 0
    ) -> None:
        self._period_s = period_s
        self._beat = beat
        self._realtime_priority = realtime_priority
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name='heartbeat', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; a beat that has begun is waited for, up to a second."""
        self._closed.set()
        self._thread.join(_LAST_BEAT_S)

    def _work(self) -> None:
        # New threads are ordinary, even of a real-time one.
        ask_for_real_time(self._realtime_priority)
        due_s = time.monotonic() + self._period_s
        while not self._closed.wait(max(0.0, due_s - time.monotonic())):
            self._beat()
            missed = max(0.0, time.monotonic() - due_s) // self._period_s
            due_s += (missed + 1) * self._period_s
