# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What depth_node counts and measures, and what that means (the rule apart from the node)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
import math
import threading
from typing import Any

import numpy as np

from . import diagnostic_keys as keys
from .diagnostics import Level
from ..estimation.stopwatch import Stage

# Times of this many frames make the percentiles: about 10 s at 30 Hz.
_WINDOW_FRAMES = 300
_RATE_WINDOW_S = 5.0
_NOT_MEASURED = (math.nan, math.nan)
# The slowest network takes a second on a small computer.
_STUCK_S = 10.0


@dataclass(frozen=True)
class DepthStatus:
    """
    The state of depth_node at one moment.

    ``frames_received = frames_processed + frames_superseded + frames_rejected + frames_ignored``
    plus at most the one in the works; frames_lost never came in, by the middleware's own count.
    Times are NaN before the first frame; a pair of times is the percentiles 50 and 95 of the last
    frames.
    """

    lifecycle_state: str = 'unconfigured'
    configure_error: str = ''
    worker_failure: str = ''
    in_work_s: float = 0.0
    frames_received: int = 0
    frames_processed: int = 0
    frames_superseded: int = 0
    frames_rejected: int = 0
    frames_ignored: int = 0
    frames_lost: int = 0
    last_rejection: str = ''
    rejected_lately: bool = False
    input_rate_hz: float = 0.0
    output_rate_hz: float = 0.0
    input_age_ms: float = math.nan
    inference_ms: float = math.nan
    processing_ms: tuple[float, float] = _NOT_MEASURED
    stages_ms: Mapping[Stage, tuple[float, float]] = field(default_factory=dict)
    image_topic: str = 'image'
    picture_problem: str = ''
    scan_transform: str = 'not published: not configured'
    model: str = ''
    model_choice: str = ''
    provider: str = ''
    camera_info: str = 'none'
    mounting: str = 'unknown'
    image_quality: str = 'unknown'
    image_usable: bool = True
    scale_unverified_because: str = 'no frame yet'
    scale_text: str = 'no frame yet'

    @property
    def frames_dropped(self) -> int:
        """Frames that did not become depth, whatever the reason."""
        return (
            self.frames_superseded + self.frames_rejected + self.frames_ignored + self.frames_lost
        )

    def as_values(self) -> dict[str, object]:
        """List the diagnostic keys with their units."""
        return {
            'state': self.lifecycle_state,
            'input rate (Hz)': self.input_rate_hz,
            'output rate (Hz)': self.output_rate_hz,
            'input age (ms)': self.input_age_ms,
            'inference time (ms)': self.inference_ms,
            'processing p50 (ms)': self.processing_ms[0],
            'processing p95 (ms)': self.processing_ms[1],
            **self._stage_values(),
            keys.FRAMES_RECEIVED: self.frames_received,
            keys.FRAMES_PROCESSED: self.frames_processed,
            keys.FRAMES_DROPPED: self.frames_dropped,
            keys.FRAMES_SUPERSEDED: self.frames_superseded,
            keys.FRAMES_REJECTED: self.frames_rejected,
            keys.FRAMES_IGNORED: self.frames_ignored,
            keys.FRAMES_LOST: self.frames_lost,
            'last rejection': self.last_rejection or 'none',
            keys.MODEL: self.model or 'none',
            'model choice': self.model_choice or 'none',
            keys.PROVIDER: self.provider or 'none',
            'pictures in transport': self.picture_problem or 'nothing noticed',
            'camera_info': self.camera_info,
            'mounting': self.mounting,
            'metric scale': (
                f'unverified: {self.scale_unverified_because}'
                if self.scale_unverified_because
                else 'verified'
            ),
            'witnesses of scale': self.scale_text,
            'image quality': self.image_quality,
            'transform of the scan': self.scan_transform,
        }

    def _stage_values(self) -> dict[str, object]:
        values: dict[str, object] = {}
        for stage in Stage:
            pair_ms = self.stages_ms.get(stage, _NOT_MEASURED)
            values |= zip(keys.stage_keys(stage), pair_ms, strict=True)
        return values


def assess(status: DepthStatus) -> tuple[Level, str]:
    """
    Say how depth_node is.

    Parameters
    ----------
    status : DepthStatus
        Its state now.

    Returns
    -------
    tuple of (Level, str)
        The worst thing found and a sentence that names it.

    """
    if status.configure_error:
        return Level.ERROR, f'not configured: {status.configure_error}'
    if status.lifecycle_state != 'active':
        return Level.WARN, f'{status.lifecycle_state}: no depth until the node is activated'
    if status.worker_failure:
        return Level.ERROR, f'the process ends: {status.worker_failure}'
    if status.in_work_s > _STUCK_S:
        return Level.ERROR, (
            f'a frame must be processed within {_STUCK_S:g} s, got none for '
            f'{status.in_work_s:.0f} s; restart the process, or choose another provider'
        )
    if status.frames_received == 0:
        waiting = f'waiting for the first image on {status.image_topic}'
        return Level.WARN, status.picture_problem or waiting
    if status.input_rate_hz == 0.0:
        silence = f'no image on {status.image_topic} for more than {_RATE_WINDOW_S:g} s'
        return Level.ERROR, '; '.join(filter(None, (silence, status.picture_problem)))
    if status.rejected_lately:
        return Level.ERROR, f'frames are rejected: {status.last_rejection}'
    if not status.image_usable:
        return Level.WARN, f'depth is unknown: {status.image_quality}'
    if status.picture_problem:
        return Level.WARN, status.picture_problem
    if status.output_rate_hz == 0.0:
        return Level.OK, 'idle: nobody listens'
    if status.scale_unverified_because:
        return Level.WARN, f'metric scale is unverified: {status.scale_unverified_because}'
    return Level.OK, 'depth is published'


@dataclass
class _Counters:
    status: DepthStatus = field(default_factory=DepthStatus)
    received_s: deque[float] = field(default_factory=deque)
    processed_s: deque[float] = field(default_factory=deque)
    rejected_s: float = -math.inf
    work_began_s: float | None = None
    processing_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_WINDOW_FRAMES))
    stages_ms: dict[Stage, deque[float]] = field(
        default_factory=lambda: {stage: deque(maxlen=_WINDOW_FRAMES) for stage in Stage}
    )


class StatusKeeper:
    """
    Gather the status from the executor's and the worker's thread.

    Parameters
    ----------
    steady_time_s : callable
        A clock that never jumps.

    """

    def __init__(self, steady_time_s: Callable[[], float]) -> None:
        self._steady_time_s = steady_time_s
        self._lock = threading.Lock()
        self._counters = _Counters()

    def update(self, **changes: Any) -> None:
        """Set fields of the status by name."""
        with self._lock:
            self._counters.status = replace(self._counters.status, **changes)

    def forget_frames(self) -> None:
        """Forget what the latest frame said: it must not outlive the frames."""
        fresh = DepthStatus()
        with self._lock:
            self._counters.work_began_s = None
        self.update(
            camera_info=fresh.camera_info,
            mounting=fresh.mounting,
            image_quality=fresh.image_quality,
            image_usable=fresh.image_usable,
            scale_unverified_because=fresh.scale_unverified_because,
            scale_text=fresh.scale_text,
        )

    def count_received(self, superseded_another: bool) -> None:
        """Count a frame that came in, and the one it replaced."""
        with self._lock:
            self._add(frames_received=1, frames_superseded=int(superseded_another))
            self._counters.received_s.append(self._steady_time_s())

    def begin_work(self) -> None:
        """Note that a frame is taken up; counting its fate ends this."""
        with self._lock:
            self._counters.work_began_s = self._steady_time_s()

    def count_superseded(self) -> None:
        """Count a frame that was left behind when the node was deactivated."""
        with self._lock:
            self._add(frames_superseded=1)

    def count_lost(self, count: int) -> None:
        """Count frames that the middleware says it lost."""
        with self._lock:
            self._add(frames_lost=count)

    def count_ignored(self) -> None:
        """Count a frame that nobody wanted."""
        with self._lock:
            self._end_work(frames_ignored=1)

    def count_rejected(self, reason: str) -> None:
        """Count a frame that could not be used."""
        with self._lock:
            self._end_work(frames_rejected=1)
            self._counters.rejected_s = self._steady_time_s()
            self._counters.status = replace(self._counters.status, last_rejection=reason)

    def count_processed(self, times_s: Mapping[Stage, float], input_age_s: float) -> None:
        """
        Count a frame that was observed and published.

        Parameters
        ----------
        times_s : mapping of Stage to float
            Time of each stage that the frame went through.
        input_age_s : float
            Age of the image when everything was published, by its stamp.

        """
        with self._lock:
            self._end_work(frames_processed=1)
            self._counters.processed_s.append(self._steady_time_s())
            for stage, time_s in times_s.items():
                self._counters.stages_ms[stage].append(time_s * 1e3)
            processing_s = sum(times_s.values()) - times_s.get(Stage.WAIT, 0.0)
            self._counters.processing_ms.append(processing_s * 1e3)
            self._counters.status = replace(
                self._counters.status,
                inference_ms=times_s.get(Stage.INFERENCE, 0.0) * 1e3,
                input_age_ms=input_age_s * 1e3,
            )

    def snapshot(self) -> DepthStatus:
        """
        Give the status of this moment.

        Returns
        -------
        DepthStatus
            With the rates of the last seconds and the percentiles of the last frames.

        """
        with self._lock:
            counters = self._counters
            now_s = self._steady_time_s()
            return replace(
                counters.status,
                in_work_s=0.0 if counters.work_began_s is None else now_s - counters.work_began_s,
                input_rate_hz=_rate_hz(counters.received_s, now_s),
                output_rate_hz=_rate_hz(counters.processed_s, now_s),
                rejected_lately=now_s - counters.rejected_s < _RATE_WINDOW_S,
                processing_ms=_percentiles(counters.processing_ms),
                stages_ms={
                    stage: _percentiles(times_ms) for stage, times_ms in counters.stages_ms.items()
                },
            )

    def _end_work(self, **increments: int) -> None:
        self._counters.work_began_s = None
        self._add(**increments)

    def _add(self, **increments: int) -> None:
        status = self._counters.status
        self._counters.status = replace(
            status, **{name: getattr(status, name) + more for name, more in increments.items()}
        )


def _rate_hz(times_s: deque[float], now_s: float) -> float:
    while times_s and now_s - times_s[0] > _RATE_WINDOW_S:
        times_s.popleft()
    return len(times_s) / _RATE_WINDOW_S


def _percentiles(values_ms: deque[float]) -> tuple[float, float]:
    """Return the 50th and the 95th percentile; NaN without a value."""
    if not values_ms:
        return _NOT_MEASURED
    p50, p95 = np.percentile(values_ms, (50, 95))
    return float(p50), float(p95)
