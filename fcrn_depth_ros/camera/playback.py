# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Pictures from a folder, a video file or a webcam, each with the time at which it is due."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import math
from pathlib import Path
import re
import time
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera_file import CameraFile, read_camera_file
from .picture_files import list_pictures, read_picture_bgr
from ..errors import ConfigurationError, FrameError, ToolInputError
from ..settings import setting, Settings

CAMERA_FILE_NAMES = ('camera.json', 'camera.yaml', 'camera_info.yaml')
DEFAULT_RATE_HZ = 30.0
# A file name of this many digits or more counts nanoseconds, as in EuRoC; fewer count frames.
_NANOSECOND_DIGITS = 16


@dataclass(frozen=True)
class FrameSourceConfig(Settings):
    """Source and timing of the images; exactly one of images, video and camera is set."""

    images: str = setting('', 'Folder of images to play.', read_only=True)
    video: str = setting('', 'Video file to play.', read_only=True)
    camera: int = setting(
        -1,
        'Number of the webcam to read. 0 is the first one, -1 is none.',
        minimum=-1,
        maximum=63,
        read_only=True,
    )
    rate_hz: float = setting(
        0.0,
        'Images per second. 0 keeps the timing of the recording: file names that are times in '
        'seconds, the time stamps of the video, or the rate of the webcam. Images without times '
        'play at 30 per second.',
        minimum=0.0,
        maximum=1000.0,
        read_only=True,
    )
    loop: bool = setting(False, 'Start again at the end of a folder or video.', read_only=True)
    duration_s: float = setting(
        0.0,
        'Time after which playing stops, in seconds. 0 plays to the end.',
        minimum=0.0,
        maximum=1e6,
        read_only=True,
    )
    camera_file: str = setting(
        '',
        'Calibration of the camera: camera.json or a ROS calibration YAML. Empty looks for '
        'camera.json, camera.yaml or camera_info.yaml beside the images or the video, or one '
        'folder up.',
        read_only=True,
    )

    def __post_init__(self) -> None:
        """Check every setting, and that there is one source."""
        super().__post_init__()
        given = [
            name
            for name, is_given in (
                ('images', self.images),
                ('video', self.video),
                ('camera', self.camera >= 0),
            )
            if is_given
        ]
        for name in ('images', 'video', 'camera_file'):
            check_utf8(name, getattr(self, name))
        if len(given) != 1:
            raise ConfigurationError(
                f'source must be one of images, video and camera, got {" and ".join(given)}'
                f'{"" if given else "none"}; for example --images FOLDER'
            )


def check_utf8(name: str, text: str) -> None:
    """Refuse a path that neither ROS nor OpenCV takes; ConfigurationError with what to do."""
    try:
        text.encode()
    except UnicodeEncodeError as err:
        raise ConfigurationError(
            f'{name} must be a path in UTF-8, got {text!r}; rename the file or folder'
        ) from err


@dataclass(frozen=True)
class TimedFrame:
    """
    One picture.

    Attributes
    ----------
    due_s : float
        When it is to be shown, in seconds after the first one; of a webcam, when it came.
    image_bgr : ndarray of uint8, shape (H, W, 3)
        As OpenCV reads it.

    """

    due_s: float
    image_bgr: NDArray[np.uint8]


class FrameSource(Protocol):
    """Pictures in order of time."""

    @property
    def description(self) -> str:
        """Say what is played, for a person."""

    @property
    def is_live(self) -> bool:
        """True where pictures come when they come, and waiting would make them old."""

    def frames(self, report: Callable[[str], None]) -> Generator[TimedFrame, None, None]:
        """Yield the pictures; what has to be passed over is told to `report`."""


def open_source(config: FrameSourceConfig) -> FrameSource:
    """
    Open what a configuration names.

    Parameters
    ----------
    config : FrameSourceConfig
        Names one source.

    Returns
    -------
    FrameSource
        Ready to be read.

    Raises
    ------
    ToolInputError
        If it is missing, empty or unreadable; a webcam is opened when it is read.

    """
    if config.images:
        return FrameFolder(Path(config.images).expanduser(), config.rate_hz, config.loop)
    if config.video:
        return VideoFile(Path(config.video).expanduser(), config.rate_hz, config.loop)
    return Webcam(config.camera, config.rate_hz)


def load_camera_file(config: FrameSourceConfig) -> CameraFile | None:
    """
    Read the named camera file, or the one that lies with the recording.

    Parameters
    ----------
    config : FrameSourceConfig
        See `camera_file`.

    Returns
    -------
    CameraFile or None
        None where there is no file.

    Raises
    ------
    ToolInputError
        If the file is unusable.

    """
    path = find_camera_file(config)
    return None if path is None else read_camera_file(path)


def find_camera_file(config: FrameSourceConfig) -> Path | None:
    """Return the camera file of a recording, None where there is none."""
    if config.camera_file:
        return Path(config.camera_file).expanduser()
    recording = config.images or config.video
    if not recording:
        return None
    path = Path(recording).expanduser().resolve()
    folders = (path, path.parent) if config.images else (path.parent, path.parent.parent)
    candidates = (folder / name for folder in folders for name in CAMERA_FILE_NAMES)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


class FrameFolder:
    """
    A folder of pictures in the order of their names.

    Parameters
    ----------
    folder : Path
        Holds the pictures; other files are passed over.
    rate_hz : float
        0 takes the times from the names where every name is one, else 30 Hz.
    loop : bool
        Start again at the end.

    Raises
    ------
    ToolInputError
        If the folder is missing or has no pictures.

    """

    is_live = False

    def __init__(self, folder: Path, rate_hz: float, loop: bool) -> None:
        self._paths = sorted(
            list_pictures(folder, 'images'), key=lambda path: _natural_order(path.stem)
        )
        self._due_s = _due_times([path.stem for path in self._paths], rate_hz)
        intervals = len(self._due_s) - 1
        interval_s = self._due_s[-1] / intervals if intervals else 1 / (rate_hz or DEFAULT_RATE_HZ)
        self._period_s = self._due_s[-1] + interval_s
        self._loop = loop
        self.description = f'{len(self._paths)} pictures of {folder} at {1 / interval_s:.3g} Hz'

    def frames(self, report: Callable[[str], None]) -> Generator[TimedFrame, None, None]:
        """Yield the pictures, without those that cannot be read; FrameError if none can."""
        start_s = 0.0
        while True:
            readable = 0
            for path, due_s in zip(self._paths, self._due_s, strict=True):
                try:
                    image = read_picture_bgr(path)
                except ToolInputError as error:
                    report(f'picture passed over: {error}')
                    continue
                readable += 1
                yield TimedFrame(start_s + due_s, image)
            if not readable:
                raise FrameError(
                    f'images must be readable, got none of the {len(self._paths)} files in '
                    f'{self._paths[0].parent}; check that they are pictures'
                )
            if not self._loop:
                return
            start_s += self._period_s


class VideoFile:
    """
    A video file.

    Parameters
    ----------
    path : Path
        Anything that OpenCV's build can decode.
    rate_hz : float
        0 keeps the time of each picture as recorded, also where the rate varies.
    loop : bool
        Start again at the end.
    open_capture : callable
        Opens the file; OpenCV's by default.

    Raises
    ------
    ToolInputError
        If it is missing or has no picture.

    """

    is_live = False

    def __init__(
        self,
        path: Path,
        rate_hz: float,
        loop: bool,
        open_capture: Callable[[str], Any] = cv2.VideoCapture,
    ) -> None:
        if not path.is_file():
            raise ToolInputError(f'video must be a file, got {path}; check the path')
        self._path = path
        self._open_capture = open_capture
        self._rate_hz = rate_hz
        self._loop = loop
        with self._opened() as capture:
            stated_hz = capture.get(cv2.CAP_PROP_FPS)
            if not capture.grab():
                raise self._undecodable()
        is_rate = math.isfinite(stated_hz) and 0 < stated_hz <= 1000
        self._interval_s = 1 / (rate_hz or (stated_hz if is_rate else DEFAULT_RATE_HZ))
        self.description = f'video {path} ' + (f'at {rate_hz:g} Hz' if rate_hz else 'as recorded')

    def frames(self, report: Callable[[str], None]) -> Generator[TimedFrame, None, None]:
        """Yield the pictures to the end of the file."""
        start_s = 0.0
        while True:
            due_s = 0.0
            with self._opened() as capture:
                for due_s, image in self._timed(capture):
                    yield TimedFrame(start_s + due_s, image)
            if not self._loop:
                return
            start_s += due_s + self._interval_s

    def _timed(self, capture: Any) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Yield each picture with the seconds after the first one."""
        first_s, due_s, count = 0.0, 0.0, 0
        read, image = capture.read()
        while read:
            if self._rate_hz:
                due_s = count * self._interval_s
            else:
                recorded_s = capture.get(cv2.CAP_PROP_POS_MSEC) * 1e-3
                if not count:
                    first_s = recorded_s if math.isfinite(recorded_s) else 0.0
                elif math.isfinite(recorded_s) and recorded_s - first_s > due_s:
                    due_s = recorded_s - first_s
                else:
                    # A container without usable times, or with one that goes back.
                    due_s += self._interval_s
            yield due_s, image
            count += 1
            read, image = capture.read()

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        capture = self._open_capture(str(self._path))
        try:
            if not capture.isOpened():
                raise self._undecodable()
            yield capture
        finally:
            capture.release()

    def _undecodable(self) -> ToolInputError:
        return ToolInputError(
            f'video must be a file that OpenCV can decode, got {self._path}; convert it to '
            'MP4, for example with ffmpeg'
        )


class Webcam:
    """
    A camera of this machine, opened by :meth:`frames`: a driver may block for as long as it likes.

    Parameters
    ----------
    number : int
        0 is the first.
    rate_hz : float
        Pictures that come faster are passed over; 0 takes all.
    open_capture : callable
        Opens the device; OpenCV's by default.
    steady_time_s : callable
        A clock that never jumps.

    """

    is_live = True

    def __init__(
        self,
        number: int,
        rate_hz: float,
        open_capture: Callable[[int], Any] = cv2.VideoCapture,
        steady_time_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._number = number
        self._min_interval_s = 1 / rate_hz if rate_hz else 0.0
        self._open_capture = open_capture
        self._steady_time_s = steady_time_s
        self.description = f'webcam {number}'

    def frames(self, report: Callable[[str], None]) -> Generator[TimedFrame, None, None]:
        """Yield pictures as they come; ToolInputError without a camera, FrameError if it goes."""
        capture = self._open_capture(self._number)
        try:
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
            if not (capture.isOpened() and capture.read()[0]):
                raise ToolInputError(
                    f'camera must be the number of a working webcam, got {self._number}; '
                    'list them with `ls /dev/video*`, and close other programs that use it'
                )
            yield from self._read(capture)
        finally:
            capture.release()

    def _read(self, capture: Any) -> Generator[TimedFrame, None, None]:
        start_s = self._steady_time_s()
        next_s = 0.0
        while True:
            read, image = capture.read()
            now_s = self._steady_time_s() - start_s
            if not read:
                raise FrameError(
                    f'camera must deliver pictures, got none from webcam {self._number} after '
                    f'{now_s:.1f} s; plug it in and start again'
                )
            # A tenth of the interval is tolerated: cameras keep their rate only roughly.
            if now_s >= next_s - 0.1 * self._min_interval_s:
                next_s = max(next_s, now_s - self._min_interval_s) + self._min_interval_s
                yield TimedFrame(now_s, image)


def _natural_order(stem: str) -> list[tuple[int, int, str]]:
    """Sort 9 before 10, as a person would."""
    # Only 0 to 9 are numbers here: int() does not take every digit of Unicode.
    return [
        (0, int(part), '') if re.fullmatch('[0-9]+', part) else (1, 0, part)
        for part in re.split('([0-9]+)', stem)
        if part
    ]


def _due_times(stems: list[str], rate_hz: float) -> list[float]:
    """Return seconds after the first picture, from the names unless there is a rate."""
    times = None if rate_hz else _times_of_names(stems)
    if times is None:
        return [index / (rate_hz or DEFAULT_RATE_HZ) for index in range(len(stems))]
    return [time_s - times[0] for time_s in times]


def _times_of_names(stems: list[str]) -> list[float] | None:
    if all(re.fullmatch(r'[0-9]+\.[0-9]+', stem) for stem in stems):
        times = [float(stem) for stem in stems]
    elif all(re.fullmatch(f'[0-9]{{{_NANOSECOND_DIGITS},}}', stem) for stem in stems):
        times = [(int(stem) - int(stems[0])) * 1e-9 for stem in stems]
    else:
        return None
    rising = all(later > earlier for earlier, later in zip(times, times[1:], strict=False))
    return times if rising else None
