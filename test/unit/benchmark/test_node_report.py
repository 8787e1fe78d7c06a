# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from typing import Any

from benchmark.node.pictures import USUAL_INPUTS
from benchmark.node.plan import OURS, parser, plan, RECORDED, Trial, TUTORIAL
from benchmark.node.report import build_report, format_markdown
from benchmark.node.summary import Measurement, Sample
from node_measurements import measurement, MS
import pytest

PLAN = plan(parser().parse_args(['--quick']))
ABOUT: dict[str, Any] = {
    'date': '2026-01-01',
    'machine': 'a machine',
    'versions': {'Python': '3'},
    'load_average': [0.1, 0.2],
    'missing': ['something'],
}


def made_up(trial: Trial) -> Measurement:
    """Return 40 ms with 35 ms of inference; the tutorial node is 5 times as late."""
    latency = 200 if trial.contestant == TUTORIAL else 40
    frames = [(stamp, stamp + latency) for stamp in range(1000, 1700, 100)]
    return measurement(
        frames,
        trial,
        lost=7 if trial.contestant == TUTORIAL else 1,
        cpu_s=1.0 if trial.contestant == TUTORIAL else 0.6,
        inference_s={stamp * MS: 0.035 for stamp, _ in frames},
        stages_ms={'decode': (1.0, 2.0)},
    )


def report(**changes: Any) -> dict[str, Any]:
    trials = (*PLAN.overhead, *PLAN.compared)
    rounds = {trial: [made_up(trial)] for trial in trials} | changes.pop('rounds', {})
    return build_report(PLAN, rounds, changes.pop('soaked', None), ABOUT)


def test_the_keys_that_others_read() -> None:
    samples = [Sample(second, 100.0, 20, 9) for second in range(1, 61)]
    found = report(
        soaked=measurement(
            [(stamp, stamp + 40) for stamp in range(1000, 61000, 100)],
            window_ns=(1000 * MS, 61000 * MS),
            samples=samples,
        )
    )
    assert set(found['overhead_ms']) == set(USUAL_INPUTS)
    for pair in (*found['overhead_ms'].values(), *found['overhead_of_relay_ms'].values()):
        assert pair == pytest.approx({'p50': 5.0, 'p95': 5.0})
    assert found['against_tutorial'] == {
        'latency_p95_ratio': 5.0,
        'cpu_ratio': 0.6,
        'lost_by_tutorial': 7,
    }
    assert set(found['against_tutorial_by_default']) == set(found['against_tutorial'])
    assert found['against_tutorial_by_default']['cpu_ratio'] == 0.6
    assert found['frames_lost'] == len(USUAL_INPUTS) + 1
    assert found['soak']['rss_growth_mb'] == 0.0
    assert found['soak']['p99_first_ms'] == found['soak']['p99_last_ms'] == 40.0
    json.dumps(found, allow_nan=False)


def test_the_soak_is_null_where_none_was_run() -> None:
    assert report()['soak'] is None


def test_losses_over_another_transport_are_not_ours() -> None:
    other = Trial(OURS, PLAN.ours.model, 'vga_raw', 30.0, 1, 'default')
    lossy = {other: [measurement([(1000, 1040)], other, lost=99)]}
    assert report(rounds=lossy)['frames_lost'] == len(USUAL_INPUTS) + 1


def test_what_failed_is_null_not_zero() -> None:
    found = report(rounds={PLAN.tutorial: [], PLAN.tutorial_by_default: []})
    assert found['against_tutorial']['latency_p95_ratio'] is None
    assert found['against_tutorial_by_default']['cpu_ratio'] is None
    assert TUTORIAL not in {row['contestant'] for row in found['rows']}
    nothing = build_report(PLAN, {}, None, ABOUT)
    assert nothing['frames_lost'] is None and nothing['rows'] == []
    assert format_markdown(nothing)


def test_the_tables_have_as_many_cells_as_columns() -> None:
    tables = [line for line in format_markdown(report()).splitlines() if line.startswith('|')]
    widths = {line.count('|') for line in tables if 'm.onnx' in line or 'fps' in line}
    assert len(widths) == 1
    assert '| vga_raw | 5 | 5 | 5 | 5 | 5 | 5 |' in tables
    assert '| decode | 1 | 2 | 1 | 2 | 1 | 2 | 1 | 2 |' in tables


def test_what_was_not_measured_is_named() -> None:
    assert 'Not measured: something' in format_markdown(report())


def test_the_recorded_node_is_in_the_overhead_only() -> None:
    assert RECORDED not in {row['contestant'] for row in report()['rows']}
