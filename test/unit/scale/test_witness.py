# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Joining witnesses of scale: weights, contradictions, patience; and that doubt is never far."""

from __future__ import annotations

import math

from fcrn_depth_ros.scale.witness import (
    FactorTrack,
    judge,
    MOST_VERIFIED_SIGMA,
    Opinion,
    PatientFactor,
)
import numpy as np
import pytest


def test_nobody_says_nothing() -> None:
    judgement = judge([])
    assert judgement.state == 'unverified'
    assert judgement.log_factor == 0.0
    assert not judgement.is_measured


def test_the_surer_witness_weighs_more() -> None:
    judgement = judge([Opinion('mounting', 0.0, 0.15), Opinion('motion', 0.2, 0.05)])
    assert judgement.state == 'verified'
    assert judgement.log_factor == pytest.approx(0.2 * 0.05**-2 / (0.05**-2 + 0.15**-2))
    assert judgement.sigma < 0.05
    assert judgement.is_measured


def test_the_mounting_alone_measures_nothing() -> None:
    judgement = judge([Opinion('mounting', 0.0, 0.15)])
    assert judgement.state == 'verified'
    assert not judgement.is_measured


@pytest.mark.parametrize(('log_factor', 'sign'), [(0.5, 1), (-0.5, -1)])
def test_contradiction_takes_the_nearer_one_and_names_both(log_factor: float, sign: int) -> None:
    judgement = judge([Opinion('mounting', 0.0, 0.1), Opinion('motion', log_factor, 0.05)])
    assert judgement.state == 'contradicted'
    assert judgement.log_factor == min(0.0, log_factor)
    assert math.isnan(judgement.sigma)
    assert 'mounting says 1.00' in judgement.reason
    assert f'motion says {math.exp(log_factor):.2f}' in judgement.reason
    assert judgement.reason.endswith('motion is likelier')


@pytest.mark.parametrize(('log_factor', 'state'), [(0.16, 'verified'), (0.17, 'contradicted')])
def test_a_small_difference_of_sure_witnesses_is_none(log_factor: float, state: str) -> None:
    opinions = [Opinion('range_hint', 0.0, 0.04), Opinion('motion', log_factor, 0.04)]
    assert judge(opinions).state == state


def test_the_third_witness_decides_who_is_likelier() -> None:
    judgement = judge(
        [
            Opinion('mounting', 0.0, 0.05),
            Opinion('motion', 0.5, 0.08),
            Opinion('range_hint', 0.48, 0.08),
        ]
    )
    assert judgement.state == 'contradicted'
    assert judgement.reason.endswith('motion is likelier')


@pytest.mark.parametrize(
    ('sigma', 'state'),
    [(MOST_VERIFIED_SIGMA, 'verified'), (MOST_VERIFIED_SIGMA + 0.01, 'unverified')],
)
def test_a_doubtful_witness_verifies_nothing(sigma: float, state: str) -> None:
    assert judge([Opinion('motion', 0.1, sigma)]).state == state


def test_without_certainty_nothing_becomes_farther() -> None:
    rng = np.random.default_rng(5)
    for _ in range(2000):
        opinions = [
            Opinion(name, float(rng.normal(0.0, 0.6)), float(rng.uniform(0.01, 0.6)))
            for name in ('mounting', 'motion', 'range_hint', 'calibration')[: rng.integers(5)]
        ]
        judgement = judge(opinions)
        if judgement.state == 'verified':
            assert judgement.sigma <= MOST_VERIFIED_SIGMA
            least = min(opinion.log_factor for opinion in opinions)
            most = max(opinion.log_factor for opinion in opinions)
            assert least - 1e-9 <= judgement.log_factor <= most + 1e-9
        else:
            assert judgement.log_factor <= 0.0
            assert math.isnan(judgement.sigma)


def test_a_track_needs_three_measurements() -> None:
    track = FactorTrack('motion')
    for _ in range(2):
        track.take(0.3, 0.05)
        assert track.opinion() is None
    track.take(0.3, 0.05)
    opinion = track.opinion()
    assert opinion is not None
    assert opinion.log_factor == pytest.approx(0.3)
    assert 0.03 < opinion.sigma < 0.05


@pytest.mark.parametrize(
    ('log_factor', 'sigma'),
    [(math.nan, 0.1), (math.inf, 0.1), (0.0, math.nan), (0.0, 0.0), (0.0, -1.0), (0.0, math.inf)],
)
def test_a_track_takes_no_nonsense(log_factor: float, sigma: float) -> None:
    track = FactorTrack('motion')
    for _ in range(5):
        track.take(log_factor, sigma)
    assert track.opinion() is None


def test_one_misfit_is_ignored_and_three_begin_anew() -> None:
    track = FactorTrack('motion')
    for _ in range(8):
        track.take(0.0, 0.05)
    track.take(1.0, 0.05)
    opinion = track.opinion()
    assert opinion is not None and opinion.log_factor == pytest.approx(0.0, abs=1e-6)
    for _ in range(4):
        track.take(1.0, 0.05)
    opinion = track.opinion()
    assert opinion is not None and opinion.log_factor == pytest.approx(1.0)


def test_what_was_measured_fades_with_the_way() -> None:
    track = FactorTrack('motion')
    for _ in range(8):
        track.take(0.1, 0.05)
    first = track.opinion()
    track.drift(2.0, 0.5, 4.0)
    later = track.opinion()
    assert first is not None and later is not None
    assert later.sigma > 2.0 * first.sigma
    track.drift(100.0, 0.0, 0.0)
    assert track.opinion() is None


def test_nearer_holds_at_once_and_farther_waits() -> None:
    patient = PatientFactor(1.0)
    assert patient.apply(0.0, 0.3) == 0.0
    assert patient.apply(0.5, 0.3) == 0.0
    assert patient.apply(0.9, 0.2) == 0.0
    assert patient.apply(1.0, 0.3) == pytest.approx(0.2)
    assert patient.apply(1.9, 0.3) == pytest.approx(0.2)
    assert patient.apply(2.0, 0.3) == pytest.approx(0.3)
    assert patient.apply(2.1, -0.4) == pytest.approx(-0.4)
    assert patient.apply(2.2, 0.3) == pytest.approx(-0.4)


def test_time_that_goes_back_forgets_what_was_farther() -> None:
    patient = PatientFactor(1.0)
    for time_s in (0.0, 1.0, 2.0):
        patient.apply(time_s, 0.3)
    assert patient.apply(0.5, 0.3) == 0.0


def test_patience_never_exceeds_what_is_wanted() -> None:
    rng = np.random.default_rng(2)
    patient, time_s = PatientFactor(0.7), 0.0
    for _ in range(1000):
        time_s += float(rng.uniform(-0.05, 0.3))
        wanted = float(rng.normal(0.0, 0.5))
        assert patient.apply(time_s, wanted) <= wanted
