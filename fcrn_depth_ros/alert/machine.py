# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
How near becomes what to do: CLEAR, CAUTION, STOP, STALE or DISABLED.

Every rule gives a verdict, and the most severe wins:

    source      is the distance fresh, well-formed and known?     source_watch.py
    obstacle    is something too near, or coming too fast?        obstacle.py
    latch       has somebody acknowledged the last stop?          here
    neutral     did the driver let go after that?                 here

The machine starts stopped, is stopped by whatever it cannot judge, and goes on only after
`release_count` good readings in a row. Time is an argument everywhere: seconds of a steady clock.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

from ..settings import setting
from .obstacle import ObstacleConfig, ObstacleRule
from .source_watch import RangeReading, SourceConfig, SourceWatch
from .speed_limit import gate_moving, gate_stopped, Velocity, ZERO_VELOCITY
from .verdict import AlertState, Verdict

__all__ = [
    'ZERO_VELOCITY',
    'AlertConfig',
    'AlertDecision',
    'AlertMachine',
    'AlertState',
    'RangeReading',
    'ResetResult',
    'Velocity',
    'Verdict',
]

# depth_node says once a second whether the scale is verified; two lost messages are forgiven.
SCALE_NEWS_LASTS_S = 3.0


@dataclass(frozen=True)
class AlertConfig(ObstacleConfig, SourceConfig):
    """When alert_node slows the robot down, stops it, and lets it go again."""

    command_timeout_s: float = setting(
        0.5,
        'When cmd_vel_in falls silent for this long, zero goes out once, in seconds.',
        minimum=0.05,
        maximum=60.0,
    )
    latch: bool = setting(False, 'Hold every stop until ~/reset is called and accepted.')
    assume_scale_verified: bool = setting(
        False,
        'Take the metric scale as right without hearing so from depth_node; for other range '
        'sensors.',
    )


@dataclass(frozen=True)
class AlertDecision(Verdict):
    """
    What holds now.

    Attributes
    ----------
    stop : bool
        True in STOP and STALE: no motion toward the obstacle.
    nearest_m : float
        Latest trusted distance; NaN when there is none.
    speed_limit_mps : float
        Greatest forward speed; 0 while stopped, +Inf where nothing limits it.
    time_to_collision_s : float
        +Inf when nothing comes nearer.
    scale_verified : bool
        False while the larger margin applies.
    is_latched : bool
        True while a stop waits for a reset.

    """

    stop: bool
    nearest_m: float
    speed_limit_mps: float
    time_to_collision_s: float
    scale_verified: bool
    is_latched: bool


@dataclass(frozen=True)
class ResetResult:
    """Whether a reset was accepted, and what to tell the caller."""

    success: bool
    message: str


class AlertMachine:
    """
    Decide from all that was heard, and gate velocity commands accordingly.

    Parameters
    ----------
    config : AlertConfig
        Everything that can be set.

    """

    def __init__(self, config: AlertConfig) -> None:
        self._config = config
        self._source = SourceWatch(config)
        self._obstacle = ObstacleRule(config)
        self._scale_news_s = {True: -math.inf, False: -math.inf}
        self._is_enabled = True
        self._was_released = False
        self._latched_reason = ''
        self._awaits_neutral = False
        self._command = ZERO_VELOCITY
        self._command_s = -math.inf

    def reconfigure(self, config: AlertConfig) -> None:
        """
        Take new settings: the machine stops and counts anew.

        Parameters
        ----------
        config : AlertConfig
            Holds from now on.

        """
        self._config = config
        self._source = SourceWatch(config)
        self._obstacle = ObstacleRule(config)
        self._was_released = False
        if self._latched_reason and not config.latch:
            self._unlatch()

    def hear_range(self, now_s: float, reading: RangeReading, clock_s: float) -> None:
        """
        Take a message of the distance source.

        Parameters
        ----------
        now_s : float
            Steady time.
        reading : RangeReading
            As it came; it is judged here.
        clock_s : float
            The time now on the clock of the stamps.

        """
        if self._config.alert_source != 'range':
            return
        self._judge(now_s)  # a gap that nobody looked into must not be bridged
        if self._source.hear_range(now_s, reading, clock_s):
            self._obstacle.hear_range(now_s, reading, self._speed_mps(now_s), self._extra_m(now_s))

    def hear_near(self, now_s: float, near: bool) -> None:
        """
        Take a yes or no; counts only where `alert_source` is `near`.

        Parameters
        ----------
        now_s : float
            Steady time.
        near : bool
            True when something is near.

        """
        if self._config.alert_source != 'near':
            return
        self._judge(now_s)
        self._source.hear_near(now_s)
        self._obstacle.hear_near(near)

    def hear_proximity(self, now_s: float, share: float) -> None:
        """
        Take the share of near pixels; NaN stops at once.

        Parameters
        ----------
        now_s : float
            Steady time.
        share : float
            0..1; anything else says that the picture told nothing.

        """
        self._judge(now_s)
        self._source.hear_proximity(now_s, share)

    def hear_scale(self, now_s: float, verified: bool) -> None:
        """
        Take whether the metric scale is verified; without news, it is not.

        Several robots may share the diagnostics: one doubt outweighs any number of the contrary.

        Parameters
        ----------
        now_s : float
            Steady time.
        verified : bool
            True where mounting and focal length are known.

        """
        self._scale_news_s[verified] = now_s

    def gate(self, now_s: float, command: Velocity) -> Velocity:
        """
        Give what may be passed on of a velocity command.

        Parameters
        ----------
        now_s : float
            Steady time.
        command : Velocity
            The command that came in; zero passes for one that is not finite.

        Returns
        -------
        Velocity
            The command, slower, or zero.

        """
        self._command = command if command.is_finite else ZERO_VELOCITY
        self._command_s = now_s
        if self._command == ZERO_VELOCITY:
            self._awaits_neutral = False
        return self.limit(now_s, self._command)

    def limit(self, now_s: float, velocity: Velocity) -> Velocity:
        """
        Give what may go on of a velocity that passed before: things may have changed.

        Parameters
        ----------
        now_s : float
            Steady time.
        velocity : Velocity
            What the robot does now; finite.

        Returns
        -------
        Velocity
            The same, slower, or zero.

        """
        decision = self.decide(now_s)
        if decision.state is AlertState.DISABLED:
            return velocity
        if decision.stop:
            is_free_to_leave = (
                self._source.fault(now_s) is None
                and self._obstacle.verdict().state == AlertState.STOP
            )
            return gate_stopped(velocity, is_free_to_leave, self._config)
        return gate_moving(velocity, decision.speed_limit_mps)

    def command_is_silent(self, now_s: float) -> bool:
        """
        Return whether the driver has sent nothing for `command_timeout_s`.

        Parameters
        ----------
        now_s : float
            Steady time.

        """
        return now_s - self._command_s > self._config.command_timeout_s

    def decide(self, now_s: float) -> AlertDecision:
        """
        Say what holds at this time.

        Parameters
        ----------
        now_s : float
            Steady time.

        Returns
        -------
        AlertDecision
            The most severe of all verdicts, and the figures behind it.

        """
        verdict = self._judge(now_s)
        stop = verdict.state >= AlertState.STOP
        limit_mps = 0.0 if stop else math.inf
        if verdict.state in (AlertState.CLEAR, AlertState.CAUTION):
            limit_mps = self._speed_limit_mps(now_s)
        return AlertDecision(
            verdict.state,
            verdict.cause,
            verdict.reason,
            stop=stop,
            nearest_m=self._obstacle.nearest_m,
            speed_limit_mps=limit_mps,
            time_to_collision_s=self._obstacle.time_to_collision_s,
            scale_verified=self._scale_is_verified(now_s),
            is_latched=bool(self._latched_reason),
        )

    def reset(self, now_s: float) -> ResetResult:
        """
        Release a latched stop, if nothing else asks for one.

        Motion does not start by itself: the driver must first let go (a zero command, or silence).

        Parameters
        ----------
        now_s : float
            Steady time.

        Returns
        -------
        ResetResult
            Refused with the reason while anything is wrong.

        """
        if not self._is_enabled:
            return ResetResult(False, 'refused: the alert is disabled; enable it first')
        self._judge(now_s)
        verdict = self._source_or_obstacle(now_s)
        if verdict.state >= AlertState.STOP:
            return ResetResult(False, f'refused: {verdict.state.name}, {verdict.reason}')
        if not self._latched_reason:
            return ResetResult(True, 'healthy; nothing was latched')
        self._unlatch()
        return ResetResult(True, 'released; motion needs a zero command first, or silence')

    def set_enabled(self, enabled: bool) -> None:
        """
        Switch the alert on or off; on, it starts stopped.

        Parameters
        ----------
        enabled : bool
            False lets every command pass.

        """
        if enabled and not self._is_enabled:
            self._obstacle.restart()
            self._was_released = False
        self._is_enabled = enabled

    def _scale_is_verified(self, now_s: float) -> bool:
        if self._config.assume_scale_verified:
            return True
        heard = {
            verified: now_s - news_s <= SCALE_NEWS_LASTS_S
            for verified, news_s in self._scale_news_s.items()
        }
        return heard[True] and not heard[False]

    def _extra_m(self, now_s: float) -> float:
        return 0.0 if self._scale_is_verified(now_s) else self._config.unverified_margin_m

    def _speed_mps(self, now_s: float) -> float:
        """Return the forward speed that the driver asks for now."""
        return 0.0 if self.command_is_silent(now_s) else max(0.0, self._command.linear_x)

    def _speed_limit_mps(self, now_s: float) -> float:
        return self._obstacle.speed_limit(self._config.margin_m + self._extra_m(now_s))

    def _judge(self, now_s: float) -> Verdict:
        """Apply every rule at this time; a silence makes the obstacle rule count anew."""
        if self._source.fault(now_s) is not None:
            self._obstacle.restart()
        elif self._speed_mps(now_s) > self._speed_limit_mps(now_s):
            self._obstacle.be_cautious()
        verdict = self._source_or_obstacle(now_s)
        if not self._is_enabled:
            return Verdict(
                AlertState.DISABLED,
                f'disabled in {verdict.state.name}',
                f'switched off, commands pass unchecked; would be {verdict.state.name}',
            )
        if self.command_is_silent(now_s):
            self._awaits_neutral = False
        if verdict.state < AlertState.STOP:
            return self._hold_back(verdict)
        if self._config.latch and self._was_released and not self._latched_reason:
            self._latched_reason = verdict.reason
        return verdict

    def _source_or_obstacle(self, now_s: float) -> Verdict:
        fault = self._source.fault(now_s)
        if fault is None:
            return self._obstacle.verdict()
        state = AlertState.STALE if fault.is_stale else AlertState.STOP
        return Verdict(state, fault.cause, fault.reason)

    def _hold_back(self, verdict: Verdict) -> Verdict:
        """Apply the rules that hold a stop although nothing is wrong any more."""
        if self._latched_reason:
            return Verdict(
                AlertState.STOP, 'latched', f'held since: {self._latched_reason}; call ~/reset'
            )
        if self._awaits_neutral:
            return Verdict(
                AlertState.STOP, 'neutral', 'reset; waits for a zero command, or silence'
            )
        self._was_released = True
        return verdict

    def _unlatch(self) -> None:
        self._latched_reason = ''
        self._awaits_neutral = True
