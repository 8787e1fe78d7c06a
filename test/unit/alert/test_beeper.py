# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The rhythm and pitch of the alert."""

import math

from fcrn_depth_ros.alert.beeper import Beeper, BeeperConfig, SILENCE
from fcrn_depth_ros.alert.machine import AlertDecision, AlertState
from fcrn_depth_ros.errors import ConfigurationError
import pytest

CONFIG = BeeperConfig()


def decision(state, nearest_m=math.nan, cause='any'):
    """Make a decision; the beeper looks at three of its fields."""
    return AlertDecision(
        state,
        cause,
        '',
        stop=False,
        nearest_m=nearest_m,
        speed_limit_mps=0.0,
        time_to_collision_s=math.inf,
        scale_verified=True,
        scale_sigma=math.nan,
        is_latched=False,
    )


def rhythm(state, nearest_m=math.nan, cause='any', seconds=6.0):
    """Listen at 100 Hz: the starts of the beeps, the share of time with sound, the pitch."""
    beeper = Beeper(CONFIG)
    sounds = [
        beeper.sound(10 + i / 100, decision(state, nearest_m, cause))
        for i in range(int(seconds * 100))
    ]
    on = [sound.on for sound in sounds]
    starts = sum(now and not before for before, now in zip([False, *on], on, strict=False))
    return starts, sum(on) / len(on), sounds[-1].frequency_hz


@pytest.mark.parametrize(
    ('nearest_m', 'starts', 'pitch_hz'),
    [(3.0, 6, 440.0), (1.5, 6, 440.0), (1.0, 11, 1100.0), (0.625, 28, 1595.0)],
)
def test_nearer_is_faster_and_higher(nearest_m, starts, pitch_hz):
    heard = rhythm(AlertState.CAUTION, nearest_m)
    assert abs(heard[0] - starts) <= 1
    assert heard[2] == pytest.approx(pitch_hz)


@pytest.mark.parametrize('nearest_m', [0.5, 0.1, 0.0])
def test_very_near_is_one_tone(nearest_m):
    assert rhythm(AlertState.STOP, nearest_m) == (1, 1.0, 1760.0)


def test_near_without_metres_is_one_tone_too():
    assert rhythm(AlertState.STOP, cause='near') == (1, 1.0, 1760.0)


@pytest.mark.parametrize('state', [AlertState.STOP, AlertState.STALE])
def test_a_stop_without_a_distance_is_low_and_slow(state):
    starts, share, pitch_hz = rhythm(state, seconds=8.0)
    assert (starts, pitch_hz) == (10, 440.0)
    assert share == pytest.approx(0.5, abs=0.02)


def test_disabled_is_heard_now_and_then():
    starts, share, pitch_hz = rhythm(AlertState.DISABLED, 0.3, seconds=9.0)
    assert (starts, pitch_hz) == (3, 440.0)
    assert share == pytest.approx(0.1 / 3.0, abs=0.01)


def test_clear_is_silent():
    assert Beeper(CONFIG).sound(5.0, decision(AlertState.CLEAR, 5.0)) == SILENCE


@pytest.mark.parametrize(
    ('now_s', 'on'), [(0.0, True), (0.09, True), (0.1, False), (0.99, False), (1.0, True)]
)
def test_a_beep_lasts_and_returns_to_the_instant(now_s, on):
    beeper = Beeper(CONFIG)
    assert not beeper.is_muted and isinstance(beeper.is_muted, bool)
    assert beeper.sound(0.0, decision(AlertState.CAUTION, 1.5)).on
    assert beeper.sound(now_s, decision(AlertState.CAUTION, 1.5)).on is on


def test_between_near_and_far_pace_and_pitch_are_in_proportion():
    beeper = Beeper(BeeperConfig(beep_near_m=1.0, beep_far_m=5.0))
    assert beeper.sound(9.0, decision(AlertState.CAUTION, 2.0)).frequency_hz == 1430.0
    for now_s, on in ((9.2, False), (9.32, False), (9.33, True)):  # 0.1 + 0.25 x 0.9
        assert beeper.sound(now_s, decision(AlertState.CAUTION, 2.0)).on is on


def test_muted_is_silent_until_unmuted():
    beeper = Beeper(CONFIG)
    stop = decision(AlertState.STOP, 0.3)
    beeper.is_muted = True
    assert beeper.sound(5.0, stop) == SILENCE
    beeper.is_muted = False
    assert beeper.sound(5.0, stop).on


def test_coming_nearer_does_not_wait_for_the_next_slow_beep():
    beeper = Beeper(CONFIG)
    assert beeper.sound(5.0, decision(AlertState.CAUTION, 1.5)).on
    assert not beeper.sound(5.3, decision(AlertState.CAUTION, 1.5)).on
    assert beeper.sound(5.35, decision(AlertState.STOP, 0.4)).on


@pytest.mark.parametrize('change', [{'beep_low_hz': 0.0}, {'beep_slowest_s': 0.1}])
def test_bad_values_are_refused(change):
    with pytest.raises(ConfigurationError, match=next(iter(change))):
        BeeperConfig(**change)


@pytest.mark.parametrize(('near_m', 'agrees'), [(1.5, False), (1.4999, True)])
def test_near_is_nearer_than_far(near_m, agrees):
    reason = BeeperConfig(beep_near_m=near_m).contradiction()
    assert reason == '' if agrees else reason.startswith('beep_near_m must be below beep_far_m')


@pytest.mark.parametrize('far_m', [0.5, 0.2])
def test_near_behind_far_sounds_like_near(far_m):
    """Such settings hold a stop; their sound must not fail."""
    beeper = Beeper(BeeperConfig(beep_near_m=0.5, beep_far_m=far_m))
    sound = beeper.sound(5.0, decision(AlertState.CAUTION, 3.0))
    assert (sound.on, sound.frequency_hz) == (True, 1760.0)
