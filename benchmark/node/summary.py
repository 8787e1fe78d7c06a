# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What the raw times of a trial amount to: percentiles, ages, overhead, drift."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .plan import Trial

_AGE_STEP_MS = 5.0
_NS_PER_MS = 1e6
_WARM_UP_SHARE, _MOST_WARM_UP_S = 0.1, 60.0


@dataclass(frozen=True)
class Sample:
    """What a process held at one moment, `time_s` after the start of the measurement."""

    time_s: float
    resident_mb: float
    descriptors: int
    threads: int


@dataclass(frozen=True)
class Measurement:
    """
    One trial, once.

    Attributes
    ----------
    trial : Trial
        What was run.
    window_ns : tuple of int
        Start and end of the measured time; what was stamped before is warm-up.
    published : int
        Pictures of the camera, the warm-up included.
    lost : int
        Those of them that never reached the node's callback.
    superseded : int
        Those that reached it and were replaced by a newer one, as the node counted.
    frames_ns : sequence of (int, int)
        Stamp of the picture and time at which its depth arrived.
    cpu_s : float
        Of the node's process in the window.
    peak_mb : float
        Most resident memory of the process.
    inference_s : mapping of int to float
        Time of the network by stamp, where it is known.
    stages_ms : mapping
        Percentiles 50 and 95 of each stage, where they are known.
    samples : sequence of Sample
        Over the window.

    """

    trial: Trial
    window_ns: tuple[int, int]
    published: int
    lost: int
    superseded: int
    frames_ns: Sequence[tuple[int, int]]
    cpu_s: float
    peak_mb: float
    inference_s: Mapping[int, float] = field(default_factory=dict)
    stages_ms: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    samples: Sequence[Sample] = ()

    @property
    def window_s(self) -> float:
        """Length of the measured time."""
        return (self.window_ns[1] - self.window_ns[0]) * 1e-9

    @property
    def arrived_in_window(self) -> int:
        """Number of depth maps that came in the measured time."""
        start_ns, end_ns = self.window_ns
        return sum(start_ns <= arrived_ns < end_ns for _, arrived_ns in self.frames_ns)

    def latencies_ms(self) -> list[float]:
        """Return the age of each depth map on arrival, for pictures of the window."""
        return [
            (arrived_ns - stamp_ns) / _NS_PER_MS
            for stamp_ns, arrived_ns in self.frames_ns
            if stamp_ns >= self.window_ns[0]
        ]

    def overheads_ms(self) -> list[float]:
        """Return latency less inference, for frames of the window whose inference is known."""
        return [
            (arrived_ns - stamp_ns) / _NS_PER_MS - self.inference_s[stamp_ns] * 1e3
            for stamp_ns, arrived_ns in self.frames_ns
            if stamp_ns >= self.window_ns[0] and stamp_ns in self.inference_s
        ]

    def newest_ages_ms(self) -> list[float]:
        """Return how old the newest depth is, sampled over the window."""
        if not self.frames_ns:
            return []
        frames_ns = sorted(self.frames_ns, key=lambda frame: frame[1])
        arrived_ns = np.array([arrived for _, arrived in frames_ns])
        newest_ns = np.maximum.accumulate(np.array([stamp for stamp, _ in frames_ns]))
        moments_ns = np.arange(*self.window_ns, round(_AGE_STEP_MS * _NS_PER_MS))
        index = np.searchsorted(arrived_ns, moments_ns, side='right') - 1
        known = index >= 0
        ages_ms = (moments_ns[known] - newest_ns[index[known]]) / _NS_PER_MS
        return [float(age_ms) for age_ms in ages_ms]


def percentiles(values: Iterable[float], wanted: Sequence[int]) -> dict[str, float | None]:
    """Return percentiles as `p50` and so on; None without a value."""
    found = list(values)
    if not found:
        return {f'p{share}': None for share in wanted}
    return {
        f'p{share}': round(float(value), 3)
        for share, value in zip(wanted, np.percentile(found, wanted), strict=True)
    }


def summarize(rounds: Sequence[Measurement]) -> dict[str, object]:
    """
    Pool the rounds of one trial.

    Parameters
    ----------
    rounds : sequence of Measurement
        All of the same trial; at least one.

    Returns
    -------
    dict
        One row of the report, of JSON values.

    """
    trial = rounds[0].trial
    arrived = sum(m.arrived_in_window for m in rounds)
    return {
        'contestant': trial.contestant,
        'model': trial.model.name,
        'input': trial.camera,
        'rate_hz': trial.rate_hz,
        'threads': trial.threads,
        'transport': trial.transport,
        'fps': round(arrived / sum(m.window_s for m in rounds), 2),
        'latency_ms': percentiles((x for m in rounds for x in m.latencies_ms()), (50, 95, 99)),
        'newest_age_ms': percentiles((x for m in rounds for x in m.newest_ages_ms()), (50, 95)),
        'published': sum(m.published for m in rounds),
        'lost': sum(m.lost for m in rounds),
        'superseded': sum(m.superseded for m in rounds),
        'cpu_ms_per_frame': round(1e3 * sum(m.cpu_s for m in rounds) / arrived, 2)
        if arrived
        else None,
        'peak_mb': round(max(m.peak_mb for m in rounds), 1),
    }


def soak(measured: Measurement) -> dict[str, object]:
    """
    Tell whether a long run stays as it began.

    Parameters
    ----------
    measured : Measurement
        With samples.

    Returns
    -------
    dict
        Growth of memory from the tenth after the warm-up to the last tenth, the 99th percentile
        of the latency in the first and last third, and the course of everything.

    """
    start_ns = measured.window_ns[0]
    warm_up_s = min(_MOST_WARM_UP_S, _WARM_UP_SHARE * measured.window_s)
    rest_s = measured.window_s - warm_up_s

    def between(first: float, last: float) -> list[Sample]:
        return [
            sample
            for sample in measured.samples
            if warm_up_s + first * rest_s <= sample.time_s <= warm_up_s + last * rest_s
        ]

    frames = [
        ((stamp_ns - start_ns) * 1e-9, (arrived_ns - stamp_ns) / _NS_PER_MS)
        for stamp_ns, arrived_ns in measured.frames_ns
    ]
    begin, end = between(0.0, 0.1), between(0.9, 1.0)
    growth_mb = None
    if begin and end:
        growth_mb = round(_median_mb(end) - _median_mb(begin), 2)
    third_s = rest_s / 3.0
    first_ms = [ms for at_s, ms in frames if warm_up_s <= at_s < warm_up_s + third_s]
    last_ms = [ms for at_s, ms in frames if at_s >= warm_up_s + 2.0 * third_s]
    return {
        'minutes': round(measured.window_s / 60.0, 2),
        'rss_growth_mb': growth_mb,
        'p99_first_ms': percentiles(first_ms, (99,))['p99'],
        'p99_last_ms': percentiles(last_ms, (99,))['p99'],
        'descriptors': [sample.descriptors for sample in measured.samples],
        'threads': [sample.threads for sample in measured.samples],
        'time_s': [round(sample.time_s, 1) for sample in measured.samples],
        'rss_mb': [round(sample.resident_mb, 2) for sample in measured.samples],
        'latency_ms': _course(frames, [sample.time_s for sample in measured.samples]),
        'frames_lost': measured.lost,
    }


def _median_mb(samples: Sequence[Sample]) -> float:
    return float(np.median([sample.resident_mb for sample in samples]))


def _course(
    frames: Sequence[tuple[float, float]], edges_s: Sequence[float]
) -> list[dict[str, float | None]]:
    """Return the percentiles of the frames between each sample and the one before."""
    at_s = np.array([time_s for time_s, _ in frames])
    latency_ms = np.array([ms for _, ms in frames])
    bins = np.searchsorted(np.asarray(edges_s), at_s)
    return [percentiles(latency_ms[bins == index], (50, 99)) for index in range(len(edges_s))]
