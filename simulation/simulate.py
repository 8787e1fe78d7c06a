# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Drive a simulated robot at obstacles, past them and through free space.

camera -> depth -> alert -> velocity -> robot, in closed loop. By default the real nodes run in
processes of their own, over DDS, in real time. With --in-process perception and alert run in
lock-step with the renderer: quicker, in several workers, and equal seeds give equal drives.
With --oracle the renderer's true depth replaces the network: what still fails is not its fault.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
import dataclasses
import json
from pathlib import Path
import signal
import sys
import time
from typing import Any

from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.report.output_files import add_overwrite_argument, check_outputs

from .drive import DriveOptions, FinishedDrive, SPEED_MPS
from .drive_result import DriveResult, summarize


def parse_command_line(arguments: Sequence[str] | None) -> argparse.Namespace:
    """
    Read the options.

    Parameters
    ----------
    arguments : sequence of str or None
        Without the program's name; None takes those of the process.

    Returns
    -------
    argparse.Namespace
        Checked as far as files and numbers go.

    """
    parser = argparse.ArgumentParser(
        prog='simulate', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--runs', type=int, default=20, help='number of drives (default 20)')
    parser.add_argument('--seed', type=int, default=0, help='other seeds give other drives')
    parser.add_argument('--first', type=int, default=0, help='number of the first drive')
    parser.add_argument('--model', default='', help='model file (default: the embedded one)')
    parser.add_argument('--oracle', action='store_true', help='true depth instead of a network')
    parser.add_argument(
        '--in-process', action='store_true', help='no ROS: the same code, in lock-step'
    )
    parser.add_argument(
        '--workers', type=int, default=1, help='drives at a time, with --in-process (default 1)'
    )
    parser.add_argument(
        '--latency-ms',
        type=float,
        help='from a picture to its distance, with --in-process (default: as measured over DDS)',
    )
    parser.add_argument('--json', type=Path, help='file for the figures')
    parser.add_argument('--video', action='store_true', help='leave a video of every drive')
    parser.add_argument(
        '--out', type=Path, default=Path('runs/simulation'), help='folder for log and pictures'
    )
    add_overwrite_argument(parser)
    options = parser.parse_args(arguments)
    for name in ('runs', 'workers'):
        if getattr(options, name) < 1:
            parser.error(f'--{name} must be at least 1, got {getattr(options, name)}')
    if not options.in_process and (options.workers > 1 or options.latency_ms is not None):
        parser.error('--workers and --latency-ms need --in-process: over DDS, time is real')
    if options.latency_ms is not None and not 0 <= options.latency_ms <= 10_000:
        parser.error(f'--latency-ms must be in [0, 10000], got {options.latency_ms:g}')
    if options.model and not Path(options.model).is_file():
        parser.error(f'--model must be an ONNX file, got {options.model}; name one that is there')
    try:
        check_outputs(
            [options.json] if options.json else [],
            [Path(options.model)] if options.model else [],
            options.overwrite,
        )
    except ToolInputError as error:
        parser.error(str(error))
    return options


def report(
    drives: Iterable[FinishedDrive], count: int, facts: dict[str, Any], file: Path | None
) -> list[DriveResult]:
    """
    Print the progress of drives, and keep their figures up to date in a JSON file.

    Parameters
    ----------
    drives : iterable of FinishedDrive
        As they end.
    count : int
        How many there will be.
    facts : dict
        What else the file holds.
    file : Path or None
        Where the figures go.

    Returns
    -------
    list of DriveResult
        In order.

    """
    results: list[DriveResult] = []
    listed: list[dict[str, object]] = []
    start_s = time.monotonic()
    for drive in drives:
        results.append(drive.result)
        listed.append(
            {'run': drive.run, **drive.scenario.describe(), **dataclasses.asdict(drive.result)}
        )
        figures = summarize(results)
        left_s = (time.monotonic() - start_s) / len(results) * (count - len(results))
        print(
            f'run {drive.run}: {drive.scenario.kind} -> {drive.result.outcome}; '
            f'{len(results)} of {count}, {figures["collisions"]} collisions, '
            f'{figures["false_stops"]} false stops, {figures["never_stopped"]} never stopped, '
            f'{figures["not_judged"]} not judged, {left_s / 60:.0f} min left',
            flush=True,
        )
        if file is not None:
            text = json.dumps({**figures, **facts, 'list': listed}, indent=1)
            file.write_text(text + '\n', encoding='utf-8')
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 where a drive failed."""
    parsed = parse_command_line(arguments)
    parsed.out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = DriveOptions(
        parsed.seed, parsed.oracle, parsed.model, out=parsed.out, video=parsed.video
    )
    runs = range(parsed.first, parsed.first + parsed.runs)
    if parsed.in_process:
        from .in_process import drives_in_process

        latency_s = None if parsed.latency_ms is None else parsed.latency_ms / 1e3
        drives = drives_in_process(options, runs, parsed.workers, latency_s)
    else:
        from .closed_loop import drives_over_dds  # needs ROS

        drives = drives_over_dds(options, runs)
    facts = {
        'oracle': parsed.oracle,
        'model': parsed.model or 'embedded',
        'in_process': parsed.in_process,
        'seed': parsed.seed,
        'speed_mps': SPEED_MPS,
    }
    try:
        results = report(drives, len(runs), facts, parsed.json)
    except KeyboardInterrupt:
        print('interrupted; the figures so far are in --json', file=sys.stderr)
        return 130
    except RuntimeError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(json.dumps(summarize(results), indent=1))
    return 1 if any(result.failed for result in results) else 0


if __name__ == '__main__':
    sys.exit(main())
