# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The sound of the alert: a parking sensor, faster and higher when nearer."""

from __future__ import annotations

from dataclasses import dataclass
import math

from .machine import AlertDecision, AlertState
from ..settings import misordered, setting, Settings

# A stop without a trusted distance, and a switched-off alert, sound unlike any obstacle: low
# and slow. (on, period) in seconds.
FAULT_RHYTHM_S = (0.4, 0.8)
DISABLED_RHYTHM_S = (0.1, 3.0)
BEEP_S = 0.1


@dataclass(frozen=True)
class BeeperConfig(Settings):
    """Pitch and rate of the beeps."""

    beep_near_m: float = setting(
        0.5,
        'Distance at or below which the tone is continuous, in metres.',
        minimum=0.01,
        maximum=100.0,
    )
    beep_far_m: float = setting(
        1.5, 'Distance at which the beeps are slowest, in metres.', minimum=0.02, maximum=100.0
    )
    beep_slowest_s: float = setting(
        1.0, 'Period of the beeps at beep_far_m, in seconds.', minimum=0.2, maximum=10.0
    )
    beep_low_hz: float = setting(
        440.0, 'Pitch at beep_far_m, in Hz.', minimum=20.0, maximum=20000.0
    )
    beep_high_hz: float = setting(
        1760.0, 'Pitch at beep_near_m and nearer, in Hz.', minimum=20.0, maximum=20000.0
    )

    def contradiction(self) -> str:
        """Return which two values contradict each other; empty where none do."""
        return misordered(self, ('beep_near_m', 'beep_far_m')) or super().contradiction()


@dataclass(frozen=True)
class Sound:
    """
    The sound of one moment.

    Attributes
    ----------
    on : bool
        False between beeps.
    frequency_hz : float
        Pitch of the beeps; 0 when the pattern is silence.

    """

    on: bool
    frequency_hz: float


SILENCE = Sound(False, 0.0)


class Beeper:
    """
    Turn decisions into a rhythm.

    Parameters
    ----------
    config : BeeperConfig
        Pitch and pace.

    """

    def __init__(self, config: BeeperConfig) -> None:
        self._config = config
        self._beep_start_s = -math.inf
        self.is_muted = False

    def sound(self, now_s: float, decision: AlertDecision) -> Sound:
        """
        Return the sound of this moment.

        Parameters
        ----------
        now_s : float
            Steady time.
        decision : AlertDecision
            What holds now.

        Returns
        -------
        Sound
            Silence in CLEAR, and while muted.

        """
        if self.is_muted or decision.state is AlertState.CLEAR:
            return SILENCE
        if decision.state is AlertState.DISABLED:
            on_s, period_s, pitch_hz = *DISABLED_RHYTHM_S, self._config.beep_low_hz
        elif decision.nearest_m >= 0:
            on_s, period_s, pitch_hz = self._parking_sensor(decision.nearest_m)
        elif decision.cause == 'near':  # a yes or no, without metres
            on_s, period_s, pitch_hz = self._parking_sensor(0.0)
        else:
            on_s, period_s, pitch_hz = *FAULT_RHYTHM_S, self._config.beep_low_hz
        # The next beep starts by the pace of now: coming nearer never waits out a slow beat.
        if now_s - self._beep_start_s >= period_s:
            self._beep_start_s = now_s
        return Sound(now_s - self._beep_start_s < on_s, pitch_hz)

    def _parking_sensor(self, distance_m: float) -> tuple[float, float, float]:
        config = self._config
        span_m = config.beep_far_m - config.beep_near_m
        # Contradictory settings, near behind far, hold a stop: their sound is that of near.
        share = (distance_m - config.beep_near_m) / span_m if span_m > 0 else 0.0
        farness = min(1.0, max(0.0, share))
        period_s = BEEP_S + farness * (config.beep_slowest_s - BEEP_S)
        pitch_hz = config.beep_high_hz + farness * (config.beep_low_hz - config.beep_high_hz)
        return BEEP_S, period_s, pitch_hz
