# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
End the parent process when it stops reporting: the program that `hang_guard` starts.

It is a process of its own because a thread cannot do this: a parent that waits in C code for a
lock may hold the interpreter's lock, and then no Python of its own runs any more, its signal
handlers included. Only the standard library is imported, to be ready within milliseconds.

Each line of standard input is a time limit in seconds and what has to happen within it; `0`
suspends the watch. The end of the input ends this program.
"""

import os
import select
import signal
import sys
import time

# After SIGABRT, faulthandler prints the stacks; a core dump of a large process takes longer.
ABORT_S = 10.0


def main() -> None:
    """Watch the process that the command line names."""
    executable, parent, advice = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    limit_s, task = 0.0, ''
    while True:
        ready, _, _ = select.select([sys.stdin.fileno()], [], [], limit_s or None)
        if not ready:
            _end(parent, f'error: {executable}: {task} must end within {limit_s:g} s; {advice}')
            return
        lines = os.read(sys.stdin.fileno(), 4096).decode().splitlines()
        if not lines:
            return
        number, _, task = lines[-1].partition(' ')
        limit_s = float(number)


def _end(parent: int, reason: str) -> None:
    # While the parent is ours, nobody else can have got its number.
    if os.getppid() != parent:
        return
    print(reason, file=sys.stderr, flush=True)
    os.kill(parent, signal.SIGABRT)
    deadline_s = time.monotonic() + ABORT_S
    while os.getppid() == parent and time.monotonic() < deadline_s:
        time.sleep(0.05)
    if os.getppid() == parent:
        os.kill(parent, signal.SIGKILL)


if __name__ == '__main__':
    main()
