# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What must hold under load, with the real processes: pass or fail, and the course of it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import datetime
import os
from pathlib import Path
import sys
import tempfile

from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.estimation.onnx_model import embedded_model_path
from fcrn_depth_ros.report.output_files import (
    add_overwrite_argument,
    check_outputs,
    write_bytes,
    write_json,
)
from fcrn_depth_ros.ros.ros_version import ros_distro

from .cases import CASES, Options, run_case
from .report import draw, format_markdown
from .result import CaseResult, Must
from ..machine import processor, versions
from ..processes import TrialError


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    arguments = argparse.ArgumentParser(
        prog='scripts/bench load',
        description='What must hold under load: each case passes or fails.',
    )
    add = arguments.add_argument
    add('--cases', nargs='+', choices=CASES, default=[name for name in CASES if name != 'soak'])
    add('--model', type=Path, default=embedded_model_path('CPU'), help='ONNX file')
    add('--seconds', type=float, default=20.0, help='of each case that has no count')
    add('--cycles', type=int, default=50, help='of the lifecycle')
    add('--changes', type=int, default=10, help='of the network')
    add('--soak', type=float, default=0.0, metavar='MIN', help='adds the case soak')
    add(
        '--output',
        type=Path,
        default=Path('bench_out/load'),
        help='the files are OUTPUT.md, .json and .png (default: %(default)s)',
    )
    add_overwrite_argument(arguments)
    return arguments


def main() -> int:
    """Run the cases; 1 where one of them fails."""
    command = parser()
    arguments = command.parse_args()
    for name in ('seconds', 'cycles', 'changes'):
        if getattr(arguments, name) <= 0:
            command.error(f'--{name} must be positive, got {getattr(arguments, name)}')
    table, data, chart = (
        arguments.output.with_name(f'{arguments.output.name}{suffix}')
        for suffix in ('.md', '.json', '.png')
    )
    try:
        check_outputs([table, data, chart], [arguments.model], arguments.overwrite)
    except ToolInputError as error:
        command.error(str(error))
    options = Options(
        arguments.model.resolve(),
        arguments.seconds,
        arguments.cycles,
        arguments.changes,
        arguments.soak,
    )
    names = list(dict.fromkeys([*arguments.cases, *(['soak'] if arguments.soak else [])]))
    load_before = os.getloadavg()[0]
    results = []
    for name in names:
        print(f'{name} ...', file=sys.stderr, flush=True)
        results.append(_run(name, options))
        verdict = {True: 'passed', False: 'FAILED', None: 'not run'}[results[-1].passed]
        print(f'{name}: {verdict}', file=sys.stderr, flush=True)
    heading = (
        f'{processor()}, {os.cpu_count()} cores; '
        f'{", ".join(f"{key} {value}" for key, value in versions().items())}, ROS 2 '
        f'{ros_distro()}; {datetime.date.today().isoformat()}; load average '
        f'{load_before:.1f} before and {os.getloadavg()[0]:.1f} after'
    )
    _write(results, heading, (table, data, chart))
    return 1 if any(result.passed is False for result in results) else 0


def _run(name: str, options: Options) -> CaseResult:
    try:
        with tempfile.TemporaryDirectory(prefix='fcrn_depth_load_') as folder:
            return run_case(name, options, Path(folder))
    except TrialError as error:
        # A process that dies is what the case is about.
        return CaseResult(name, 'see below', [Must('every process lives', False, str(error))])


def _write(results: Sequence[CaseResult], heading: str, paths: tuple[Path, Path, Path]) -> None:
    table, data, chart = paths
    report = {'heading': heading, 'cases': {found.name: found.as_json() for found in results}}
    write_json(data, report)
    text = format_markdown(results, heading)
    write_bytes(table, text.encode())
    print(text)
    try:
        write_bytes(chart, draw(results))
    except ImportError:
        print('no chart: matplotlib is not installed (the extra "bench" has it)', file=sys.stderr)


if __name__ == '__main__':
    sys.exit(main())
