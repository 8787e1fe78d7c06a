# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The heartbeat: steady, late without a burst, and over when it is closed."""

from __future__ import annotations

import os
import threading
import time

from fcrn_depth_ros.ros.heartbeat import Heartbeat
import pytest
from test_real_time import may_set_real_time

PERIOD_S = 0.05
PATIENCE_S = 20.0


class Beats:
    """Counts, and takes its time at the first beat where a test wants that."""

    def __init__(self, first_takes_s: float = 0.0) -> None:
        self.times_s: list[float] = []
        self.scheduler = -1
        self.first_takes_s = first_takes_s
        self.changed = threading.Condition()

    def __call__(self) -> None:
        self.scheduler = os.sched_getscheduler(0)
        with self.changed:
            self.times_s.append(time.monotonic())
            self.changed.notify()
        if len(self.times_s) == 1:
            time.sleep(self.first_takes_s)

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.times_s) >= count, PATIENCE_S)


def test_it_beats_until_it_is_closed() -> None:
    beats = Beats()
    begun_s = time.monotonic()
    heartbeat = Heartbeat(PERIOD_S, beats)
    beats.wait_for(4)
    heartbeat.close()
    count = len(beats.times_s)
    time.sleep(3 * PERIOD_S)
    assert len(beats.times_s) == count
    # Never earlier than the period says, however busy the machine is.
    assert beats.times_s[3] - begun_s >= 4 * PERIOD_S
    assert 'heartbeat' not in {thread.name for thread in threading.enumerate()}


def test_beats_that_were_missed_are_left_out() -> None:
    beats = Beats(first_takes_s=5.5 * PERIOD_S)
    heartbeat = Heartbeat(PERIOD_S, beats)
    beats.wait_for(4)
    heartbeat.close()
    # The second one follows at the next time that was due, and the third a period later.
    assert beats.times_s[1] - beats.times_s[0] >= 5.5 * PERIOD_S
    assert beats.times_s[3] - beats.times_s[1] >= 1.5 * PERIOD_S


def test_closing_waits_for_a_beat_that_has_begun() -> None:
    beats = Beats(first_takes_s=0.3)
    heartbeat = Heartbeat(0.01, beats)
    beats.wait_for(1)
    heartbeat.close()
    assert time.monotonic() - beats.times_s[0] >= 0.3


@pytest.mark.skipif(not may_set_real_time(), reason='needs the right to real-time threads')
@pytest.mark.parametrize('priority', [0, 3])
def test_it_is_scheduled_as_asked(priority: int) -> None:
    beats = Beats()
    heartbeat = Heartbeat(0.01, beats, priority)
    beats.wait_for(1)
    heartbeat.close()
    is_real_time = beats.scheduler & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR
    assert is_real_time == (priority > 0)
