# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Whether something is too near or approaches too fast, or the robot is too fast for it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
import math

from .closing_speed import time_to_collision
from .source_watch import RangeReading
from .speed_limit import greatest_safe_speed, SpeedConfig, stopping_distance
from .verdict import AlertState, Verdict
from ..settings import misordered, setting

# A time to collision must grow by this factor before it no longer holds a stop.
TTC_RELEASE_FACTOR = 1.5


@dataclass(frozen=True)
class ObstacleConfig(SpeedConfig):
    """Distances that make the state worse and better, and how the robot brakes."""

    stop_distance_m: float = setting(
        0.5, 'Distance below which the state is STOP, in metres.', minimum=0.01, maximum=100.0
    )
    release_distance_m: float = setting(
        0.65, 'Distance at or above which a STOP ends, in metres.', minimum=0.01, maximum=100.0
    )
    caution_distance_m: float = setting(
        1.2,
        'Distance below which the state is CAUTION at any speed, in metres.',
        minimum=0.01,
        maximum=100.0,
    )
    caution_release_distance_m: float = setting(
        1.4, 'Distance at or above which CAUTION ends, in metres.', minimum=0.01, maximum=100.0
    )
    trigger_count: int = setting(
        2,
        'Number of readings, of the latest 2 x trigger_count - 1, that must be too near before '
        'the state gets worse. A bad or missing reading stops at once.',
        minimum=1,
        maximum=100,
    )
    release_count: int = setting(
        5,
        'Number of consecutive readings that must be far enough before the state gets better.',
        minimum=1,
        maximum=1000,
    )
    ttc_stop_s: float = setting(
        1.0,
        'Time to collision below which the state is STOP, in seconds. 0 turns this rule off.',
        minimum=0.0,
        maximum=60.0,
    )
    ttc_window_s: float = setting(
        1.0,
        'Time over which the closing speed is estimated, in seconds.',
        minimum=0.1,
        maximum=10.0,
    )

    def contradiction(self) -> str:
        """Return which two values contradict each other; empty where none do."""
        if self.margin_m > self.stop_distance_m:
            return (
                f'margin_m must be at most stop_distance_m ({self.stop_distance_m:g}), '
                f'got {self.margin_m:g}; raise stop_distance_m or lower margin_m'
            )
        return (
            misordered(
                self,
                ('stop_distance_m', 'release_distance_m'),
                ('stop_distance_m', 'caution_distance_m'),
                ('caution_distance_m', 'caution_release_distance_m'),
            )
            or super().contradiction()
        )


def majority_window(count: int) -> int:
    """Return of how many readings `count` are a majority."""
    return 2 * count - 1


class SeverityDebounce:
    """
    Debounce: the state gets worse by a majority of readings, and better by several in a row.

    Near and far by turns is worse: what flickers between them is no evidence of a free way.

    Parameters
    ----------
    trigger_count : int
        Readings of the latest `majority_window` that make it worse.
    release_count : int
        Readings in a row that make it better.

    """

    def __init__(self, trigger_count: int, release_count: int) -> None:
        self._trigger_count = trigger_count
        self._trips: deque[AlertState] = deque(maxlen=majority_window(trigger_count))
        self._holds: deque[AlertState] = deque(maxlen=release_count)
        self.state = AlertState.STOP

    def restart(self) -> None:
        """Go back to stopped and forget every reading."""
        self._trips.clear()
        self._holds.clear()
        self.state = AlertState.STOP

    def update(self, trip: AlertState, hold: AlertState) -> None:
        """
        Take one reading.

        Parameters
        ----------
        trip : AlertState
            The state it asks for.
        hold : AlertState
            The state it keeps up where that already holds; not milder than `trip`.

        """
        self._trips.append(trip)
        self._holds.append(hold)
        if len(self._trips) >= self._trigger_count:
            worst_first = sorted(self._trips, reverse=True)
            self.state = max(self.state, worst_first[self._trigger_count - 1])
        if len(self._holds) == self._holds.maxlen and max(self._holds) < self.state:
            self.state = max(self._holds)
            self._trips.clear()  # what was released needs new readings to come back

    @property
    def is_empty(self) -> bool:
        """Return whether no reading came since the start."""
        return not self._holds

    @property
    def better_count(self) -> int:
        """Return how many of the latest readings in a row demand something better."""
        count = 0
        for hold in reversed(self._holds):
            if hold >= self.state:
                break
            count += 1
        return count


class ObstacleRule:
    """
    Judge trusted distances: too near, approaching too fast, or the robot too fast for them.

    Parameters
    ----------
    config : ObstacleConfig
        Distances, counts and how the robot brakes.

    """

    def __init__(self, config: ObstacleConfig) -> None:
        self._config = config
        self._debounce = SeverityDebounce(config.trigger_count, config.release_count)
        self._speed_limits_mps: deque[float] = deque(maxlen=majority_window(config.trigger_count))
        self._trend: deque[tuple[float, float]] = deque()
        self.nearest_m = math.nan  # the latest distance; NaN when there is none
        self.time_to_collision_s = math.inf

    def restart(self) -> None:
        """Forget every reading and be stopped."""
        self._debounce.restart()
        self._speed_limits_mps.clear()
        self._trend.clear()
        self.nearest_m = math.nan
        self.time_to_collision_s = math.inf

    @property
    def speed_limit_mps(self) -> float:
        """
        Return the greatest forward speed; +Inf when no distance is known to limit it.

        Each of the latest readings gives a limit, with its own margin, and the median holds, of
        few the greatest: one outlier does not brake, as it does not stop.
        """
        smallest = sorted(self._speed_limits_mps)[: self._config.trigger_count]
        return max(smallest, default=math.inf)

    def hear(
        self,
        now_s: float,
        reading: RangeReading,
        speed_mps: float,
        extra_m: float,
        most_mps: float = math.inf,
    ) -> None:
        """
        Take a trusted distance.

        Parameters
        ----------
        now_s : float
            Steady time.
        reading : RangeReading
            Its `max_m` stands for "nothing seen".
        speed_mps : float
            Forward speed now asked for.
        extra_m : float
            Margin of this reading, in addition to every distance of the configuration.
        most_mps : float
            Greatest forward speed with this reading, however far it is.

        """
        config = self._config
        self.nearest_m = reading.distance_m
        self._speed_limits_mps.append(
            min(
                most_mps,
                greatest_safe_speed(reading.distance_m, config.margin_m + extra_m, config),
            )
        )
        self.time_to_collision_s = self._update_trend(now_s, reading)
        needed_m = stopping_distance(speed_mps, config.margin_m, config)
        self._debounce.update(
            self._grade(
                config.stop_distance_m + extra_m,
                max(config.caution_distance_m, needed_m) + extra_m,
                config.ttc_stop_s,
            ),
            self._grade(
                config.release_distance_m + extra_m,
                max(config.caution_release_distance_m, needed_m) + extra_m,
                config.ttc_stop_s * TTC_RELEASE_FACTOR,
            ),
        )

    def hear_near(self, near: bool) -> None:
        """Take a yes or no: yes asks for STOP."""
        state = AlertState.STOP if near else AlertState.CLEAR
        self._debounce.update(state, state)

    def be_cautious(self) -> None:
        """Make CLEAR into CAUTION: a command had to be slowed down."""
        self._debounce.state = max(self._debounce.state, AlertState.CAUTION)

    def verdict(self) -> Verdict:
        """
        Return what the readings so far demand.

        Returns
        -------
        Verdict
            CLEAR, CAUTION or STOP.

        """
        state, better_count = self._debounce.state, self._debounce.better_count
        seen = (
            'something is near' if math.isnan(self.nearest_m) else f'{self.nearest_m:.2f} m away'
        )
        if state == AlertState.CLEAR:
            return Verdict(state, 'clear', 'nothing is near')
        if state == AlertState.STOP and (better_count or self._debounce.is_empty):
            return Verdict(
                state,
                'waiting',
                f'{better_count} of {self._config.release_count} readings in a row are good',
            )
        if self.time_to_collision_s < self._config.ttc_stop_s * TTC_RELEASE_FACTOR:
            return Verdict(
                state, 'closing', f'{seen}, reached in {self.time_to_collision_s:.1f} s'
            )
        return Verdict(state, 'near', seen)

    def _grade(self, stop_m: float, caution_m: float, ttc_s: float) -> AlertState:
        if self.nearest_m < stop_m or self.time_to_collision_s < ttc_s:
            return AlertState.STOP
        return AlertState.CAUTION if self.nearest_m < caution_m else AlertState.CLEAR

    def _update_trend(self, now_s: float, reading: RangeReading) -> float:
        if reading.distance_m >= reading.max_m:
            self._trend.clear()  # nothing seen is no distance that could shrink
            return math.inf
        self._trend.append((now_s, reading.distance_m))
        while self._trend[0][0] < now_s - self._config.ttc_window_s:
            self._trend.popleft()
        return time_to_collision(list(self._trend))
