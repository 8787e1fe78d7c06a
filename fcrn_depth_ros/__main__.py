# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""``fcrn-depth COMMAND`` or ``python -m fcrn_depth_ros COMMAND``: the tools that need no ROS."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import importlib
import io
from pathlib import Path
import sys

from .errors import FcrnDepthError
from .threads import limit_numpy_threads

# Command -> module in tools/ and what it does. A module is only imported when its command runs,
# because some need packages that the others can do without.
COMMANDS = {
    'image': ('image', 'depth of single pictures'),
    'bag': ('bag', 'recordings (bags) to recordings with depth, proximity and alert'),
    'calibrate': ('calibrate.command', "parameters of a robot's own camera, measured"),
    'evaluate': ('measure.evaluate', 'accuracy of a model on pictures with measured depth'),
    'quantize': ('measure.quantize', 'INT8 copy of a model, and the accuracy lost'),
    'fetch-weights': ('fcrn.fetch_weights', "download the weights of the paper's network"),
    'import-weights': (
        'fcrn.import_weights',
        "make a model of the paper's network from its weights",
    ),
}
# Those that listen to the witnesses of scale.
_FOLLOW_SCALE = {'bag', 'calibrate'}


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Command and its options; those of the process by default.

    Returns
    -------
    int
        0; 1 where some of the work failed and was listed; 2 after one line on stderr that says
        what was wrong.

    """
    argv = sys.argv[1:] if argv is None else list(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that is not UTF-8 is printed, too.
        sys.stdout.reconfigure(errors='backslashreplace')
    as_module = Path(sys.argv[0]).name == '__main__.py'
    program = 'python -m fcrn_depth_ros' if as_module else 'fcrn-depth'
    parser = argparse.ArgumentParser(prog=program, description=__doc__)
    subparsers = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    tool = None
    for command, (module, summary) in COMMANDS.items():
        subparser = subparsers.add_parser(command, help=summary, description=summary)
        if argv[:1] == [command]:
            if command in _FOLLOW_SCALE:
                limit_numpy_threads()
            try:
                tool = importlib.import_module(f'.tools.{module}', __package__)
            except ModuleNotFoundError as err:
                return _fail(
                    f'{program} {command}',
                    f'{command} must find the Python package {err.name}, got none; install it '
                    "or this package's extra: pip install 'fcrn_depth_ros[tools]'",
                )
            tool.add_arguments(subparser)
    arguments = parser.parse_args(argv)
    assert tool is not None  # argparse has refused every other command
    try:
        status: int | None = tool.run(arguments)
    except (FcrnDepthError, OSError) as err:
        return _fail(f'{program} {arguments.command}', str(err))
    return status or 0


def _fail(command: str, message: str) -> int:
    print(f'{command}: error: {" ".join(message.split())}', file=sys.stderr)
    return 2


if __name__ == '__main__':
    sys.exit(main())
