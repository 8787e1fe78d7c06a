# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Schedule a node before ordinary processes: a busy machine must not delay a stop."""

from __future__ import annotations

from contextlib import suppress
import os
from pathlib import Path
import threading


def ask_for_real_time(priority: int) -> str:
    """
    Put the calling thread and the middleware's threads under round-robin real-time scheduling.

    Other Python threads (a buzzer, a worker) stay ordinary, and so do threads and processes that
    are started later. Linux only.

    Parameters
    ----------
    priority : int
        1 (least) to 99; 0 changes nothing.

    Returns
    -------
    str
        What holds now, for diagnostics: `round robin 20`, `ordinary`, or why it was refused.

    """
    if priority == 0:
        return 'ordinary'
    ordinary = {thread.native_id for thread in threading.enumerate()} - {threading.get_native_id()}
    try:
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        for thread in Path('/proc/self/task').iterdir():
            if int(thread.name) not in ordinary:
                with suppress(ProcessLookupError):  # it ended meanwhile
                    os.sched_setscheduler(int(thread.name), policy, os.sched_param(priority))
    except (AttributeError, OSError) as error:  # not Linux, or not permitted
        return f'ordinary, real time was refused: {error}'
    return f'round robin {priority}'
