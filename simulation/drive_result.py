# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a drive showed: a verdict when it is over, figures of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math
from typing import Any

import numpy as np

from .drive_sample import DriveSample, MOVING_MPS, STANDING_MPS
from .scenarios import Scenario

# Of the scale where one beam measures it.
RIGHT_WITH_BEAM = 0.07
# With more free path than this ahead nothing asks for a stop: the longest stopping distance of
# alert_node's defaults at 0.5 m/s is 0.7 m, and the estimate may be a third too short.
FALSE_STOP_BEYOND_M = 1.2


@dataclass(frozen=True)
class DriveResult:
    """
    The verdict on a drive.

    Attributes
    ----------
    outcome : str
        stopped, passed, collision, false_stop (something stopped the robot, or kept it from
        starting, with nothing near ahead), never_stopped (it neither hit nor stopped), stuck
        (it was not let turn away from what stopped it) or not_judged (the machine was too busy
        for a simulation in real time).
    smallest_clearance_m : float
        Over the whole drive.
    stopped_at_m : float or None
        Free path left where it stopped.
    reaction_latency_s : float or None
        From the obstacle's coming nearer than the stop distance to zero velocity on the wire;
        None where alert_node had stopped the robot before that.
    time_to_stop_s : float or None
        From the same moment to the robot's standing still.
    stops : int
        How often `stop` turned true after it had been released.
    false_reason : str
        `alert/state` where the robot was stopped falsely; empty otherwise.
    false_for_unknown : bool
        Whether that stop came from a picture without a distance.
    duration_s, lag_s : float
        Simulated time, and how long the simulation stood still because the machine was too busy.
    reading_latency_s : float or None
        From a picture to its distance at the robot, median of the drive.
    scale_error_after_1m : float or None
        By which share the depth is too far as a whole once the robot has gone a metre; None where
        it did not.
    contradicted_after_m : float or None
        How far the robot had gone when the witnesses of scale first contradicted each other; None
        where they never did.
    beam_pictures, beam_pictures_right, beam_landings_right : int
        Pictures in which the beam of a range sensor measured the scale, and in how many of them
        the depth was within `RIGHT_WITH_BEAM`: as a whole, and where the beam lands.

    """

    outcome: str
    smallest_clearance_m: float
    stopped_at_m: float | None
    reaction_latency_s: float | None
    time_to_stop_s: float | None
    stops: int
    false_reason: str
    false_for_unknown: bool
    duration_s: float
    lag_s: float
    reading_latency_s: float | None = None
    scale_error_after_1m: float | None = None
    contradicted_after_m: float | None = None
    beam_pictures: int = 0
    beam_pictures_right: int = 0
    beam_landings_right: int = 0

    @property
    def failed(self) -> bool:
        """Return whether the drive did not end as it should."""
        return self.outcome not in ('stopped', 'passed')


def judge_drive(
    scenario: Scenario,
    samples: Sequence[DriveSample],
    stop_distance_m: float,
    lag_s: float,
    reading_latencies_s: Sequence[float] = (),
    is_stuck: bool = False,
) -> DriveResult:
    """
    Judge a drive.

    Parameters
    ----------
    scenario : Scenario
        What it was meant to be.
    samples : sequence of DriveSample
        At least one, in order of time.
    stop_distance_m : float
        alert_node's parameter.
    lag_s : float
        See DriveResult.
    reading_latencies_s : sequence of float
        From each picture to its distance at the robot.
    is_stuck : bool
        Whether the driver could not do what must be free.

    Returns
    -------
    DriveResult
        The verdict.

    """
    released = next((i for i, s in enumerate(samples) if not s.stop), len(samples))
    stops = [
        s
        for before, s in zip(samples[released:], samples[released + 1 :], strict=False)
        if s.stop and not before.stop
    ]
    moved = next((i for i, s in enumerate(samples) if s.speed_mps > MOVING_MPS), len(samples))
    halt = next((s for s in samples[moved:] if abs(s.speed_mps) < STANDING_MPS), None)
    near = next((s for s in samples if s.true_nearest_m < stop_distance_m), None)
    zero = next((s for s in samples[moved:] if s.commanded_mps <= 0.0), None)
    last = samples[-1]
    is_clear = _nothing_is_anywhere_near if scenario.is_manoeuvre else _nothing_is_near
    groundless = next(filter(is_clear, stops), None)
    if last.clearance_m <= 0.0:
        outcome = 'collision'
    elif is_stuck:
        outcome = 'stuck'
    elif moved == len(samples) or groundless is not None:
        outcome = 'false_stop'
    elif scenario.kind in (
        'turn',
        'person',
    ):  # a stop on the way is right, standing at its end not
        stays = abs(last.speed_mps) < STANDING_MPS and is_clear(last)
        outcome = 'false_stop' if stays else 'passed'
    elif not scenario.must_stop:
        outcome = 'passed' if halt is None else 'false_stop'
    else:
        outcome = 'stopped' if abs(last.speed_mps) < STANDING_MPS else 'never_stopped'
    falsely = (groundless or halt or last) if outcome == 'false_stop' else None
    return DriveResult(
        outcome=outcome,
        smallest_clearance_m=min(s.clearance_m for s in samples),
        stopped_at_m=None if halt is None else halt.free_path_m,
        reaction_latency_s=_delay(near, zero),
        time_to_stop_s=_delay(near, halt),
        stops=len(stops),
        false_reason='' if falsely is None else falsely.state,
        false_for_unknown=falsely is not None and falsely.is_unknown,
        duration_s=last.time_s,
        lag_s=lag_s,
        reading_latency_s=float(np.median(reading_latencies_s)) if reading_latencies_s else None,
    )


def _nothing_is_near(sample: DriveSample) -> bool:
    return min(sample.free_path_m, sample.true_nearest_m) > FALSE_STOP_BEYOND_M


def _nothing_is_anywhere_near(sample: DriveSample) -> bool:
    return sample.clearance_m > FALSE_STOP_BEYOND_M and _nothing_is_near(sample)


def _delay(cause: DriveSample | None, effect: DriveSample | None) -> float | None:
    if cause is None or effect is None or effect.time_s < cause.time_s:
        return None
    return effect.time_s - cause.time_s


def summarize(results: Sequence[DriveResult]) -> dict[str, Any]:
    """
    Put the figures of many drives together.

    Parameters
    ----------
    results : sequence of DriveResult
        At least one.

    Returns
    -------
    dict
        Ready for JSON.

    """
    outcomes = [result.outcome for result in results]
    results = [result for result in results if result.outcome != 'not_judged']
    return {
        'runs': len(outcomes),
        'collisions': outcomes.count('collision'),
        'false_stops': outcomes.count('false_stop'),
        'false_stops_for_unknown': sum(result.false_for_unknown for result in results),
        'false_stops_for_growth': sum('picture grows' in r.false_reason for r in results),
        'never_stopped': outcomes.count('never_stopped'),
        'stuck': outcomes.count('stuck'),
        'not_judged': outcomes.count('not_judged'),
        'smallest_clearance_m': min(
            (result.smallest_clearance_m for result in results), default=None
        ),
        'stopped_at_m': _spread([result.stopped_at_m for result in results]),
        'time_to_stop_s': _spread([result.time_to_stop_s for result in results]),
        'reaction_latency_s': _spread([result.reaction_latency_s for result in results]),
        'reading_latency_s': _spread([result.reading_latency_s for result in results]),
        'lag_s': _spread([result.lag_s for result in results]),
        'scale_error_after_1m': _spread(
            [
                None if r.scale_error_after_1m is None else abs(r.scale_error_after_1m)
                for r in results
            ]
        ),
        'scale_within_10_percent': sum(
            r.scale_error_after_1m is not None and abs(r.scale_error_after_1m) <= 0.1
            for r in results
        ),
        'contradicted_after_m': _spread([result.contradicted_after_m for result in results]),
        'beam_pictures': sum(result.beam_pictures for result in results),
        'beam_pictures_right': sum(result.beam_pictures_right for result in results),
        'beam_landings_right': sum(result.beam_landings_right for result in results),
    }


def _spread(values: Sequence[float | None]) -> dict[str, float | int]:
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return {'count': 0}
    low, median, p95, high = np.percentile(known, (0, 50, 95, 100)).tolist()
    return {'count': len(known), 'min': low, 'median': median, 'p95': p95, 'max': high}
