# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Runs a module of Python with less memory.

The first argument is a control group (its folder) that this process joins, or a number of bytes
that its heap and stacks may take where there is none; then come the module and its arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import resource
import runpy
import sys

_CGROUP = Path('/sys/fs/cgroup')


@contextmanager
def memory_group(limit_bytes: int) -> Iterator[Path | None]:
    """
    Make a control group for the time of the block.

    Parameters
    ----------
    limit_bytes : int
        The most that its processes may hold together, the files that they map included.

    Yields
    ------
    Path or None
        Its folder; None where this process may not make one.

    """
    is_old = (_CGROUP / 'memory').is_dir()
    folder = (_CGROUP / 'memory' if is_old else _CGROUP) / f'fcrn_depth_bench_{os.getpid()}'
    limit = folder / ('memory.limit_in_bytes' if is_old else 'memory.max')
    try:
        folder.mkdir()
    except OSError:
        yield None
        return
    try:
        limit.write_text(str(limit_bytes), encoding='ascii')
    except OSError:
        folder.rmdir()
        yield None
        return
    try:
        yield folder
    finally:
        folder.rmdir()


def kills(group: Path) -> int:
    """Return how many processes of a control group were killed for their memory."""
    for name in ('memory.oom_control', 'memory.events'):
        if (group / name).is_file():
            lines = (group / name).read_text(encoding='ascii').splitlines()
            counts = dict(line.split() for line in lines)
            return int(counts.get('oom_kill', 0))
    return 0


def main() -> None:
    """Take the limit and become the module."""
    limit, module, *arguments = sys.argv[1:]
    if limit.isdecimal():
        resource.setrlimit(resource.RLIMIT_DATA, (int(limit), int(limit)))
    else:
        (Path(limit) / 'cgroup.procs').write_text(str(os.getpid()), encoding='ascii')
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name='__main__', alter_sys=True)


if __name__ == '__main__':
    main()
