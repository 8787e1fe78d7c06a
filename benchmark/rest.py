# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
What depth_node and alert_node cost while nothing happens, and how soon they end when told to.

Both run beside each other without a camera. Then each is started and ended by SIGTERM again and
again. Exit status 1 where something that must hold does not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
import os
from pathlib import Path
import signal
import sys
import tempfile
import time

from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.report.output_files import add_overwrite_argument, check_outputs, write_json

from .machine import processor
from .processes import own_environment, Process, running, START_LIMIT_S, TrialError

NODES = ('depth_node', 'alert_node')
_MODULES = 'fcrn_depth_ros.nodes'
_MOST_IDLE_PERCENT, _MOST_EXIT_S = 2.0, 1.0
# Discovery and the first of each diagnostics.
_SETTLE_S = 5.0
# What each node logs once it is up.
_UP = 'inactive -> active'


@dataclass(frozen=True)
class Exit:
    """How one process ended."""

    node: str
    seconds: float
    status: int


@dataclass(frozen=True)
class Found:
    """
    What was measured.

    Attributes
    ----------
    idle_percent : dict of str to float
        Share of one core that each node took without input.
    peak_mb : dict of str to float
        Most resident memory of each node since its start.
    exits : list of Exit
        In turn.

    """

    idle_percent: dict[str, float]
    peak_mb: dict[str, float]
    exits: list[Exit]

    @property
    def idle_together_percent(self) -> float:
        """Share of one core that both nodes took."""
        return sum(self.idle_percent.values())

    @property
    def clean_exits(self) -> int:
        """Number of exits with status 0 within the limit."""
        return sum(one.status == 0 and one.seconds < _MOST_EXIT_S for one in self.exits)

    @property
    def held(self) -> bool:
        """Whether everything that must hold does."""
        is_quiet = self.idle_together_percent < _MOST_IDLE_PERCENT
        return is_quiet and self.clean_exits == len(self.exits)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(prog='scripts/bench rest', description=__doc__)
    parser.add_argument('--seconds', type=float, default=60.0, help='of idleness')
    parser.add_argument('--exits', type=int, default=50, help='of each node')
    parser.add_argument('--output', type=Path, default=Path('bench_out/rest.json'))
    add_overwrite_argument(parser)
    options = parser.parse_args(arguments)
    if options.seconds <= 0 or options.exits < 0:
        parser.error('--seconds must be positive and --exits at least 0')
    try:
        check_outputs([options.output], [], options.overwrite)
    except ToolInputError as error:
        parser.error(str(error))
    load_before = os.getloadavg()[0]
    try:
        with tempfile.TemporaryDirectory(prefix='fcrn_depth_rest_') as folder:
            idle_percent, peak_mb = idle(Path(folder), options.seconds)
            exits = [ended(node, Path(folder)) for _ in range(options.exits) for node in NODES]
    except TrialError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    found = Found(idle_percent, peak_mb, exits)
    print(as_text(found))
    write_json(
        options.output,
        {
            **asdict(found),
            'idle_together_percent': found.idle_together_percent,
            'clean_exits': found.clean_exits,
            'machine': f'{processor()}, {os.cpu_count()} cores',
            'load_average': [load_before, os.getloadavg()[0]],
        },
    )
    return 0 if found.held else 1


def idle(folder: Path, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    """Return the share of a core, and the peak of memory, of each node without input."""
    variables = own_environment(folder, is_tuned=True)
    with (
        running([f'{_MODULES}.depth_node'], variables, folder) as depth,
        running([f'{_MODULES}.alert_node'], variables, folder) as alert,
    ):
        processes = dict(zip(NODES, (depth, alert), strict=True))
        for process in processes.values():
            await_up(process, folder)
        time.sleep(_SETTLE_S)
        began_s = time.monotonic()
        before = {name: process.usage() for name, process in processes.items()}
        time.sleep(seconds)
        after = {name: process.usage() for name, process in processes.items()}
        passed_s = time.monotonic() - began_s
    return (
        {name: 100.0 * (after[name].cpu_s - before[name].cpu_s) / passed_s for name in NODES},
        {name: after[name].peak_mb for name in NODES},
    )


def ended(node: str, folder: Path, now_s: Callable[[], float] = time.monotonic) -> Exit:
    """Start a node, tell it to end, and say how it did."""
    with running(
        [f'{_MODULES}.{node}'], own_environment(folder, is_tuned=True), folder
    ) as process:
        await_up(process, folder)
        told_s = now_s()
        os.kill(process.pid, signal.SIGTERM)
        status = process.wait()
        return Exit(node, now_s() - told_s, status)


def await_up(process: Process, folder: Path) -> None:
    """Wait until a node is active."""
    log = folder / f'{process.name}.log'
    deadline_s = time.monotonic() + START_LIMIT_S
    while _UP not in log.read_text(errors='replace'):
        process.check()
        if time.monotonic() > deadline_s:
            raise TrialError(f'{process.name} must become active within {START_LIMIT_S:g} s')
        time.sleep(0.02)


def as_text(found: Found) -> str:
    """Return the findings as lines for people."""
    lines = [
        f'{name}: {found.idle_percent[name]:.2f} % of a core without input, '
        f'{found.peak_mb[name]:.0f} MB at most'
        for name in NODES
    ]
    lines.append(
        f'both: {found.idle_together_percent:.2f} % (must be below {_MOST_IDLE_PERCENT:g})'
    )
    if found.exits:
        slowest = max(found.exits, key=lambda one: one.seconds)
        lines.append(
            f'SIGTERM: {found.clean_exits} of {len(found.exits)} ended with status 0 within '
            f'{_MOST_EXIT_S:g} s; the slowest, {slowest.node}, took {slowest.seconds:.2f} s'
        )
    return '\n'.join(lines)


if __name__ == '__main__':
    sys.exit(main())
