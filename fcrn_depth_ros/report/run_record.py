# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
What a run looked like from outside: `summary.json`, a contact sheet and a video.

A :class:`RunRecord` takes what a subscriber received and when; nothing in it comes from inside
the nodes but what they publish. Times are nanoseconds since the epoch.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
import math
from pathlib import Path
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from .contact_sheet import contact_sheet, DepthColors, SheetMoment, TimelinePoint
from .drawing import (
    colorize_depth,
    draw_banner,
    draw_near_pixels,
    format_distance,
    Picture,
    STATE_COLORS,
    UNKNOWN_COLOR,
)
from .output_files import write_json, write_png, written_whole
from ..alert.verdict import AlertState
from ..errors import ToolInputError
from ..perception.proximity import ProximityConfig

_NS_PER_S = 1e9
_SHEET_MOMENTS = 6
# Pictures kept for the video: when they are too many, every second one goes.
_KEEP_INTERVAL_S = 1 / 15
_MAX_KEPT = 600
_KEPT_WIDTH_PX = 480
# Frames whose depth has not come yet; at 30 Hz two seconds.
_MAX_WAITING = 60
_VIDEO_FORMATS = (('mp4', 'mp4v'), ('avi', 'MJPG'))
_SUMMARY_NAME, _SHEET_NAME = 'summary.json', 'contact_sheet.png'
# Every name that a report may use.
REPORT_NAMES = (_SUMMARY_NAME, _SHEET_NAME, *(f'demo.{kind}' for kind, _ in _VIDEO_FORMATS))

Image = TypeVar('Image')


class _CodecMissingError(Exception):
    """OpenCV cannot write this kind of video here."""


@dataclass(frozen=True)
class KeptFrame:
    """One frame that the video shows; `near` is None where depth/near has not come for it."""

    stamp_ns: int
    image_rgb: Picture
    depth_m: NDArray[np.float32]
    near: NDArray[np.bool_] | None


@dataclass(frozen=True)
class DepthNodeAccount:
    """
    What depth_node counted and measured since it was started.

    Attributes
    ----------
    drops : mapping
        Reason -> number of frames that did not become depth.
    inference_p50_ms, inference_p95_ms : float
        Of the network alone; NaN before the first frame.
    model, provider : str or None
        The network, and the execution provider that runs it.

    """

    drops: Mapping[str, int] = field(default_factory=dict)
    inference_p50_ms: float = math.nan
    inference_p95_ms: float = math.nan
    model: str | None = None
    provider: str | None = None


@dataclass(frozen=True)
class _StateChange:
    time_ns: int
    state: AlertState


class WaitingImages(Generic[Image]):
    """Hold on to images until their depth comes, or is not coming any more."""

    def __init__(self) -> None:
        self._images: OrderedDict[int, Image] = OrderedDict()

    def put(self, stamp_ns: int, image: Image) -> None:
        """Remember an image; the oldest is forgotten when there are too many."""
        self._images[stamp_ns] = image
        while len(self._images) > _MAX_WAITING:
            self._images.popitem(last=False)

    def take(self, stamp_ns: int) -> Image | None:
        """Return the image of a stamp; forget it and all older ones."""
        image = self._images.pop(stamp_ns, None)
        for older in [key for key in self._images if key < stamp_ns]:
            del self._images[older]
        return image


class RunRecord:
    """
    Gather what was received during one run.

    Parameters
    ----------
    proximity : ProximityConfig
        That of depth_node: its distances stand in the captions.

    """

    def __init__(self, proximity: ProximityConfig) -> None:
        self._proximity_config = proximity
        self._image_stamps_ns: set[int] = set()
        self._latency_ms: dict[int, float] = {}
        self._nearest_m: dict[int, float] = {}
        self._proximity: list[float] = []
        self._states: list[_StateChange] = []
        self._account: DepthNodeAccount | None = None
        self._drops_before: Mapping[str, int] = {}
        self._kept: list[KeptFrame] = []
        self._keep_interval_s = _KEEP_INTERVAL_S

    @property
    def published_count(self) -> int:
        """Count the images that came in."""
        return len(self._image_stamps_ns)

    @property
    def processed_count(self) -> int:
        """Count the depth images that came in, each stamp once."""
        return len(self._latency_ms)

    @property
    def dropped_count(self) -> int | None:
        """Count the frames that depth_node dropped; None where it has given no account."""
        return None if self._account is None else sum(self._drops_of_this_run().values())

    @property
    def drop_reasons(self) -> dict[str, int]:
        """Count the dropped frames by reason."""
        return {reason: count for reason, count in self._drops_of_this_run().items() if count}

    @property
    def last_state(self) -> AlertState | None:
        """Return the alert state in force; None before the first."""
        return self._states[-1].state if self._states else None

    @property
    def last_nearest_m(self) -> float:
        """Return the nearest distance of the last processed frame; NaN when unknown."""
        return self._nearest_m.get(max(self._latency_ms, default=0), math.nan)

    def add_image(self, stamp_ns: int) -> None:
        """Note an image."""
        self._image_stamps_ns.add(stamp_ns)

    def add_depth(self, stamp_ns: int, published_ns: int) -> None:
        """Note a depth image and when its publisher sent it."""
        self._latency_ms.setdefault(stamp_ns, (published_ns - stamp_ns) * 1e-6)

    def add_nearest(self, stamp_ns: int, nearest_m: float) -> None:
        """Note the nearest distance of one frame."""
        self._nearest_m[stamp_ns] = nearest_m

    def add_proximity(self, share: float) -> None:
        """Note the share of near pixels of one frame; NaN is unknown."""
        self._proximity.append(share)

    def add_state(self, time_ns: int, state: AlertState) -> bool:
        """Note the alert state; returns whether it is another than before."""
        if state == self.last_state:
            return False
        self._states.append(_StateChange(time_ns, state))
        return True

    def add_account(self, account: DepthNodeAccount) -> None:
        """Note depth_node's account of itself; what it dropped before the run is left out."""
        self._account = account
        if not self._image_stamps_ns:
            self._drops_before = account.drops

    def wants_picture(self, stamp_ns: int) -> bool:
        """Return whether the video has room for this frame."""
        if not self._kept:
            return True
        return (stamp_ns - self._kept[-1].stamp_ns) / _NS_PER_S >= 0.95 * self._keep_interval_s

    def keep(self, frame: KeptFrame) -> None:
        """Keep the pictures of one frame, made smaller."""
        if len(self._kept) == _MAX_KEPT:
            del self._kept[1::2]
            self._keep_interval_s *= 2
        self._kept.append(
            KeptFrame(
                frame.stamp_ns,
                _shrunk(frame.image_rgb, cv2.INTER_AREA),
                _shrunk(frame.depth_m, cv2.INTER_NEAREST),
                frame.near,
            )
        )

    def summary(self, ros_distro: str) -> dict[str, Any]:
        """
        Put the run in numbers.

        Parameters
        ----------
        ros_distro : str
            Name of the ROS 2 that was used.

        Returns
        -------
        dict
            JSON types only; None where nothing was received. See docs/demo.md.

        """
        known = [share for share in self._proximity if math.isfinite(share)]
        account = self._account or DepthNodeAccount()
        return {
            'frames_published': self.published_count,
            'frames_processed': self.processed_count,
            'frames_dropped': self.dropped_count,
            'latency_ms': _percentiles(list(self._latency_ms.values()), (50, 95, 99)),
            'inference_ms': {
                'p50': _finite(account.inference_p50_ms),
                'p95': _finite(account.inference_p95_ms),
            },
            'proximity': {
                'min': _rounded(min(known)) if known else None,
                'max': _rounded(max(known)) if known else None,
                'mean': _rounded(sum(known) / len(known)) if known else None,
            },
            'alert_states': [change.state.name for change in self._states],
            'model': account.model,
            'provider': account.provider,
            'ros_distro': ros_distro,
        }

    def times(self) -> str:
        """Say how late depth was, and how much of that the network took; empty where unknown."""
        latency = _percentiles(list(self._latency_ms.values()), (50, 95))
        account = self._account or DepthNodeAccount()
        late_ms, least_ms = latency['p95'], account.inference_p95_ms
        if late_ms is None or not least_ms > 0:
            return ''
        return (
            f'latency p50 {latency["p50"]:.1f}, p95 {late_ms:.1f} ms; inference alone p50 '
            f'{account.inference_p50_ms:.1f}, p95 {least_ms:.1f} ms: '
            f'{late_ms / least_ms:.2f} times its p95'
        )

    def unaccounted_count(self) -> int:
        """Count published frames that were neither processed nor counted as dropped."""
        return self.published_count - self.processed_count - (self.dropped_count or 0)

    def timeline(self) -> list[TimelinePoint]:
        """List distance and state of each processed frame, with seconds since the first."""
        stamps_ns = sorted(self._latency_ms)
        return [
            TimelinePoint(
                (stamp_ns - stamps_ns[0]) / _NS_PER_S,
                self._nearest_m.get(stamp_ns, math.nan),
                self._state_of(stamp_ns),
            )
            for stamp_ns in stamps_ns
        ]

    def write(self, folder: Path, ros_distro: str) -> list[Path]:
        """
        Write the report of the run.

        Parameters
        ----------
        folder : Path
            Exists.
        ros_distro : str
            Name of the ROS 2 that was used.

        Returns
        -------
        list of Path
            What was written: the summary, and the pictures where depth came.

        Raises
        ------
        ToolInputError
            A file cannot be written to its end; nothing of it is left.

        """
        summary = self.summary(ros_distro)
        paths = [folder / _SUMMARY_NAME]
        write_json(paths[0], summary)
        if self._kept:
            paths.append(folder / _SHEET_NAME)
            write_png(paths[-1], self._contact_sheet(summary))
            paths.append(self._write_video(folder))
        return paths

    def _drops_of_this_run(self) -> dict[str, int]:
        drops = {} if self._account is None else self._account.drops
        return {
            reason: count - self._drops_before.get(reason, 0) for reason, count in drops.items()
        }

    def _contact_sheet(self, summary: dict[str, Any]) -> Picture:
        colors = DepthColors()
        start_ns = min(self._latency_ms)
        picks = np.linspace(0, len(self._kept) - 1, min(_SHEET_MOMENTS, len(self._kept)))
        moments = [
            SheetMoment(
                (frame.stamp_ns - start_ns) / _NS_PER_S,
                (frame.image_rgb, self._depth_picture(frame, colors), self._overlay(frame)),
            )
            for frame in (self._kept[round(pick)] for pick in picks)
        ]
        timeline = self.timeline()
        rate_hz = (len(timeline) - 1) / max(timeline[-1].time_s, 1e-3)
        subtitle = (
            f'{summary["model"]} on {summary["provider"]}: {self.processed_count} of '
            f'{self.published_count} frames, {rate_hz:.1f} Hz'
        )
        return contact_sheet(
            'fcrn_depth_ros: one camera in, metric depth and an alert out',
            subtitle,
            (
                'camera',
                'depth',
                f'nearer than {self._proximity_config.near_distance_m:g} m, and the alert',
            ),
            moments,
            timeline,
            colors,
        )

    def _write_video(self, folder: Path) -> Path:
        for suffix, codec in _VIDEO_FORMATS:
            path = folder / f'demo.{suffix}'
            try:
                with written_whole(path) as partial:
                    self._draw_video(partial, codec)
                return path
            except _CodecMissingError:
                continue
        raise ToolInputError(
            'OpenCV must be able to write MP4 or AVI video, got a build that does neither; '
            'install opencv-python-headless'
        )

    def _draw_video(self, path: Path, codec: str) -> None:
        span_s = (self._kept[-1].stamp_ns - self._kept[0].stamp_ns) / _NS_PER_S
        rate_hz = min(60.0, max(1.0, (len(self._kept) - 1) / span_s)) if span_s > 0 else 1.0
        height, width = self._kept[0].image_rgb.shape[:2]
        # Codecs want even sizes.
        size = (2 * width // 2 * 2, height // 2 * 2)
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate_hz, size)
        if not writer.isOpened():
            raise _CodecMissingError
        for frame in self._kept:
            both = np.hstack(
                [
                    _resized(self._overlay(frame), width, height),
                    _resized(self._depth_picture(frame, DepthColors()), width, height),
                ]
            )
            writer.write(np.ascontiguousarray(both[: size[1], : size[0], ::-1]))
        writer.release()
        # OpenCV says nothing of a full disk, which the index at the end does not reach.
        if not cv2.VideoCapture(str(path)).isOpened():
            raise OSError('an incomplete video')

    def _depth_picture(self, frame: KeptFrame, colors: DepthColors) -> Picture:
        height, width = frame.image_rgb.shape[:2]
        depth_m = _resized(frame.depth_m, width, height, cv2.INTER_NEAREST)
        return colorize_depth(depth_m, colors.min_m, colors.max_m, colors.color_map)

    def _overlay(self, frame: KeptFrame) -> Picture:
        state = self._state_of(frame.stamp_ns)
        nearest_m = self._nearest_m.get(frame.stamp_ns, math.nan)
        distance = format_distance(nearest_m, self._proximity_config.max_range_m)
        picture, near = frame.image_rgb, frame.near
        return draw_banner(
            picture if near is None else draw_near_pixels(picture, near),
            f'{"no alert" if state is None else state.name}   nearest {distance}'
            + ('   near not drawn: not received' if near is None else ''),
            UNKNOWN_COLOR if state is None else STATE_COLORS[state],
        )

    def _state_of(self, stamp_ns: int) -> AlertState | None:
        """Return the state that was in force when the depth of a frame was published."""
        published_ns = stamp_ns + round(self._latency_ms.get(stamp_ns, 0.0) * 1e6)
        earlier = [change.state for change in self._states if change.time_ns <= published_ns]
        return earlier[-1] if earlier else None


def _percentiles(values: list[float], ranks: tuple[int, ...]) -> dict[str, float | None]:
    return {
        f'p{rank}': _rounded(float(np.percentile(values, rank))) if values else None
        for rank in ranks
    }


def _finite(number: float) -> float | None:
    return _rounded(number) if math.isfinite(number) else None


def _rounded(number: float) -> float:
    return float(f'{number:.4g}')


def _shrunk(picture: NDArray[Any], interpolation: int) -> NDArray[Any]:
    height, width = picture.shape[:2]
    if width <= _KEPT_WIDTH_PX:
        return picture
    return _resized(
        picture, _KEPT_WIDTH_PX, max(1, round(height * _KEPT_WIDTH_PX / width)), interpolation
    )


def _resized(
    picture: NDArray[Any], width: int, height: int, interpolation: int = cv2.INTER_AREA
) -> NDArray[Any]:
    resized: NDArray[Any] = cv2.resize(picture, (width, height), interpolation=interpolation)
    return resized
