# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a process uses, from /proc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_TICKS_PER_S = os.sysconf('SC_CLK_TCK')


class Usage(NamedTuple):
    """What a process has used so far, and what it holds now."""

    cpu_s: float
    resident_mb: float
    peak_mb: float
    descriptors: int
    threads: int


def usage(pid: int) -> Usage:
    """Return what a process has used so far and holds now, as /proc tells it."""
    process = Path('/proc') / str(pid)
    # The name of the program, in parentheses, may hold anything.
    fields = (process / 'stat').read_text().rpartition(')')[2].split()
    status = dict(
        line.split(':', 1) for line in (process / 'status').read_text().splitlines() if ':' in line
    )

    def kilobytes(key: str) -> float:
        return float(status[key].split()[0])

    return Usage(
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS_PER_S,
        resident_mb=kilobytes('VmRSS') / 1024,
        peak_mb=kilobytes('VmHWM') / 1024,
        descriptors=len(os.listdir(process / 'fd')),
        threads=int(status['Threads']),
    )


def forget_peak() -> None:
    """Let the peak of this process begin at what it holds now."""
    Path('/proc/self/clear_refs').write_text('5', encoding='ascii')
