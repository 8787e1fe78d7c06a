# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace

from benchmark.load.cases import clock_musts, soak_musts
from benchmark.load.phases import PHASES
from benchmark.load.report import format_markdown
from benchmark.load.result import (
    all_actions_succeed,
    CaseResult,
    depth_comes_to_the_end,
    depth_is_whole,
    every_frame_has_a_fate,
    latency_does_not_pile_up,
    Must,
    no_frame_is_rejected,
    nothing_is_lost,
    nothing_piles_up,
    Watched,
)
from benchmark.node.summary import Sample
import pytest

MS = 1_000_000
STAMPS = [index * 33 * MS for index in range(90)]
SAMPLES = [Sample(float(second), 200.0, 26, 22) for second in range(20)]
COUNTS = {'received': 90, 'processed': 60, 'superseded': 30, 'rejected': 0}
VALUES = {f'frames {name}': str(count) for name, count in COUNTS.items()} | {
    'frames ignored (nobody listens)': '0', 'processing p95 (ms)': '60.0',
}  # fmt: skip
GOOD = Watched(
    SAMPLES,
    [(stamp, stamp + 100 * MS) for stamp in STAMPS],
    0,
    VALUES,
    ['a (a.onnx)'],
    [('one', ''), ('two', '')],
    STAMPS,
    0,
)


def every_must(watched: Watched) -> dict[str, bool]:
    musts = [
        depth_is_whole(watched),
        depth_comes_to_the_end(watched),
        every_frame_has_a_fate(watched),
        no_frame_is_rejected(watched),
        nothing_is_lost(watched),
        latency_does_not_pile_up(watched),
        all_actions_succeed(watched, 2),
        *nothing_piles_up(watched, 10.0),
    ]
    return {must.text: must.held for must in musts}


def test_a_good_run_passes() -> None:
    assert all(every_must(GOOD).values())


def grown(**changes: float) -> list[Sample]:
    return [*SAMPLES[:-6], *(replace(sample, **changes) for sample in SAMPLES[-6:])]


@pytest.mark.parametrize(
    ('changes', 'broken'),
    [
        ({'broken': 1}, 'every depth map is whole'),
        ({'frames_ns': GOOD.frames_ns[:59]}, 'depth comes to the end'),
        ({'values': {**VALUES, 'frames processed': '57'}}, 'every frame has one fate'),
        ({'values': {**VALUES, 'frames processed': '61'}}, 'every frame has one fate'),
        ({'values': {**VALUES, 'frames rejected': '1'}}, 'no frame is rejected'),
        ({'stamps_ns': [*STAMPS, 91 * 33 * MS]}, 'no picture is lost on the way'),
        ({'values': {**VALUES, 'processing p95 (ms)': '50.0'}}, 'pictures do not queue up'),
        ({'actions': [('one', '')]}, 'all 2 actions succeed'),
        ({'actions': [('one', ''), ('two', 'refused')]}, 'all 2 actions succeed'),
        ({'samples': grown(resident_mb=210.0)}, 'memory grows by less than 10 MB'),
        ({'samples': grown(descriptors=28)}, 'descriptors grows by less than 2'),
        ({'samples': grown(threads=23)}, 'threads grows by less than 1'),
    ],
)
def test_each_fault_is_found(changes: dict[str, object], broken: str) -> None:
    failed = [text for text, held in every_must(replace(GOOD, **changes)).items() if not held]
    assert any(text.startswith(broken) for text in failed)


@pytest.mark.parametrize(
    'changes',
    [
        {'frames_ns': GOOD.frames_ns[:60]},
        {'values': {**VALUES, 'frames processed': '58'}},
        {'values': {**VALUES, 'processing p95 (ms)': '50.1'}},
        {'samples': grown(resident_mb=209.9)},
        {'samples': grown(descriptors=27)},
    ],
)
def test_what_is_just_good_enough(changes: dict[str, object]) -> None:
    assert all(every_must(replace(GOOD, **changes)).values())


def heard() -> list[dict[str, object]]:
    return [
        {
            'phase': phase.name, 'frames': 9, 'stops': 9, 'longest_silence_s': 0.9,
            'last_stop': phase.must_stop, 'level': 3 if phase.must_stop else 0,
        }
        for phase in PHASES
    ]  # fmt: skip


def test_a_clock_that_steps() -> None:
    assert all(must.held for must in clock_musts(heard()))


@pytest.mark.parametrize(
    ('phase', 'changes'),
    [
        (1, {'frames': 0}),
        (1, {'stops': 0}),
        (1, {'longest_silence_s': 1.0}),
        (3, {'last_stop': False}),
        (3, {'last_stop': None}),
        (-1, {'last_stop': True}),
        (0, {'last_stop': True}),
    ],
)
def test_a_clock_that_does_harm(phase: int, changes: dict[str, object]) -> None:
    phases = heard()
    phases[phase] |= changes
    assert [must.held for must in clock_musts(phases)].count(False) == 1


SOAK = {
    'rss_growth_mb': 4.9, 'p99_first_ms': 100.0, 'p99_last_ms': 110.0, 'frames_lost': 0,
    'descriptors': [30, *[26] * 20], 'threads': [30, *[22] * 20],
}  # fmt: skip


def test_a_long_run() -> None:
    assert all(must.held for must in soak_musts(SOAK, 249.0))


@pytest.mark.parametrize(
    ('changes', 'peak_mb'),
    [
        ({}, 250.0),
        ({'rss_growth_mb': 5.0}, 249.0),
        ({'rss_growth_mb': None}, 249.0),
        ({'p99_last_ms': 110.1}, 249.0),
        ({'p99_last_ms': None}, 249.0),
        ({'descriptors': [26] * 20 + [27]}, 249.0),
        ({'threads': [22] * 20 + [21]}, 249.0),
        ({'frames_lost': 1}, 249.0),
    ],
)
def test_a_long_run_that_changes(changes: dict[str, object], peak_mb: float) -> None:
    assert [must.held for must in soak_musts(SOAK | changes, peak_mb)].count(False) == 1


def test_the_report_tells_passed_failed_and_missing() -> None:
    results = [
        CaseResult('good', 'what', [Must('a', True, 'x')]),
        CaseResult('bad', 'what', [Must('a', True, 'x'), Must('b', False, 'y | z\nw')]),
        CaseResult('none', 'what', missing='no mount'),
    ]
    text = format_markdown(results, 'heading')
    assert '| good | passed |' in text and '| bad | **failed** |' in text
    assert '| none | not run | 0 | no mount |' in text
    assert '| bad | b | **failed** | y / z w |' in text
    assert [found.as_json()['passed'] for found in results] == [True, False, None]
