# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The word that the page shows, from what came in and from what did not."""

from __future__ import annotations

import math

from fcrn_depth_ros.dashboard.verdict import Heard, HEARTBEAT_LIMIT_S, judge, Word
import pytest

FRESH = Heard(0, 'CLEAR: free', heartbeat_age_s=0.04, proximity=0.0, proximity_age_s=0.1)


def heard(**changes: object) -> Heard:
    return Heard(**{**FRESH.__dict__, **changes})


@pytest.mark.parametrize(
    ('level', 'word'),
    [(0, Word.CLEAR), (1, Word.CAUTION), (2, Word.STOP), (3, Word.STALE), (4, Word.DISABLED)],
)
def test_a_beating_alert_is_shown_as_it_says(level: int, word: Word) -> None:
    assert judge(heard(level=level, state=f'{word.value}: a reason')) == (word, 'a reason')


@pytest.mark.parametrize('level', [-1, 5, 255, None])
def test_a_level_that_does_not_exist_is_stale(level: int | None) -> None:
    assert judge(heard(level=level))[0] is Word.STALE


def test_a_kept_level_does_not_outlive_the_heartbeat() -> None:
    assert judge(heard(heartbeat_age_s=HEARTBEAT_LIMIT_S))[0] is Word.CLEAR
    word, reason = judge(heard(heartbeat_age_s=HEARTBEAT_LIMIT_S + 0.01))
    assert word is Word.STALE
    assert 'silent for 0.7 s' in reason
    assert 'CLEAR: free' in reason


def test_without_any_heartbeat_nobody_judges() -> None:
    assert judge(heard(heartbeat_age_s=math.inf))[0] is Word.NO_ALERT
    assert judge(Heard())[0] is Word.NO_ALERT


@pytest.mark.parametrize(
    ('level', 'word'),
    [(0, Word.BLIND), (1, Word.BLIND), (2, Word.BLIND), (3, Word.BLIND), (4, Word.DISABLED)],
)
def test_an_unknown_picture_is_blind_whatever_the_level(level: int, word: Word) -> None:
    assert judge(heard(level=level, proximity=math.nan))[0] is word


def test_blind_gives_the_reason_of_a_stop_and_its_own_otherwise() -> None:
    stopped = heard(level=2, state='STOP: the picture is dark', proximity=math.nan)
    assert judge(stopped)[1] == 'the picture is dark'
    assert judge(heard(proximity=math.nan))[1] == 'the newest picture gives no distance'


def test_an_old_unknown_is_left_to_the_alert() -> None:
    old = heard(level=3, state='STALE: silence', proximity=math.nan, proximity_age_s=1.1)
    assert judge(old) == (Word.STALE, 'silence')
