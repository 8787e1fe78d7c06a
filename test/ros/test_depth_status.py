# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fcrn_depth_ros.estimation.stopwatch import Stage
from fcrn_depth_ros.ros.depth_status import assess, DepthStatus, StatusKeeper
from fcrn_depth_ros.ros.diagnostics import Level
import pytest

HEALTHY = DepthStatus(
    lifecycle_state='active',
    frames_received=9,
    input_rate_hz=10.0,
    output_rate_hz=10.0,
    scale_unverified_because='',
)


@pytest.mark.parametrize(
    ('changes', 'level', 'text'),
    [
        ({}, Level.OK, 'depth is published'),
        ({'configure_error': 'no file'}, Level.ERROR, 'no file'),
        ({'lifecycle_state': 'inactive'}, Level.WARN, 'inactive'),
        ({'frames_received': 0}, Level.WARN, 'first image'),
        ({'frames_received': 0, 'picture_problem': 'lost'}, Level.WARN, 'lost'),
        ({'input_rate_hz': 0.0}, Level.ERROR, 'no image'),
        ({'input_rate_hz': 0.0, 'picture_problem': 'lost'}, Level.ERROR, '; lost'),
        ({'picture_problem': '9 of 10 lost'}, Level.WARN, '9 of 10 lost'),
        ({'rejected_lately': True, 'last_rejection': 'bad step'}, Level.ERROR, 'bad step'),
        ({'image_usable': False, 'image_quality': 'dark'}, Level.WARN, 'dark'),
        ({'output_rate_hz': 0.0}, Level.OK, 'nobody listens'),
        ({'output_rate_hz': 0.0, 'in_work_s': 10.0}, Level.OK, 'nobody listens'),
        ({'output_rate_hz': 0.0, 'in_work_s': 10.1}, Level.ERROR, 'got none for 10 s'),
        ({'worker_failure': 'SystemExit'}, Level.ERROR, 'the process ends: SystemExit'),
        ({'scale_unverified_because': 'no camera_info'}, Level.WARN, 'no camera_info'),
    ],
)
def test_the_worst_is_said(changes: dict[str, object], level: Level, text: str) -> None:
    found, sentence = assess(replace(HEALTHY, **changes))
    assert found is level and text in sentence


class SteadyClock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_every_frame_has_one_fate() -> None:
    keeper = StatusKeeper(SteadyClock())
    for superseded_another in (False, True, False, False):
        keeper.count_received(superseded_another)
    keeper.count_rejected('bad')
    keeper.count_ignored()
    keeper.count_processed({Stage.INFERENCE: 0.02}, 0.05)
    status = keeper.snapshot()
    assert status.frames_received == status.frames_processed + status.frames_dropped == 4
    assert status.last_rejection == 'bad'
    assert status.inference_ms == pytest.approx(20) and status.input_age_ms == pytest.approx(50)


@pytest.mark.parametrize(
    'end',
    [
        lambda keeper: keeper.count_rejected('bad'),
        lambda keeper: keeper.count_ignored(),
        lambda keeper: keeper.count_processed({Stage.INFERENCE: 0.02}, 0.05),
        lambda keeper: keeper.forget_frames(),
    ],
    ids=['rejected', 'ignored', 'processed', 'deactivated'],
)
def test_a_frame_is_in_the_works_until_its_fate_is_known(
    end: Callable[[StatusKeeper], None],
) -> None:
    clock = SteadyClock()
    keeper = StatusKeeper(clock)
    keeper.begin_work()
    clock.now_s += 3.0
    keeper.count_received(True)
    assert keeper.snapshot().in_work_s == 3.0
    end(keeper)
    assert keeper.snapshot().in_work_s == 0.0


def test_lost_frames_are_dropped_but_never_received() -> None:
    keeper = StatusKeeper(SteadyClock())
    keeper.count_lost(3)
    status = keeper.snapshot()
    assert (status.frames_dropped, status.frames_received) == (3, 0)


def test_the_scale_is_not_verified_before_the_first_frame() -> None:
    assert DepthStatus().as_values()['metric scale'] == 'unverified: no frame yet'


def test_rates_and_rejections_fade() -> None:
    clock = SteadyClock()
    keeper = StatusKeeper(clock)
    for _ in range(10):
        keeper.count_received(False)
    keeper.count_rejected('bad')
    assert keeper.snapshot().input_rate_hz == pytest.approx(2.0)
    clock.now_s += 4.9
    assert keeper.snapshot().rejected_lately
    clock.now_s += 0.2
    faded = keeper.snapshot()
    assert faded.input_rate_hz == 0.0 and not faded.rejected_lately


def test_percentiles_of_each_stage_and_of_all_but_the_wait() -> None:
    keeper = StatusKeeper(SteadyClock())
    for milliseconds in range(1, 102):
        time_s = milliseconds * 1e-3
        keeper.count_processed(
            {Stage.WAIT: 1.0, Stage.INFERENCE: time_s, Stage.PUBLISH: time_s}, 0.0
        )
    status = keeper.snapshot()
    assert status.stages_ms[Stage.INFERENCE] == pytest.approx((51, 96))
    assert status.stages_ms[Stage.WAIT] == pytest.approx((1000, 1000))
    assert status.processing_ms == pytest.approx((102, 192))


def test_frames_without_a_stage_have_no_part_in_its_percentiles() -> None:
    keeper = StatusKeeper(SteadyClock())
    keeper.count_processed({Stage.INFERENCE: 0.02}, 0.0)
    keeper.count_processed({Stage.REPEATS: 0.001}, 0.0)
    assert keeper.snapshot().stages_ms[Stage.INFERENCE] == pytest.approx((20, 20))


def test_each_stage_has_its_percentiles_in_the_values() -> None:
    values = replace(HEALTHY, stages_ms={Stage.DECODE: (1.0, 2.0)}).as_values()
    assert (values['decode p50 (ms)'], values['decode p95 (ms)']) == (1.0, 2.0)
    for stage in Stage:
        assert {f'{stage.value} p50 (ms)', f'{stage.value} p95 (ms)'} <= values.keys()


def test_what_a_frame_said_does_not_outlive_the_frames() -> None:
    keeper = StatusKeeper(SteadyClock())
    keeper.update(scale_unverified_because='', mounting='0.3 m high', camera_info='320x240 px')
    keeper.forget_frames()
    status = keeper.snapshot()
    assert status.scale_unverified_because == 'no frame yet'
    assert (status.mounting, status.camera_info) == ('unknown', 'none')


def test_values_carry_units_and_doubt() -> None:
    values = replace(HEALTHY, scale_unverified_because='x').as_values()
    assert values['metric scale'] == 'unverified: x'
    assert HEALTHY.as_values()['metric scale'] == 'verified'
    assert values['input rate (Hz)'] == 10.0
