# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
From distances to CLEAR, CAUTION, STOP, STALE or DISABLED.

The rules, in the order in which their demand for a stop is reported:

    error          did the program itself fail a moment ago?         here
    contradiction  do the settings contradict each other?            here
    source         is the distance fresh, well-formed and known?     source_watch.py
    obstacle       is something too near, or coming too fast?        obstacle.py
    looming        does the picture grow too fast?                   looming.py
    path           does the command lead into what was seen?         path_rule.py
    latch          has somebody acknowledged the last stop?          here
    neutral        did the driver let go after that?                 here

The machine starts stopped, is stopped by whatever it cannot judge, and goes on only after
`release_count` good readings in a row. Time is an argument everywhere: seconds of a steady clock.
`hear` and its siblings take what comes in, `advance` lets time pass; both replace `decision`.
Reading `decision` changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

from .looming import LoomingRule
from .memory import RangeScan, RememberedPoints
from .obstacle import ObstacleRule
from .path_rule import PathConfig, PathRule, PathVerdict
from .source_watch import RangeReading, SourceConfig, SourceWatch
from .speed_limit import gate_moving, gate_stopped, Velocity, ZERO_VELOCITY
from .verdict import AlertState, Verdict
from ..odometry import OdometryReading
from ..settings import setting

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

# What a robot whose commands do not pass through here may be about to do.
_AHEAD = Velocity(linear_x=0.1)
# An exception in the program holds a stop for this long; then good readings count anew.
ERROR_HOLD_S = 1.0
# margin_m covers a relative uncertainty of the scale up to the first of these; from there on the
# margin grows, and at the second one the scale is as good as unverified.
_COVERED_SIGMA, _UNVERIFIED_SIGMA = 0.15, 0.45
# A speed with which a robot that decelerates by 0.5 m/s^2 stands within 4 cm.
_MOST_CREEP_MPS = 0.2


@dataclass(frozen=True)
class AlertConfig(PathConfig, SourceConfig):
    """When alert_node slows the robot down, stops it, and lets it go again."""

    command_timeout_s: float = setting(
        0.5,
        'Time without a message on cmd_vel_in after which zero velocity is published once, in '
        'seconds.',
        minimum=0.05,
        maximum=60.0,
    )
    latch: bool = setting(False, 'Hold every stop until ~/reset is called and accepted.')
    assume_scale_verified: bool = setting(
        False,
        'Treat the metric scale of every reading as verified. Meant for other range sensors, '
        'which leave the variance of their Range messages at 0.',
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
        Whether the metric scale of the latest usable reading is verified, by the reading itself
        or by `assume_scale_verified`; False without a reading.
    scale_sigma : float
        Relative standard deviation of that scale; NaN where the reading states none.
    is_latched : bool
        True while a stop waits for a reset.
    free_path_m : float
        How far the command gets before the body meets something; +Inf where nothing is met, or
        where paths are not judged.

    """

    stop: bool
    nearest_m: float
    speed_limit_mps: float
    time_to_collision_s: float
    scale_verified: bool
    scale_sigma: float
    is_latched: bool
    free_path_m: float = math.inf


@dataclass(frozen=True)
class ResetResult:
    """Whether a reset was accepted, and what to tell the caller."""

    success: bool
    message: str


class AlertMachine:
    """
    Decide from all that came in, and gate velocity commands accordingly.

    Parameters
    ----------
    config : AlertConfig
        Everything that can be set.

    """

    def __init__(self, config: AlertConfig) -> None:
        self._is_enabled = True
        self._failure: tuple[float, str] | None = None  # when, and why
        self._latched_reason = ''
        self._awaits_neutral = False
        self._command = ZERO_VELOCITY
        self._command_s = -math.inf
        self._passed = ZERO_VELOCITY
        self._now_s = 0.0
        self._path = PathRule(config)
        self._begin(0.0, config, '')

    @property
    def decision(self) -> AlertDecision:
        """Return what holds since the latest call that took something in or let time pass."""
        return self._decision

    def reconfigure(self, now_s: float, config: AlertConfig, contradiction: str = '') -> None:
        """
        Take new settings, or the same ones again: the machine stops and counts anew.

        A latched stop stays, unless the new settings have no latch.

        Parameters
        ----------
        now_s : float
            Steady time.
        config : AlertConfig
            Holds from now on.
        contradiction : str
            Why the settings cannot hold together, where others than these are involved: STOP
            until settings without a contradiction come. Empty where there is nothing to add.

        """
        self.advance(now_s)  # a stop that nobody looked for under the settings of before
        self._begin(now_s, config, contradiction)

    def _begin(self, now_s: float, config: AlertConfig, contradiction: str) -> None:
        self._config = config
        self._contradiction = contradiction or config.contradiction()
        self._source = SourceWatch(config)
        self._obstacle = ObstacleRule(config)
        self._looming = LoomingRule(config)
        self._path.reconfigure(config)
        self._reading: RangeReading | None = None
        self._was_released = False
        if self._latched_reason and not config.latch:
            self._unlatch()
        self.advance(now_s)

    def hear(self, now_s: float, reading: RangeReading, clock_ns: int) -> None:
        """
        Take a message of the distance source; counts only where `alert_source` is `range`.

        Parameters
        ----------
        now_s : float
            Steady time.
        reading : RangeReading
            As it came; it is judged here, with the margin that its own scale asks for.
        clock_ns : int
            The time now on the clock of the stamps, in nanoseconds.

        """
        self.advance(now_s)  # a gap that nobody looked into must not be bridged
        if self._config.alert_source != 'range':
            return
        if self._source.hear(now_s, reading, clock_ns):
            self._reading = reading
            self._obstacle.hear(
                now_s,
                reading,
                self._speed_mps,
                self._extra_margin_m(reading),
                math.inf if self._is_verified(reading) else self._config.unverified_speed_mps,
            )
        self.advance(now_s)

    def hear_growth(self, now_s: float, time_to_collision_s: float) -> None:
        """
        Take a time to collision from the growth of the picture.

        Parameters
        ----------
        now_s : float
            Steady time.
        time_to_collision_s : float
            See :meth:`LoomingRule.hear`.

        """
        self.advance(now_s)
        self._looming.hear(now_s, time_to_collision_s)
        self.advance(now_s)

    def hear_scan(self, now_s: float, scan: RangeScan, clock_ns: int) -> None:
        """
        Take a scan of obstacles, which is remembered; it takes effect where the body is known.

        Parameters
        ----------
        now_s : float
            Steady time.
        scan : RangeScan
            As it came.
        clock_ns : int
            The time now on the clock of the stamps, in nanoseconds.

        """
        self._path.hear_scan(now_s, scan, clock_ns)
        self.advance(now_s)

    def hear_odometry(self, now_s: float, reading: OdometryReading, clock_ns: int) -> None:
        """
        Take where the robot's odometry places it.

        Parameters
        ----------
        now_s : float
            Steady time.
        reading : OdometryReading
            As it came.
        clock_ns : int
            The time now on the clock of the stamps, in nanoseconds.

        """
        self._path.hear_odometry(now_s, reading, clock_ns)
        self.advance(now_s)

    def remembered(self, now_s: float) -> RememberedPoints:
        """Return the obstacles that are seen and remembered around the robot."""
        return self._path.points(now_s)

    def has_odometry(self, now_s: float) -> bool:
        """Return whether odometry places the robot now."""
        return self._path.track.is_measured(now_s)

    @property
    def path_fault(self) -> str:
        """Return what is wrong with the latest scan or odometry; empty where nothing is."""
        return '; '.join(filter(None, (self._path.scan_fault, self._path.track.fault)))

    def hear_near(self, now_s: float, near: bool) -> None:
        """
        Take a yes or no; counts only where `alert_source` is `near`.

        Parameters
        ----------
        now_s : float
            Steady time.
        near : bool
            True when something is near in the latest picture.

        """
        self.advance(now_s)
        if self._config.alert_source != 'near':
            return
        self._source.hear_near(now_s)
        self._obstacle.hear_near(near)
        self.advance(now_s)

    def hear_proximity(self, now_s: float, share: float) -> None:
        """
        Take the share of near pixels; NaN stops at once.

        Parameters
        ----------
        now_s : float
            Steady time.
        share : float
            0..1; anything else means that the distance in the picture is unknown.

        """
        self.advance(now_s)
        self._source.hear_proximity(now_s, share)
        self.advance(now_s)

    def gate(self, now_s: float, command: Velocity) -> Velocity:
        """
        Return what may be passed on of a velocity command.

        Parameters
        ----------
        now_s : float
            Steady time.
        command : Velocity
            The command that came in; one with a flaw (not finite, or beyond any robot's speed)
            is taken for zero.

        Returns
        -------
        Velocity
            The command, slower, or zero.

        """
        self.advance(now_s)
        self._command = ZERO_VELOCITY if command.flaw() else command
        self._command_s = now_s
        if self._command == ZERO_VELOCITY:
            self._awaits_neutral = False
        self.advance(now_s)
        self._pass_on(now_s, self.limit(self._command))
        return self._passed

    def limit(self, velocity: Velocity) -> Velocity:
        """
        Return what may go on of a velocity that passed before: `decision` may have changed.

        Parameters
        ----------
        velocity : Velocity
            What the robot does now.

        Returns
        -------
        Velocity
            The same, slower, or zero; zero once the driver has been silent for
            `command_timeout_s`.

        """
        if self._driver_is_silent:
            return ZERO_VELOCITY
        if self._decision.state is AlertState.DISABLED:
            return velocity
        if self._decision.stop:
            passed = gate_stopped(velocity, self._is_free_to_leave, self._config)
            if passed == ZERO_VELOCITY and self._may_leave(velocity):
                passed = velocity
        else:
            passed = gate_moving(velocity, self._decision.speed_limit_mps)
        factor = self._path.judge(self._now_s, passed).factor
        return passed if factor >= 1 else passed.scaled(factor) if factor > 0 else ZERO_VELOCITY

    def advance(self, now_s: float) -> None:
        """
        Let time pass: silence of the source or of the driver, old pictures, the end of an error.

        Parameters
        ----------
        now_s : float
            Steady time.

        """
        self._now_s = now_s
        self._driver_is_silent = now_s - self._command_s > self._config.command_timeout_s
        fault = self._fault(now_s)
        if fault is not None:
            self._obstacle.restart()
        elif self._speed_mps > self._obstacle.speed_limit_mps:
            self._obstacle.be_cautious()
        self._demand = fault or self._obstacle.verdict()
        if self._demand.state < AlertState.STOP:
            self._demand = self._looming.verdict(now_s) or self._demand
        # An obstacle that is seen well may be left; whatever cannot be judged may not.
        self._is_free_to_leave = fault is None and self._demand.state is AlertState.STOP
        path = self._path.judge(now_s, self._intended)
        if fault is None:
            self._demand = _along(self._demand, path)
        verdict = self._held_back(self._demand) if self._is_enabled else _disabled(self._demand)
        limit_mps = 0.0 if verdict.state.is_stop else math.inf
        if verdict.state in (AlertState.CLEAR, AlertState.CAUTION):
            limit_mps = self._obstacle.speed_limit_mps
        reading = self._reading
        sigma = None if reading is None else reading.scale_sigma
        self._decision = AlertDecision(
            verdict.state,
            verdict.cause,
            verdict.reason,
            stop=verdict.state.is_stop,
            nearest_m=self._obstacle.nearest_m,
            speed_limit_mps=limit_mps,
            time_to_collision_s=self._obstacle.time_to_collision_s,
            scale_verified=self._is_verified(reading),
            scale_sigma=math.nan if sigma is None else sigma,
            is_latched=bool(self._latched_reason),
            free_path_m=path.free_m,
        )
        passed = self.limit(self._passed)
        if passed != self._passed:
            self._pass_on(now_s, passed)

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
        self.advance(now_s)
        if not self._is_enabled:
            return ResetResult(False, 'refused: the alert is disabled; enable it first')
        if self._demand.state.is_stop:
            return ResetResult(False, f'refused: {self._demand.state.name}, {self._demand.reason}')
        if not self._latched_reason:
            return ResetResult(True, 'healthy; nothing was latched')
        self._unlatch()
        self.advance(now_s)
        return ResetResult(True, 'released; motion needs a zero command first, or silence')

    def set_enabled(self, now_s: float, enabled: bool) -> None:
        """
        Switch the alert on or off; on, it starts stopped.

        Parameters
        ----------
        now_s : float
            Steady time.
        enabled : bool
            False lets every command pass.

        """
        self.advance(now_s)
        if enabled and not self._is_enabled:
            self._obstacle.restart()
            self._was_released = False
        self._is_enabled = enabled
        self.advance(now_s)

    def fail(self, now_s: float, reason: str) -> None:
        """
        Stop because the program around this machine, or the machine itself, failed.

        The stop holds for `ERROR_HOLD_S` after the latest failure, and then until
        `release_count` good readings in a row.

        Parameters
        ----------
        now_s : float
            Steady time.
        reason : str
            What failed.

        """
        self._failure = now_s, reason
        self.advance(now_s)

    def _is_verified(self, reading: RangeReading | None) -> bool:
        if reading is None:
            return False
        return self._config.assume_scale_verified or reading.scale_is_verified

    def _extra_margin_m(self, reading: RangeReading) -> float:
        """Return the margin that a reading needs beside margin_m: it grows with its sigma."""
        if not self._is_verified(reading):
            margin_m = self._config.unverified_margin_m
            if self._creeps:
                return min(margin_m, self._config.unverified_creep_margin_m)
            return margin_m
        if reading.scale_sigma is None or self._config.assume_scale_verified:
            return 0.0
        low, high = _COVERED_SIGMA, _UNVERIFIED_SIGMA
        share = min(1.0, max(0.0, (reading.scale_sigma - low) / (high - low)))
        return share * self._config.unverified_margin_m

    @property
    def _creeps(self) -> bool:
        """Return whether the gate is in use, and lets nothing faster than a creep pass."""
        limit_mps = self._config.unverified_speed_mps
        return (
            not self._driver_is_silent
            and limit_mps <= _MOST_CREEP_MPS
            and self._passed.linear_x <= limit_mps
        )

    @property
    def _speed_mps(self) -> float:
        """Return the forward speed that the driver asks for now."""
        return 0.0 if self._driver_is_silent else max(0.0, self._command.linear_x)

    @property
    def _intended(self) -> Velocity:
        """Return the command whose path decides over the state."""
        if self._command_s == -math.inf:
            return _AHEAD if self._path.is_on else ZERO_VELOCITY
        return ZERO_VELOCITY if self._driver_is_silent else self._command

    def _may_leave(self, velocity: Velocity) -> bool:
        """Return whether a command leads away from the obstacle for certain."""
        return (
            self._is_free_to_leave
            and not self._config.latch
            and velocity.linear_x <= 0
            and self._path.follows_trail(self._now_s, velocity)
        )

    def _pass_on(self, now_s: float, velocity: Velocity) -> None:
        self._passed = velocity
        self._path.moved_on(now_s, velocity)

    def _fault(self, now_s: float) -> Verdict | None:
        """Return why nothing can be judged now; None where the obstacle rule decides."""
        if self._failure is not None:
            failure_s, reason = self._failure
            if now_s - failure_s < ERROR_HOLD_S:
                return Verdict(AlertState.STOP, 'error', reason)
        if self._contradiction:
            return Verdict(AlertState.STOP, 'contradiction', self._contradiction)
        fault = self._source.fault(now_s)
        if fault is None:
            return None
        state = AlertState.STALE if fault.is_stale else AlertState.STOP
        return Verdict(state, fault.cause, fault.reason)

    def _held_back(self, demand: Verdict) -> Verdict:
        """Apply the rules that hold a stop although nothing is wrong any more."""
        if self._driver_is_silent:
            self._awaits_neutral = False
        if demand.state.is_stop:
            if self._config.latch and self._was_released and not self._latched_reason:
                self._latched_reason = demand.reason
            return demand
        if self._latched_reason:
            return Verdict(
                AlertState.STOP, 'latched', f'held since: {self._latched_reason}; call ~/reset'
            )
        if self._awaits_neutral:
            return Verdict(
                AlertState.STOP, 'neutral', 'reset; waits for a zero command, or silence'
            )
        self._was_released = True
        return demand

    def _unlatch(self) -> None:
        self._latched_reason = ''
        self._awaits_neutral = True


def _along(demand: Verdict, path: PathVerdict) -> Verdict:
    """Return what an obstacle and the path of the command demand together."""
    if demand.state is AlertState.STOP or path.factor >= 1:
        return demand
    if path.is_blocked:
        return Verdict(AlertState.STOP, 'path', path.reason)
    if demand.state is AlertState.CLEAR:
        return Verdict(AlertState.CAUTION, 'path', path.reason)
    return demand


def _disabled(demand: Verdict) -> Verdict:
    return Verdict(
        AlertState.DISABLED,
        f'disabled in {demand.state.name}',
        f'switched off, commands pass unchecked; would be {demand.state.name}',
    )
