# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What was measured, as JSON, as tables of Markdown and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import io
from typing import Any

from .plan import FLOOR, OURS, Plan, RECORDED, RELAY, Trial, TUTORIAL
from .summary import Measurement, percentiles, soak, summarize

Rounds = Mapping[Trial, Sequence[Measurement]]
_COLORS = {OURS: 'tab:blue', TUTORIAL: 'tab:red', FLOOR: 'tab:gray'}


def build_report(
    plan: Plan, rounds: Rounds, soaked: Measurement | None, about: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Arrange the measurements.

    Parameters
    ----------
    plan : Plan
        What was to be run.
    rounds : mapping of Trial to sequence of Measurement
        What was run; a trial that failed has none.
    soaked : Measurement or None
        The long run.
    about : mapping
        Machine, versions and the like, which come first.

    Returns
    -------
    dict
        JSON values. `overhead_ms.<input>.{p50,p95}`: latency from the stamp of the picture to
        the arrival of its depth in another process, less the inference of that very frame;
        `overhead_without_ros_ms` is the same of the pieces alone, `overhead_of_relay_ms` that of a
        node that does nothing. `against_tutorial`: p95 of the
        latency of the tutorial node over ours, CPU time a frame of ours over its, and the
        pictures it lost, all under the basic load with each node's usual transport;
        `against_tutorial_by_default`: the same with the defaults of ONNX Runtime's session.
        `frames_lost`: pictures that depth_node lost with its usual transport in all trials.

    """
    rows = {trial: summarize(done) for trial, done in rounds.items() if done}
    usual = plan.ours.transport
    own = [
        row
        for trial, row in rows.items()
        if trial.contestant in (OURS, RECORDED) and trial.transport == usual
    ]
    return {
        **about,
        'seconds': plan.seconds,
        'rounds': plan.rounds,
        'overhead_ms': _overheads(plan, rounds, RECORDED),
        'overhead_without_ros_ms': _overheads(plan, rounds, FLOOR),
        'overhead_of_relay_ms': _overheads(plan, rounds, RELAY),
        'stages_ms': _stages(plan, rounds),
        'against_tutorial': _against_tutorial(rows.get(plan.ours), rows.get(plan.tutorial)),
        'against_tutorial_by_default': _against_tutorial(
            rows.get(plan.ours), rows.get(plan.tutorial_by_default)
        ),
        'frames_lost': sum(row['lost'] for row in own) if own else None,
        'soak': None if soaked is None else soak(soaked),
        'rows': [rows[trial] for trial in plan.compared if trial in rows],
    }


def _overheads(plan: Plan, rounds: Rounds, contestant: str) -> dict[str, Any]:
    return {
        trial.camera: percentiles(
            (x for measured in rounds[trial] for x in measured.overheads_ms()), (50, 95)
        )
        for trial in plan.overhead
        if trial.contestant == contestant and rounds.get(trial)
    }


def _stages(plan: Plan, rounds: Rounds) -> dict[str, Any]:
    """Return the stages of the last round; their percentiles cannot be pooled."""
    return {
        trial.camera: {
            name: {'p50': pair[0], 'p95': pair[1]}
            for name, pair in rounds[trial][-1].stages_ms.items()
        }
        for trial in plan.overhead
        if trial.contestant == RECORDED and rounds.get(trial)
    }


def _against_tutorial(ours: Any, its: Any) -> dict[str, Any]:
    if not ours or not its:
        return {'latency_p95_ratio': None, 'cpu_ratio': None, 'lost_by_tutorial': None}
    return {
        'latency_p95_ratio': _ratio(its['latency_ms']['p95'], ours['latency_ms']['p95']),
        'cpu_ratio': _ratio(ours['cpu_ms_per_frame'], its['cpu_ms_per_frame']),
        'lost_by_tutorial': its['lost'],
    }


def _ratio(over: float | None, under: float | None) -> float | None:
    return round(over / under, 3) if over is not None and under else None


def format_markdown(report: Mapping[str, Any]) -> str:
    """Return the report as tables."""
    versions = ', '.join(f'{name} {version}' for name, version in report['versions'].items())
    lines = [
        f'{report["machine"]}; {versions}; {report["date"]}; {report["rounds"]} rounds of '
        f'{report["seconds"]:g} s; load average {report["load_average"][0]:.1f} before and '
        f'{report["load_average"][1]:.1f} after',
        '',
        'Overhead in ms: stamp of the picture to its depth in another process, less inference.',
        '',
        '| input | p50 | p95 | p50 without ROS | p95 | p50 of a relay that does nothing | p95 |',
        '|---|---|---|---|---|---|---|',
    ]
    for camera, found in report['overhead_ms'].items():
        floor = report['overhead_without_ros_ms'].get(camera, {})
        relay = report['overhead_of_relay_ms'].get(camera, {})
        cells = [pair.get(key) for pair in (found, floor, relay) for key in ('p50', 'p95')]
        lines.append(f'| {camera} | {" | ".join(map(_cell, cells))} |')
    lines += ['', *_stage_table(report['stages_ms'])]
    lines += [
        '',
        '| | model | input | Hz | threads | transport | fps | latency p50 ms | p95 | p99 '
        '| age of the newest p50 ms | p95 | published | lost | superseded | CPU ms a frame '
        '| peak MB |',
        '|' + '---|' * 17,
    ]
    for row in report['rows']:
        latency, age = row['latency_ms'], row['newest_age_ms']
        cells = [
            *(row[key] for key in ('contestant', 'model', 'input', 'rate_hz', 'threads')),
            row['transport'] or '-',
            row['fps'],
            *(latency[key] for key in ('p50', 'p95', 'p99')),
            *(age[key] for key in ('p50', 'p95')),
            *(row[key] for key in ('published', 'lost', 'superseded')),
            *(row[key] for key in ('cpu_ms_per_frame', 'peak_mb')),
        ]
        lines.append(f'| {" | ".join(map(_cell, cells))} |')
    against = report['against_tutorial']
    lines += [
        '',
        f'Tutorial node: p95 of the latency {_cell(against["latency_p95_ratio"])} times ours, '
        f'{_cell(against["lost_by_tutorial"])} pictures lost; ours takes '
        f'{_cell(against["cpu_ratio"])} of its CPU time a frame. '
        f'Lost by depth_node in all trials: {_cell(report["frames_lost"])}.',
    ]
    by_default = report['against_tutorial_by_default']
    lines.append(
        "With the defaults of ONNX Runtime's session (threads 0: every core, spinning) the "
        f'tutorial node has {_cell(by_default["latency_p95_ratio"])} times our p95 and loses '
        f'{_cell(by_default["lost_by_tutorial"])} pictures; ours takes '
        f'{_cell(by_default["cpu_ratio"])} of its CPU time a frame.'
    )
    if report['soak']:
        found = report['soak']
        lines += [
            '',
            f'{found["minutes"]:g} minutes: memory grew by {_cell(found["rss_growth_mb"])} MB; '
            f'p99 of the latency {_cell(found["p99_first_ms"])} ms in the first third and '
            f'{_cell(found["p99_last_ms"])} ms in the last; descriptors '
            f'{min(found["descriptors"])} to {max(found["descriptors"])}, threads '
            f'{min(found["threads"])} to {max(found["threads"])}; lost: {found["frames_lost"]}.',
        ]
    lines += [f'\nNot measured: {text}' for text in report['missing']]
    return '\n'.join(lines) + '\n'


def _stage_table(stages_ms: Mapping[str, Any]) -> list[str]:
    cameras = list(stages_ms)
    names = list(dict.fromkeys(name for stages in stages_ms.values() for name in stages))
    header = ' | '.join(f'{camera} p50 ms | p95' for camera in cameras)
    lines = [f'| stage inside depth_node | {header} |', '|---|' + '---|---|' * len(cameras)]
    for name in names:
        pairs = (stages_ms[camera].get(name, {}) for camera in cameras)
        cells = ' | '.join(f'{_cell(p.get("p50"))} | {_cell(p.get("p95"))}' for p in pairs)
        lines.append(f'| {name} | {cells} |')
    return lines if names else []


def _cell(value: object) -> str:
    if value is None:
        return '-'
    return f'{value:.4g}' if isinstance(value, float) else str(value)


def draw(report: Mapping[str, Any]) -> bytes:
    """
    Draw overhead, latency by rate and the soak.

    Parameters
    ----------
    report : mapping
        Of :func:`build_report`.

    Returns
    -------
    bytes
        A PNG.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    """
    from matplotlib.figure import Figure

    found = report['soak']
    figure = Figure(figsize=(12, 8 if found else 4))
    axes = figure.subplots(2 if found else 1, 2, squeeze=False)
    _draw_overhead(axes[0][0], report)
    _draw_latency(axes[0][1], report['rows'])
    if found:
        minutes = [time_s / 60.0 for time_s in found['time_s']]
        for key, style in (('p50', '-'), ('p99', ':')):
            values = [pair[key] for pair in found['latency_ms']]
            axes[1][0].plot(minutes, values, style, label=f'latency {key}, ms')
        memory = axes[1][1]
        memory.plot(minutes, found['rss_mb'], label='resident MB')
        memory.plot(minutes, found['descriptors'], label='descriptors')
        memory.plot(minutes, found['threads'], label='threads')
        for panel in axes[1]:
            panel.set_xlabel('minutes')
            panel.set_ylim(bottom=0)
            panel.legend()
    figure.tight_layout()
    content = io.BytesIO()
    figure.savefig(content, format='png', dpi=110)
    return content.getvalue()


def _draw_overhead(panel: Any, report: Mapping[str, Any]) -> None:
    for offset, key, color in (
        (-0.2, 'overhead_ms', 'tab:blue'),
        (0.2, 'overhead_without_ros_ms', 'tab:gray'),
    ):
        known = {name: pair for name, pair in report[key].items() if pair['p50'] is not None}
        places = [list(report['overhead_ms'] or known).index(name) + offset for name in known]
        label = 'without ROS' if 'without' in key else 'depth_node, end to end'
        panel.bar(places, [pair['p50'] for pair in known.values()], 0.4, color=color, label=label)
        panel.plot(places, [pair['p95'] for pair in known.values()], 'k_', markersize=14)
    cameras = list(report['overhead_ms'])
    panel.set_xticks(range(len(cameras)), cameras)
    panel.set_ylabel('ms over inference; p50, p95 (black)')
    panel.legend()


def _draw_latency(panel: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    base = rows[0]
    fixed = ('model', 'input', 'threads')
    transports: dict[str, str] = {}
    for row in rows:
        transports.setdefault(row['contestant'], row['transport'])
    for contestant, transport in transports.items():
        chosen = sorted(
            (
                row
                for row in rows
                if (row['contestant'], row['transport']) == (contestant, transport)
                and all(row[key] == base[key] for key in fixed)
                and row['latency_ms']['p95'] is not None
            ),
            key=lambda row: float(row['rate_hz']),
        )
        rates = [row['rate_hz'] for row in chosen]
        for key, style in (('p50', '--'), ('p95', '-')):
            values = [row['latency_ms'][key] for row in chosen]
            panel.plot(
                rates, values, style, marker='.', color=_COLORS[contestant],
                label=f'{contestant}, {key}',
            )  # fmt: skip
    panel.set_yscale('log')
    panel.set_xlabel(f'camera in Hz ({base["input"]}, {base["model"]}, {base["threads"]} thread)')
    panel.set_ylabel('latency, ms')
    panel.legend()
