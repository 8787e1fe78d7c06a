# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from benchmark.node.summary import percentiles, Sample, soak, summarize
from node_measurements import measurement, MS
import pytest


def test_only_pictures_of_the_window_count() -> None:
    found = measurement([(999, 1010), (1000, 1040), (1990, 2010)])
    assert found.latencies_ms() == [40.0, 20.0]


def test_only_depth_that_comes_in_the_window_makes_the_rate() -> None:
    found = measurement([(900, 999), (990, 1000), (1900, 1999), (1990, 2000)])
    assert found.arrived_in_window == 2


def test_overhead_is_the_latency_less_the_inference_of_the_same_frame() -> None:
    frames = [(900, 950), (1000, 1045), (1100, 1160), (1200, 1290)]
    inference_s = {900 * MS: 0.0, 1000 * MS: 0.04, 1100 * MS: 0.05}
    assert measurement(frames, inference_s=inference_s).overheads_ms() == pytest.approx([5, 10])


def test_the_newest_depth_ages_until_the_next_one_comes() -> None:
    ages_ms = measurement([(980, 1000), (1450, 1500)]).newest_ages_ms()
    assert (ages_ms[0], max(ages_ms), min(ages_ms)) == (20.0, 545.0, 20.0)
    assert ages_ms[100] == 50.0 and len(ages_ms) == 200


def test_an_older_picture_that_comes_late_makes_nothing_newer() -> None:
    ages_ms = measurement([(980, 1000), (970, 1100)]).newest_ages_ms()
    assert ages_ms[20] == 120.0


def test_before_the_first_depth_there_is_no_age() -> None:
    assert measurement().newest_ages_ms() == []
    assert len(measurement([(1000, 1900)]).newest_ages_ms()) == 20


def test_percentiles_and_none_without_a_value() -> None:
    assert percentiles(range(101), (50, 95)) == {'p50': 50.0, 'p95': 95.0}
    assert percentiles([], (99,)) == {'p99': None}


def test_rounds_are_pooled() -> None:
    row = summarize(
        [
            measurement([(1000, 1010), (1100, 1110)], cpu_s=0.2, lost=1, superseded=5),
            measurement([(1000, 1030)], cpu_s=0.1, lost=2, peak_mb=120.0),
        ]
    )
    assert row['latency_ms'] == {'p50': 10.0, 'p95': 28.0, 'p99': 29.6}
    assert (row['fps'], row['cpu_ms_per_frame'], row['peak_mb']) == (1.5, 100.0, 120.0)
    assert (row['published'], row['lost'], row['superseded']) == (120, 3, 5)


def test_a_trial_without_depth_has_no_cost_a_frame() -> None:
    row = summarize([measurement()])
    assert row['cpu_ms_per_frame'] is None and row['fps'] == 0.0


def long_run(growth_mb_per_s: float, late_latency_ms: int) -> dict[str, object]:
    frames = [(1000 + 10 * i, 1010 + 10 * i) for i in range(6000)]
    late = [(stamp, stamp + late_latency_ms) for stamp, _ in frames if stamp > 45000]
    samples = [
        Sample(second, 100.0 + growth_mb_per_s * second + 50.0 * (second < 6), 20, 9)
        for second in range(1, 61)
    ]
    return soak(
        measurement([*frames, *late], window_ns=(1000 * MS, 61000 * MS), samples=samples, lost=3)
    )


def test_a_steady_run_neither_grows_nor_slows_down() -> None:
    found = long_run(0.0, 10)
    assert (found['rss_growth_mb'], found['frames_lost']) == (0.0, 3)
    assert found['p99_first_ms'] == found['p99_last_ms'] == 10.0


def test_what_is_held_during_the_warm_up_is_no_growth_but_a_leak_is() -> None:
    assert long_run(0.1, 10)['rss_growth_mb'] == pytest.approx(4.85, abs=0.3)


def test_a_slower_end_shows_in_the_last_third_only() -> None:
    found = long_run(0.0, 500)
    assert (found['p99_first_ms'], found['p99_last_ms']) == (10.0, 500.0)


def test_the_course_has_one_pair_for_each_sample() -> None:
    found = long_run(0.0, 10)
    assert len(found['latency_ms']) == len(found['time_s']) == 60  # type: ignore[arg-type]


def test_a_run_too_short_to_compare_has_no_growth() -> None:
    assert soak(measurement([(1000, 1010)]))['rss_growth_mb'] is None
