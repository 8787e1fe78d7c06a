# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Let this process be scheduled before ordinary ones: a busy machine must not delay a stop."""

from __future__ import annotations

import os
from pathlib import Path


def ask_for_real_time(priority: int) -> str:
    """
    Put the threads that exist now under round-robin real-time scheduling (Linux).

    Threads and processes that they start later are ordinary again.

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
    try:
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        for thread in Path('/proc/self/task').iterdir():
            os.sched_setscheduler(int(thread.name), policy, os.sched_param(priority))
    except (AttributeError, OSError) as error:  # not Linux, or not permitted
        return f'ordinary, real time was refused: {error}'
    return f'round robin {priority}'
