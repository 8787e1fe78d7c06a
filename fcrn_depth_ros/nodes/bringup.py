# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Run depth_node and alert_node by one command, for machines without `ros2 launch`.

Each has a process of its own: in one interpreter, the heartbeat would wait for every step of the
depth estimation that holds the interpreter's lock.

A node that ends unasked is started again while the other one runs on: without depth_node,
alert_node stays in STOP or STALE; without alert_node, a consumer of its heartbeat holds the robot.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time

from ..errors import FcrnDepthError
from ..ros.child_processes import Processes, RestartPolicy, SupervisedProcess
from ..ros.transport import tune_fast_dds

_NODES = ('alert_node', 'depth_node')
_POLL_S = 0.1


def parse_command_line(arguments: list[str]) -> tuple[int, list[str]]:
    """
    Take bringup's own option out of the command line.

    Parameters
    ----------
    arguments : list of str
        Without the program's name.

    Returns
    -------
    tuple of int and list of str
        How often a node is started again in a row, and the arguments for the nodes.

    """
    parser = argparse.ArgumentParser(
        prog='bringup',
        description='Run depth_node and alert_node, each in a process of its own.',
        epilog='Everything after --ros-args is given to both nodes; a parameter of one is written '
        '-p depth_node:camera_height_m:=0.3',
        allow_abbrev=False,
    )
    parser.add_argument(
        '--restarts',
        metavar='N',
        type=int,
        default=5,
        help='how often a node that ends unasked is started again, counted anew after a minute '
        'of running; 0 ends both nodes instead (default: %(default)s)',
    )
    options, for_nodes = parser.parse_known_args(arguments)
    if options.restarts < 0:
        parser.error(f'--restarts must be 0 or more, got {options.restarts}; 0 switches it off')
    return options.restarts, for_nodes


def main(args: list[str] | None = None) -> int:
    """
    Run both nodes until a signal, or until one of them ends for good.

    Parameters
    ----------
    args : list of str or None
        Command line with the program's name; None takes that of the process.

    Returns
    -------
    int
        0 after a signal; 2 where a node refused its settings; else the status of the node that
        was not started again.

    """
    stopped = False

    def request_stop(signal_number: int, frame: object) -> None:
        nonlocal stopped
        stopped = True

    restarts, arguments = parse_command_line((sys.argv if args is None else args)[1:])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, request_stop)
    processes = Processes()
    try:
        tune_fast_dds()
        nodes = [
            SupervisedProcess(processes, node, arguments, RestartPolicy(restarts))
            for node in _NODES
        ]
        while not stopped:
            time.sleep(_POLL_S)
            for node in nodes:
                status = node.look_after(time.monotonic())
                if status is not None:
                    # Not positive where a signal killed it, or it ended as if all were well.
                    return max(1, status)
    except FcrnDepthError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    finally:
        processes.stop_all()
    return 0


if __name__ == '__main__':
    sys.exit(main())
