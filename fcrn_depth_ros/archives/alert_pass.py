# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The alert over a whole recording, in the time of the recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import math

from .picture_rows import PictureRow
from ..alert.machine import AlertConfig, AlertMachine, ERROR_HOLD_S
from ..alert.source_watch import RangeReading
from ..wire.range_reading import scale_sigma

_NS_PER_S = 1_000_000_000
# As alert_node's heartbeat_rate_hz.
_STEP_NS = _NS_PER_S // 25


@dataclass(frozen=True)
class AlertChange:
    """A message of `alert/level` and one of `alert/state`."""

    time_ns: int
    level: int
    state: str


class AlertReplay:
    """
    The alert of one camera: the machine of alert_node, fed with rows instead of messages.

    Nobody drives: a recording has no command to gate, so the alert judges a robot that stands.

    Parameters
    ----------
    config : AlertConfig
        As alert_node's.
    start_ns : int
        Beginning of the recording.
    clock : str
        'recorded': a picture comes when it was recorded. 'stamp': it comes at its own stamp,
        for recordings whose times of recording are not those of the robot.

    """

    def __init__(self, config: AlertConfig, start_ns: int, clock: str) -> None:
        self._config = config
        self._machine = AlertMachine(config)
        self._uses_stamps = clock == 'stamp'
        self._start_ns = start_ns
        self._now_ns: int | None = None
        self._shown: tuple[object, str] | None = None
        # With no message for so long, nothing changes any more.
        self._settle_ns = round(
            (config.source_timeout_s + config.max_stamp_age_s + ERROR_HOLD_S + 1) * _NS_PER_S
        )

    @property
    def state(self) -> str:
        """Name of the state now."""
        return self._machine.decision.state.name

    @property
    def reason(self) -> str:
        """Why, in words."""
        return self._machine.decision.reason

    def hear(self, row: PictureRow) -> Iterator[AlertChange]:
        """
        Let the time up to a picture pass, and take the picture.

        Parameters
        ----------
        row : PictureRow
            The next one of the camera.

        Yields
        ------
        AlertChange
            In order of time, which is that of the recording.

        """
        now_ns = row.stamp_ns if self._uses_stamps else row.recorded_ns
        shift_ns = row.recorded_ns - now_ns
        yield from self._pass_time(now_ns, shift_ns)
        now_s = self._seconds(now_ns)
        if self._config.alert_source == 'near':
            self._machine.hear_near(now_s, row.near)
        elif not math.isnan(row.range_m):
            reading = RangeReading(
                row.range_m,
                0.0,
                row.range_max_m,
                row.picture_stamp_ns,
                scale_sigma(row.range_m, row.range_variance_m2),
            )
            self._machine.hear(now_s, reading, now_ns)
        self._machine.hear_growth(now_s, row.time_to_collision_s)
        self._machine.hear_proximity(now_s, row.proximity)
        yield from self._change(row.recorded_ns)

    def _pass_time(self, now_ns: int, shift_ns: int) -> Iterator[AlertChange]:
        last_ns = self._now_ns
        if last_ns is None or now_ns < last_ns:  # the first, or a clock that jumped back
            self._now_ns = now_ns
            if last_ns is None:
                self._machine.reconfigure(self._seconds(now_ns), self._config)
                yield from self._change(now_ns + shift_ns)
            return
        end_ns = min(now_ns, last_ns + self._settle_ns)
        for step_ns in range(last_ns + _STEP_NS, end_ns, _STEP_NS):
            self._machine.advance(self._seconds(step_ns))
            yield from self._change(step_ns + shift_ns)
        self._now_ns = now_ns

    def _seconds(self, time_ns: int) -> float:
        return (time_ns - self._start_ns) * 1e-9

    def _change(self, recorded_ns: int) -> Iterator[AlertChange]:
        decision = self._machine.decision
        if (decision.state, decision.cause) != self._shown:
            self._shown = decision.state, decision.cause
            text = f'{decision.state.name}: {decision.reason}'
            yield AlertChange(recorded_ns, decision.state.value, text)
