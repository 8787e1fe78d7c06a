# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
What depth_node costs, how late it is and what it loses, beside a tutorial node and without ROS.

Every round runs each trial once, so that whatever else the machine does meets all of them alike.
"""

from __future__ import annotations

import datetime
import os
import sys

from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.report.output_files import check_outputs, write_bytes, write_json
from fcrn_depth_ros.ros.ros_version import ros_distro

from .plan import parser, plan, Trial
from .report import build_report, draw, format_markdown
from .summary import Measurement
from .trial import run
from ..machine import processor, versions
from ..processes import TrialError


def main() -> int:
    """Measure and report."""
    command = parser()
    arguments = command.parse_args()
    table, data, chart = (
        arguments.output.with_name(f'{arguments.output.name}{suffix}')
        for suffix in ('.md', '.json', '.png')
    )
    try:
        chosen = plan(arguments)
        check_outputs([table, data, chart], arguments.models, arguments.overwrite)
    except (ValueError, ToolInputError) as error:
        command.error(str(error))
    load_before = os.getloadavg()[0]
    missing: list[str] = []
    trials = [*chosen.overhead, *chosen.compared]
    rounds: dict[Trial, list[Measurement]] = {trial: [] for trial in trials}
    for turn in range(chosen.rounds):
        for number, trial in enumerate(trials, 1):
            _tell(f'round {turn + 1}/{chosen.rounds}, {number}/{len(trials)}: {_name(trial)}')
            measured = _measure(trial, chosen.seconds, missing)
            if measured:
                rounds[trial].append(measured)
    soaked = None
    if chosen.soak_minutes:
        _tell(f'soak of {chosen.soak_minutes:g} minutes: {_name(chosen.ours)}')
        soaked = _measure(chosen.ours, 60.0 * chosen.soak_minutes, missing)
    report = build_report(
        chosen,
        rounds,
        soaked,
        {
            'date': datetime.date.today().isoformat(),
            'machine': f'{processor()}, {os.cpu_count()} cores',
            'versions': {**versions(), 'ROS 2': ros_distro()},
            'load_average': [load_before, os.getloadavg()[0]],
            'missing': missing,
        },
    )
    try:
        write_bytes(chart, draw(report))
    except ImportError:
        missing.append(f'{chart.name}: matplotlib is not installed (the extra "bench" has it)')
    write_json(data, report)
    text = format_markdown(report)
    write_bytes(table, text.encode())
    print(text)
    return 1 if not any(rounds.values()) else 0


def _measure(trial: Trial, seconds: float, missing: list[str]) -> Measurement | None:
    try:
        return run(trial, seconds)
    except TrialError as error:
        # A trial that fails is a line of the report, not the end of the run.
        missing.append(f'{_name(trial)}: {error}')
        _tell(f'failed: {error}')
        return None


def _name(trial: Trial) -> str:
    return (
        f'{trial.contestant}, {trial.model.name}, {trial.camera}, {trial.rate_hz:g} Hz, threads: '
        f'{trial.threads}{", " if trial.transport else ""}{trial.transport}'
    )


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == '__main__':
    sys.exit(main())
