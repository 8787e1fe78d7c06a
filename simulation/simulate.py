# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Drive a simulated robot at obstacles, past them and through free space.

camera -> depth -> alert -> velocity -> robot, in closed loop. By default the real nodes run in
processes of their own, over DDS, in real time. With --in-process perception and alert run in
lock-step with the renderer: quicker, in several workers, and equal seeds give equal drives.
With --oracle the renderer's true depth replaces the network: what still fails is not its fault.
With --compare both ways drive the same runs, and what differs is listed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
import json
from pathlib import Path
import signal
import sys
import time
from typing import Any

from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.report.output_files import add_overwrite_argument, check_outputs

from .drive import DriveOptions, FinishedDrive
from .drive_log import drive_record, DriveLog, result_of
from .drive_result import DriveResult, summarize
from .manoeuvres import SPEED_MPS
from .odometry import Sensors
from .scenarios import KIND_SETS

# As a DDS drive and an in-process drive of one run must end alike.
LEAST_AGREEMENT = 0.95


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
    parser.add_argument(
        '--kinds',
        choices=tuple(KIND_SETS),
        default='straight',
        help='straight ahead (default); manoeuvres: arcs, turning away, reversing; moving: '
        'people who cross the way, doors that open into it',
    )
    parser.add_argument(
        '--mounting',
        choices=('given', 'unknown', 'wrong'),
        default='given',
        help='what the robot knows of its camera; wrong: see --mounting-error, --pitch-error',
    )
    parser.add_argument(
        '--mounting-error',
        type=float,
        default=0.3,
        help='of a wrong height: share, up or down (default 0.3)',
    )
    parser.add_argument(
        '--pitch-error',
        type=float,
        default=0.0,
        help='of a wrong pitch: degrees, up or down (default 0)',
    )
    parser.add_argument(
        '--odometry',
        action='store_true',
        help='the robot has wheel odometry: noise, a bias of up to 3 %%, slip',
    )
    parser.add_argument(
        '--range-hint', action='store_true', help='the robot has one range sensor ahead'
    )
    parser.add_argument(
        '--no-memory',
        action='store_true',
        help="do not tell the alert the robot's body: it judges what is straight ahead only",
    )
    parser.add_argument(
        '--looming', action='store_true', help='the growth of the picture is a second opinion'
    )
    parser.add_argument(
        '--compare',
        action='store_true',
        help='drive over DDS, then in-process with the latency measured there; compare outcomes',
    )
    parser.add_argument(
        '--log',
        type=Path,
        help='file with a line for each drive; where it exists, the series goes on',
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
    if options.compare and (options.in_process or options.log):
        parser.error('--compare drives in both ways: leave out --in-process and --log')
    if not 0.0 <= options.mounting_error <= 0.5:
        parser.error(f'--mounting-error must be in [0, 0.5], got {options.mounting_error:g}')
    if not 0.0 <= options.pitch_error <= 30.0:
        parser.error(f'--pitch-error must be in [0, 30] degrees, got {options.pitch_error:g}')
    if options.looming and options.oracle:
        parser.error('--looming needs pictures: leave out --oracle')
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
    drives: Iterable[FinishedDrive],
    count: int,
    facts: dict[str, Any],
    file: Path | None,
    log: DriveLog | None = None,
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
    log : DriveLog or None
        Where each drive goes; drives that stand there already are reported, too.

    Returns
    -------
    list of DriveResult
        In order.

    """
    listed = [] if log is None else [log.records[run] for run in sorted(log.records)]
    results = [result_of(record) for record in listed]
    before = len(results)
    start_s = time.monotonic()
    for drive in drives:
        record = drive_record(drive)
        results.append(drive.result)
        listed.append(record)
        if log is not None:
            log.add(record)
        figures = summarize(results)
        done = len(results) - before
        left_s = (time.monotonic() - start_s) / done * (count - done)
        print(
            f'run {drive.run}: {drive.scenario.kind} -> {drive.result.outcome}; '
            f'{done} of {count}, {figures["collisions"]} collisions, '
            f'{figures["false_stops"]} false stops, {figures["never_stopped"]} never stopped, '
            f'{figures["stuck"]} stuck, {figures["not_judged"]} not judged, '
            f'{left_s / 60:.0f} min left',
            flush=True,
        )
        if file is not None and log is None:
            _write(file, figures, facts, listed)
    if file is not None and results:
        _write(file, summarize(results), facts, listed)
    return results


def _write(
    file: Path, figures: dict[str, Any], facts: dict[str, Any], listed: list[dict[str, Any]]
) -> None:
    text = json.dumps({**figures, **facts, 'list': listed}, indent=1)
    file.write_text(text + '\n', encoding='utf-8')


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 where a drive failed, or too many differ."""
    parsed = parse_command_line(arguments)
    parsed.out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = DriveOptions(
        parsed.seed,
        parsed.oracle,
        parsed.model,
        out=parsed.out,
        video=parsed.video,
        kinds=parsed.kinds,
        sensors=Sensors(
            parsed.mounting,
            parsed.mounting_error,
            parsed.odometry,
            parsed.range_hint,
            parsed.pitch_error,
        ),
        memory=not parsed.no_memory,
        looming=parsed.looming,
    )
    facts = {
        'oracle': parsed.oracle,
        'model': parsed.model or 'embedded',
        'in_process': parsed.in_process,
        'seed': parsed.seed,
        'speed_mps': SPEED_MPS,
        'kinds': parsed.kinds,
        'mounting': parsed.mounting,
        'mounting_error': parsed.mounting_error if parsed.mounting == 'wrong' else 0.0,
        'pitch_error_deg': parsed.pitch_error if parsed.mounting == 'wrong' else 0.0,
        'odometry': parsed.odometry,
        'range_hint': parsed.range_hint,
        'memory': not parsed.no_memory,
        'looming': parsed.looming,
    }
    runs = list(range(parsed.first, parsed.first + parsed.runs))
    try:
        if parsed.compare:
            return _compare(options, runs, facts, parsed)
        log = DriveLog(parsed.log, facts) if parsed.log else None
        if log is not None:
            runs = [run for run in runs if run not in log.records]
        drives = _drives(options, runs, parsed, parsed.in_process)
        results = report(drives, len(runs), facts, parsed.json, log)
    except KeyboardInterrupt:
        print('interrupted; the figures so far are in --json and --log', file=sys.stderr)
        return 130
    except (RuntimeError, ToolInputError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(json.dumps(summarize(results), indent=1))
    return 1 if any(result.failed for result in results) else 0


def _drives(
    options: DriveOptions, runs: Sequence[int], parsed: argparse.Namespace, in_process: bool
) -> Iterable[FinishedDrive]:
    if not runs:
        return ()
    if in_process:
        from .in_process import drives_in_process

        latency_s = None if parsed.latency_ms is None else parsed.latency_ms / 1e3
        return drives_in_process(options, runs, parsed.workers, latency_s)
    from .closed_loop import drives_over_dds  # needs ROS

    return drives_over_dds(options, runs)


def _compare(
    options: DriveOptions, runs: Sequence[int], facts: dict[str, Any], parsed: argparse.Namespace
) -> int:
    """Drive in both ways; print and keep what differs."""
    over_dds = report(_drives(options, runs, parsed, False), len(runs), facts, None)
    latency_s = summarize(over_dds)['reading_latency_s'].get('median')
    parsed.latency_ms = None if latency_s is None else 1e3 * latency_s
    in_process = report(_drives(options, runs, parsed, True), len(runs), facts, None)
    pairs = [
        {'run': run, 'dds': dds.outcome, 'in_process': here.outcome}
        for run, dds, here in zip(runs, over_dds, in_process, strict=True)
        if dds.outcome != 'not_judged'
    ]
    alike = sum(pair['dds'] == pair['in_process'] for pair in pairs)
    figures = {
        'compared': len(pairs),
        'alike': alike,
        'agreement': alike / len(pairs) if pairs else None,
        'latency_ms': parsed.latency_ms,
        'not_judged': len(runs) - len(pairs),
        'different': [pair for pair in pairs if pair['dds'] != pair['in_process']],
    }
    print(json.dumps(figures, indent=1))
    if parsed.json:
        text = json.dumps({**figures, **facts, 'list': pairs}, indent=1)
        parsed.json.write_text(text + '\n', encoding='utf-8')
    return 0 if pairs and alike >= LEAST_AGREEMENT * len(pairs) else 1


if __name__ == '__main__':
    sys.exit(main())
