# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Witnesses of scale: what each says, how they are joined, and when they contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

# A factor that is surer than this would be no better: the error varies over the picture.
LEAST_SIGMA = 0.03
# How much the network's factor changes with what it sees: per metre, radian and second.
_DRIFT_PER_M, _DRIFT_PER_RAD, _DRIFT_PER_S = 0.08**2, 0.08**2, 0.01**2
_GATE = 3.0
_RESTART_AFTER = 3
_LEAST_MEASUREMENTS = 3
# Two witnesses differ when they do so by this many sigmas, and by this share at least.
_CONTRADICTION_SIGMAS, _CONTRADICTION_LOG = 2.0, math.log(1.18)
# From this on a factor is known too badly to call the metres verified.
MOST_VERIFIED_SIGMA = 0.2


@dataclass(frozen=True)
class Opinion:
    """
    What one witness says about the scale.

    Attributes
    ----------
    witness : str
        Its name.
    log_factor : float
        Logarithm of true depth over the network's.
    sigma : float
        Standard deviation of `log_factor`.
    local_sigma : float
        By how much the factor where it was measured may differ from that of the whole picture;
        counts where others speak of another part of it.
    log_depth : float
        Logarithm of the network's depth (over 2 m) of what it measured; NaN for all depths.

    """

    witness: str
    log_factor: float
    sigma: float
    local_sigma: float = 0.0
    log_depth: float = math.nan

    @property
    def variance_among_others(self) -> float:
        """Square of its uncertainty about the whole picture."""
        return self.sigma**2 + self.local_sigma**2

    def __str__(self) -> str:
        return f'{self.witness} says {math.exp(self.log_factor):.2f} +- {self.sigma:.0%}'


@dataclass(frozen=True)
class Judgement:
    """
    What all witnesses say together.

    Attributes
    ----------
    state : str
        verified, unverified or contradicted.
    log_factor : float
        Logarithm of the factor for the network's depth; never positive unless verified.
    sigma : float
        Its standard deviation; NaN unless verified.
    reason : str
        Who contradicts whom, and which of them is likelier; else empty.
    opinions : tuple of Opinion
        Who said what.

    """

    state: str
    log_factor: float
    sigma: float
    reason: str = ''
    opinions: tuple[Opinion, ...] = ()

    @property
    def is_measured(self) -> bool:
        """Whether anybody but the mounting, which the network has used already, said anything."""
        return any(opinion.witness != 'mounting' for opinion in self.opinions)

    def contradicted(self, log_factor: float, reason: str) -> Judgement:
        """Return what holds where something else contradicts it: the nearer of the two."""
        nearer = min(0.0, self.log_factor, log_factor)
        return replace(
            self, state='contradicted', log_factor=nearer, sigma=math.nan, reason=reason
        )


class FactorTrack:
    """
    The factor that one witness measures again and again (Kalman filter of its logarithm).

    Parameters
    ----------
    witness : str
        Name for its opinion.
    local_sigma : float, optional
        See :class:`Opinion`.

    """

    def __init__(self, witness: str, local_sigma: float = 0.0) -> None:
        self.witness = witness
        self._local_sigma = local_sigma
        self.restart()

    def restart(self) -> None:
        """Forget every measurement."""
        self._log_factor, self._variance, self._log_depth = 0.0, math.inf, math.nan
        self._count = self._misfits = 0

    def drift(self, moved_m: float, turned_rad: float, passed_s: float) -> None:
        """Let the factor become less certain with what the camera sees anew."""
        self._variance += (
            _DRIFT_PER_M * moved_m + _DRIFT_PER_RAD * turned_rad + _DRIFT_PER_S * passed_s
        )

    def take(self, log_factor: float, sigma: float, log_depth: float = math.nan) -> int:
        """
        Take a measurement; one that does not fit counts when others follow it.

        Parameters
        ----------
        log_factor, sigma : float
            What is measured, and its standard deviation.
        log_depth : float, optional
            See :class:`Opinion`.

        Returns
        -------
        int
            How many measurements the factor rests on now; 0 where this one is not among them.

        """
        if not (math.isfinite(log_factor) and 0.0 < sigma < math.inf):
            return 0
        noise = sigma * sigma
        change = log_factor - self._log_factor
        if self._count and change * change > _GATE**2 * (self._variance + noise):
            self._misfits += 1
            # Something is wrong, with the past or with this: both are believed less.
            self._variance *= 2.0
            if self._misfits < _RESTART_AFTER:
                return 0
            self.restart()
        if self._count == 0:
            self._log_factor, self._variance, self._log_depth = log_factor, noise, log_depth
        else:
            gain = self._variance / (self._variance + noise)
            self._log_factor += gain * (log_factor - self._log_factor)
            self._log_depth += gain * (log_depth - self._log_depth)
            self._variance *= 1.0 - gain
        self._count += 1
        self._misfits = 0
        return self._count

    def opinion(self) -> Opinion | None:
        """
        Return what the measurements say together.

        Returns
        -------
        Opinion or None
            None before there are enough of them, and once they have become worthless.

        """
        if self._count < _LEAST_MEASUREMENTS:
            return None
        sigma = math.sqrt(self._variance + LEAST_SIGMA**2)
        if sigma > 2.0 * MOST_VERIFIED_SIGMA:
            return None
        return Opinion(self.witness, self._log_factor, sigma, self._local_sigma, self._log_depth)


def judge(opinions: Sequence[Opinion]) -> Judgement:
    """
    Join what witnesses say.

    Parameters
    ----------
    opinions : sequence of Opinion
        Of witnesses that are independent of each other.

    Returns
    -------
    Judgement
        Weighted by their certainty; where two contradict each other, the nearer one holds.

    """
    given = tuple(opinions)
    if not given:
        return Judgement('unverified', 0.0, math.nan)
    contrary = max(combinations(given, 2), key=_contradiction, default=None)
    if contrary is not None and _contradiction(contrary) > 1.0:
        likelier = _likelier(contrary, given)
        return Judgement(
            'contradicted',
            min(0.0, *(opinion.log_factor for opinion in given)),
            math.nan,
            f'{contrary[0]}, {contrary[1]}; {likelier} is likelier',
            given,
        )
    alone = len(given) == 1
    weights = [
        opinion.sigma**-2 if alone else 1.0 / opinion.variance_among_others for opinion in given
    ]
    log_factor = sum(
        weight * opinion.log_factor for weight, opinion in zip(weights, given, strict=True)
    ) / sum(weights)
    sigma = max(LEAST_SIGMA, sum(weights) ** -0.5)
    if sigma > MOST_VERIFIED_SIGMA:
        return Judgement('unverified', min(0.0, log_factor), math.nan, opinions=given)
    return Judgement('verified', log_factor, sigma, opinions=given)


def _contradiction(pair: tuple[Opinion, Opinion]) -> float:
    """Return by how much two opinions differ, in units of what is allowed."""
    allowed = _CONTRADICTION_SIGMAS * math.sqrt(
        pair[0].variance_among_others + pair[1].variance_among_others
    )
    return abs(pair[0].log_factor - pair[1].log_factor) / max(allowed, _CONTRADICTION_LOG)


def _likelier(pair: tuple[Opinion, Opinion], opinions: Sequence[Opinion]) -> str:
    """Return the witness of a pair that the others support, or else the surer one."""

    def support(opinion: Opinion) -> tuple[int, float]:
        friends = sum(
            other is not opinion and _contradiction((opinion, other)) <= 1.0 for other in opinions
        )
        return friends, -opinion.variance_among_others

    return max(pair, key=support).witness


class PatientFactor:
    """
    The factors that are applied: nearer at once, farther only after it has been so for a while.

    Parameters
    ----------
    wait_s : float
        How long a factor must have been farther.

    """

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._recent: list[tuple[float, NDArray[np.float64]]] = []

    def restart(self) -> None:
        """Forget every factor."""
        self._recent = []

    def apply(self, now_s: float, log_factor: ArrayLike) -> NDArray[np.float64]:
        """
        Take the factors that are wanted, and return those that hold.

        Parameters
        ----------
        now_s : float
            Time of the picture; where it goes back, all is forgotten.
        log_factor : float or ndarray of float64
            What is wanted, always of the same shape; each for itself.

        Returns
        -------
        ndarray of float64
            The least of what was wanted in the last `wait_s`, and of 0 before that.

        """
        wanted = np.asarray(log_factor, np.float64)
        if self._recent and now_s < self._recent[-1][0]:
            self.restart()
        if not self._recent:
            self._recent = [(now_s, np.minimum(0.0, wanted))]
        self._recent.append((now_s, wanted))
        # The last entry before the window still held when the window began.
        while len(self._recent) > 2 and self._recent[1][0] <= now_s - self._wait_s:
            self._recent.pop(0)
        return np.asarray(np.minimum.reduce([wanted for _, wanted in self._recent]), np.float64)
