# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Whether the distance can be trusted now: arrival, stamps, values.

A source is trusted from its first good reading until something speaks against it. Two clocks
are used, both passed in: a steady one for everything that is a duration here, and the clock of
the message stamps, read only when a message arrives, so that a jump of it disturbs no duration.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

from ..settings import setting, Settings


@dataclass(frozen=True)
class SourceConfig(Settings):
    """When the distance is stale."""

    alert_source: str = setting(
        'range',
        'Input that decides: range (proximity/range, in metres) or near (proximity/near, true '
        'or false, for models without metres).',
        choices=('range', 'near'),
        read_only=True,
    )
    source_timeout_s: float = setting(
        0.5,
        'Time without a new reading after which the state is STALE, in seconds.',
        minimum=0.05,
        maximum=60.0,
    )
    max_stamp_age_s: float = setting(
        1.0,
        'Age of a reading, by its stamp, above which the state is STALE, in seconds. It covers '
        'camera, network and inference.',
        minimum=0.05,
        maximum=60.0,
    )
    max_stamp_ahead_s: float = setting(
        0.1,
        'Time by which a stamp may lie in the future, in seconds. Beyond it the state is STALE: '
        'the clocks of two machines disagree, or one jumped.',
        minimum=0.0,
        maximum=60.0,
    )


@dataclass(frozen=True)
class RangeReading:
    """
    One message of the distance source.

    Attributes
    ----------
    distance_m, min_m, max_m : float
        Nearest distance, and the limits of the sensor; `max_m` itself means that nothing is seen.
    stamp_ns : int or None
        When the picture was taken, in nanoseconds on the clock of the stamps; None where the
        stamp is malformed.
    scale_sigma : float or None
        Relative standard deviation of the metric scale, for example 0.05 for 5 %; None while
        the scale is unverified.

    """

    distance_m: float
    min_m: float
    max_m: float
    stamp_ns: int | None
    scale_sigma: float | None = None

    @property
    def scale_is_verified(self) -> bool:
        """Return whether the metres are metres: from 100 % of uncertainty on, they are not."""
        return self.scale_sigma is not None and 0 < self.scale_sigma < 1

    def flaw(self) -> str:
        """
        Return what is wrong with the values.

        Returns
        -------
        str
            Empty when the distance lies within sound limits.

        """
        if not (0 <= self.min_m < self.max_m < math.inf):
            return f'range limits [{self.min_m:g}, {self.max_m:g}] m are malformed'
        if not self.min_m <= self.distance_m <= self.max_m:  # catches NaN as well
            return f'range {self.distance_m:g} m is not in [{self.min_m:g}, {self.max_m:g}] m'
        return ''


@dataclass(frozen=True)
class SourceFault:
    """
    Why the distance cannot be trusted.

    Attributes
    ----------
    is_stale : bool
        True where the data are missing or old, False where they are there but unusable.
    cause : str
        A word that stays the same while the fault does.
    reason : str
        A sentence for a person.

    """

    is_stale: bool
    cause: str
    reason: str


class SourceWatch:
    """
    Judge each message of the distance source, and its silence.

    Parameters
    ----------
    config : SourceConfig
        Timeouts and which topic decides.

    """

    def __init__(self, config: SourceConfig) -> None:
        self._config = config
        self._arrival_s: float | None = None
        self._age_on_arrival_s = 0.0
        self._stamp_ns: int | None = None
        self._repeats = False
        self._rejection: SourceFault | None = None
        self._unknown_since_s: float | None = None
        self._unknown_heard_s = 0.0

    def hear(self, now_s: float, reading: RangeReading, clock_ns: int) -> bool:
        """
        Take a stamped distance.

        Parameters
        ----------
        now_s : float
            Steady time.
        reading : RangeReading
            The message.
        clock_ns : int
            The time now on the clock of the stamps, in nanoseconds.

        Returns
        -------
        bool
            True when the reading can be used.

        """
        if reading.stamp_ns is None or reading.stamp_ns <= 0:
            self._arrival_s, self._repeats = now_s, False
            self._rejection = self._flaw(reading) or _no_time(reading.stamp_ns)
            return False
        if reading.stamp_ns == self._stamp_ns and not reading.flaw():
            self._repeats = True  # the same picture again is no news: it does not feed the timeout
            return False
        previous_ns, self._stamp_ns = self._stamp_ns, reading.stamp_ns
        self._repeats = False
        self._arrival_s = now_s
        self._age_on_arrival_s = (clock_ns - reading.stamp_ns) / 1e9
        self._rejection = self._flaw(reading) or self._misdated(reading.stamp_ns, previous_ns)
        return self._rejection is None

    def hear_near(self, now_s: float) -> None:
        """Take an unstamped yes or no, at a steady time in seconds."""
        self._arrival_s = now_s
        self._age_on_arrival_s = 0.0
        self._rejection = None

    def hear_proximity(self, now_s: float, share: float) -> None:
        """
        Take the share of near pixels: NaN means that the distance in the picture is unknown.

        Parameters
        ----------
        now_s : float
            Steady time.
        share : float
            0..1; anything else means that the distance is unknown.

        """
        self._unknown_heard_s = now_s
        if 0 <= share <= 1:
            self._unknown_since_s = None
        elif self._unknown_since_s is None:
            self._unknown_since_s = now_s

    def fault(self, now_s: float) -> SourceFault | None:
        """
        Return why the distance cannot be trusted at this time.

        Parameters
        ----------
        now_s : float
            Steady time.

        Returns
        -------
        SourceFault or None
            None while the source is healthy.

        """
        timeout_s = self._config.source_timeout_s
        if self._unknown_since_s is not None and now_s - self._unknown_heard_s <= timeout_s:
            return SourceFault(
                False,
                'unknown',
                'the distance is unknown: the picture is dark, covered or blank, or too few '
                'pixels are valid',
            )
        if self._arrival_s is None:
            return SourceFault(False, 'unheard', 'no distance received yet')
        silence_s = now_s - self._arrival_s
        if silence_s > timeout_s:
            return self._silence(silence_s)
        if self._rejection is not None:
            return self._rejection
        age_s = self._age_on_arrival_s + silence_s
        if age_s > self._config.max_stamp_age_s:
            return self._old(age_s)
        if self._unknown_since_s is not None:
            return SourceFault(False, 'unknown', 'the distance in the last picture is unknown')
        return None

    @staticmethod
    def _flaw(reading: RangeReading) -> SourceFault | None:
        flaw = reading.flaw()
        return SourceFault(False, 'invalid', flaw) if flaw else None

    def _misdated(self, stamp_ns: int, previous_ns: int | None) -> SourceFault | None:
        if previous_ns is not None and stamp_ns < previous_ns:
            back_s = (previous_ns - stamp_ns) / 1e9
            return SourceFault(
                True, 'stamp', f'stamp went back by {back_s:.3g} s: a clock jumped, or two sources'
            )
        if -self._age_on_arrival_s > self._config.max_stamp_ahead_s:
            return SourceFault(
                True,
                'stamp',
                f'stamp lies {-self._age_on_arrival_s:.3g} s in the future: '
                'synchronise the clocks, or check /clock',
            )
        if self._age_on_arrival_s > self._config.max_stamp_age_s:
            return self._old(self._age_on_arrival_s)
        return None

    def _old(self, age_s: float) -> SourceFault:
        return SourceFault(
            True,
            'stamp',
            f'the picture is {age_s:.3g} s old, at most {self._config.max_stamp_age_s:g} s is '
            'allowed: too slow, or the clocks differ',
        )

    def _silence(self, silence_s: float) -> SourceFault:
        if self._repeats:
            return SourceFault(True, 'frozen', f'the same stamp for {silence_s:.2f} s: frozen')
        return SourceFault(True, 'silent', f'no distance for {silence_s:.2f} s')


def _no_time(stamp_ns: int | None) -> SourceFault:
    if stamp_ns is None:
        return SourceFault(True, 'stamp', 'the stamp is not a time: its nanoseconds exceed 1 s')
    if stamp_ns == 0:
        return SourceFault(True, 'stamp', 'the stamp is zero: the source must stamp its readings')
    return SourceFault(True, 'stamp', f'stamp {stamp_ns / 1e9:.9g} s is not a time')
