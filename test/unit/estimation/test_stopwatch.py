# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from fcrn_depth_ros.estimation.stopwatch import Stage, Stopwatch


def test_every_moment_belongs_to_one_stage() -> None:
    stopwatch = Stopwatch(iter([10.0, 10.5, 12.5, 12.75]).__next__)
    for stage in (Stage.DECODE, Stage.INFERENCE, Stage.DECODE):
        stopwatch.lap(stage)
    assert stopwatch.times_s == {Stage.DECODE: 0.75, Stage.INFERENCE: 2.0}


def test_the_clock_of_a_stopwatch_goes_on() -> None:
    stopwatch = Stopwatch()
    stopwatch.lap(Stage.WAIT)
    assert stopwatch.times_s[Stage.WAIT] >= 0.0
