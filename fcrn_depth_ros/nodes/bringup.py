# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Run depth_node and alert_node by one command, for machines without `ros2 launch`.

Each has a process of its own: in one interpreter, the heartbeat would wait for every step of the
depth estimation that holds the interpreter's lock.
"""

from __future__ import annotations

import signal
import sys
import time

from ..ros.child_processes import Processes
from ..ros.transport import tune_fast_dds

_NODES = ('alert_node', 'depth_node')
_POLL_S = 0.1


def main(args: list[str] | None = None) -> int:
    """
    Run both nodes until a signal, or until one of them ends.

    Parameters
    ----------
    args : list of str or None
        Command line, given to both; parameters of one are written `-p node:name:=value`.

    Returns
    -------
    int
        0 after a signal, else that of the node that ended by itself.

    """
    stopped = False

    def request_stop(signal_number: int, frame: object) -> None:
        nonlocal stopped
        stopped = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, request_stop)
    tune_fast_dds()
    processes = Processes()
    try:
        for node in _NODES:
            processes.start(node, (sys.argv if args is None else args)[1:])
        ended: list[str] = []
        while not (stopped or ended):
            time.sleep(_POLL_S)
            ended = [node for node in _NODES if processes.status(node) is not None]
    finally:
        processes.stop_all()
    if stopped:
        return 0
    for node in ended:
        print(
            f'error: {node} must run to the end, got exit status {processes.status(node)}; '
            'its last lines above say why',
            file=sys.stderr,
        )
    # Not positive where a signal killed it, or where it ended unasked as if all were well.
    return max(1, *(processes.status(node) or 0 for node in ended))


if __name__ == '__main__':
    sys.exit(main())
