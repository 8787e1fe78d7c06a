# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import itertools
import json
import math
import os
from pathlib import Path

import cv2
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.playback import (
    FrameFolder,
    FrameSourceConfig,
    load_camera_file,
    open_source,
    TimedFrame,
    VideoFile,
    Webcam,
)
from fcrn_depth_ros.errors import ConfigurationError, FrameError, ToolInputError
import numpy as np
import pytest

CAMERA = {'fx': 100.0, 'fy': 101.0, 'cx': 31.5, 'cy': 23.5, 'width': 64, 'height': 48}


def picture(value: int) -> np.ndarray:
    return np.full((48, 64, 3), value, np.uint8)


def folder_of(path: Path, *names: str) -> Path:
    path.mkdir(exist_ok=True)
    for value, name in enumerate(names):
        cv2.imwrite(str(path / name), picture(10 * value))
    return path


def play(folder: FrameFolder | VideoFile, count: int = 100) -> list[TimedFrame]:
    return list(itertools.islice(folder.frames(pytest.fail), count))


def values_of(frames: list[TimedFrame]) -> list[int]:
    return [int(frame.image_bgr.mean().round()) for frame in frames]


@pytest.mark.parametrize(
    ('names', 'rate_hz', 'due_s'),
    [
        (('5.10.png', '5.20.png', '5.50.png'), 0.0, [0.0, 0.1, 0.4]),  # times in seconds
        (('5.10.png', '5.20.png', '5.50.png'), 4.0, [0.0, 0.25, 0.5]),  # a rate wins
        (('1.png', '2.png', '3.png'), 0.0, [0.0, 1 / 30, 2 / 30]),  # numbers are not times
        (('a.png', 'b.png', 'c.png'), 0.0, [0.0, 1 / 30, 2 / 30]),
        (('1403636579763555584.png', '1403636579813555456.png'), 0.0, [0.0, 0.049999872]),
        (('only.png',), 0.0, [0.0]),
    ],
)
def test_a_folder_is_timed_by_names_or_rate(
    tmp_path: Path, names: tuple[str, ...], rate_hz: float, due_s: list[float]
) -> None:
    frames = play(FrameFolder(folder_of(tmp_path / 'clip', *names), rate_hz, loop=False))
    assert [frame.due_s for frame in frames] == pytest.approx(due_s)
    assert values_of(frames) == [10 * index for index in range(len(names))]


def test_a_folder_is_played_in_natural_order_and_other_files_are_passed_over(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path / 'clip', 'frame2.png', 'frame10.png', 'frame1.PNG')
    (folder / 'camera.json').write_text('{}')
    frames = play(FrameFolder(folder, 0.0, loop=False))
    assert values_of(frames) == [20, 0, 10]


def test_a_loop_goes_on_at_the_same_pace(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / 'clip', '7.0.png', '7.5.png')
    frames = play(FrameFolder(folder, 0.0, loop=True), 5)
    assert [frame.due_s for frame in frames] == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0])
    assert values_of(frames) == [0, 10, 0, 10, 0]


def test_an_unreadable_picture_is_passed_over_and_reported(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / 'clip', 'a.png', 'b.png', 'c.png')
    (folder / 'b.png').write_text('not a picture')
    reports: list[str] = []
    frames = list(FrameFolder(folder, 10.0, loop=False).frames(reports.append))
    assert [frame.due_s for frame in frames] == pytest.approx([0.0, 0.2])
    assert len(reports) == 1 and 'b.png' in reports[0]


def test_a_picture_over_the_pixel_limit_is_passed_over(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / 'clip', '1.png', '3.png')
    # A header that claims 40000x40000 px.
    (folder / '2.png').write_bytes(
        bytes.fromhex('89504e470d0a1a0a0000000d4948445200009c4000009c400802000000b19c5ddb')
        + bytes.fromhex('00000009494441547801630000000100010000000000000049454e44ae426082')
    )
    reports: list[str] = []
    frames = list(FrameFolder(folder, 10.0, loop=False).frames(reports.append))
    assert values_of(frames) == [0, 10]
    assert len(reports) == 1 and '2.png' in reports[0]


def test_names_beyond_ascii_are_played(tmp_path: Path) -> None:
    # \u00b2 is a digit to Unicode and none to int(); \xff is no UTF-8.
    names = [
        'frame_1\u00b2.png',
        '\u00b2\u00b2\u00b2\u00b2\u00b2\u00b2\u00b2\u00b2.png',
        'a b.png',
        'ü.png',
    ]
    for name in [*names, os.fsdecode(b'a\xff.png')]:
        (tmp_path / name).write_bytes(cv2.imencode('.png', picture(90))[1].tobytes())
    assert values_of(play(FrameFolder(tmp_path, 0.0, loop=False))) == [90] * 5
    superscripts = '\u00b2' * 16
    assert (
        len(play(FrameFolder(folder_of(tmp_path / 's', f'{superscripts}.png'), 0.0, False))) == 1
    )


def test_a_folder_of_which_nothing_is_readable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / 'a.jpg').write_text('not a picture')
    with pytest.raises(FrameError, match='none of the 1 files'):
        list(FrameFolder(tmp_path, 0.0, loop=True).frames(lambda _: None))


@pytest.mark.parametrize(
    'config',
    [
        {'images': 'missing'},
        {'images': '.'},
        {'images': 'notes.txt'},
        {'video': 'missing.mp4'},
        {'video': 'notes.txt'},
        {'video': '.'},
    ],
)
def test_an_unusable_source_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('notes.txt').write_text('no picture here')
    ((name, value),) = config.items()
    with pytest.raises(ToolInputError, match=f'{name} must .*, got .*{value}.*; '):
        open_source(FrameSourceConfig(**config))


def test_an_absent_webcam_is_a_clear_error() -> None:
    if Path('/dev/video63').exists():
        pytest.skip('this machine has a 64th webcam')
    with pytest.raises(ToolInputError, match='camera must be .*, got 63; '):
        next(iter(open_source(FrameSourceConfig(camera=63)).frames(pytest.fail)))


class FakeCapture:
    """A device that gives a picture every 1/32 s until it is unplugged."""

    def __init__(self, pictures: int) -> None:
        self.time_s = 0.0
        self.is_released = False
        self._pictures = pictures

    def release(self) -> None:
        self.is_released = True

    def set(self, name: int, value: float) -> bool:  # noqa: A003
        return True

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        if not self._pictures:
            return False, None
        self.time_s += 1 / 32
        self._pictures -= 1
        return True, picture(self._pictures)


@pytest.mark.parametrize(
    ('rate_hz', 'due_32nds'),
    [
        (0.0, [1, 2, 3, 4, 5, 6, 7, 8]),
        (32.0, [1, 2, 3, 4, 5, 6, 7, 8]),
        (8.0, [1, 4, 8]),
        (1.0, [1]),
    ],
)
def test_a_webcam_is_thinned_out_to_the_rate_and_its_loss_is_an_error(
    rate_hz: float, due_32nds: list[int]
) -> None:
    capture = FakeCapture(9)
    webcam = Webcam(0, rate_hz, lambda number: capture, lambda: capture.time_s)
    played = []
    with pytest.raises(FrameError, match='got none from webcam 0 after 0.2 s'):
        for frame in webcam.frames(pytest.fail):
            played.append(round(frame.due_s * 32))
    assert played == due_32nds
    assert capture.is_released


def test_a_webcam_is_opened_and_released_by_whoever_reads_it() -> None:
    captures: list[FakeCapture] = []

    def open_capture(number: int) -> FakeCapture:
        captures.append(FakeCapture(9))
        return captures[-1]

    webcam = Webcam(0, 0.0, open_capture)
    assert not captures  # a driver that blocks must not block the node's start
    frames = webcam.frames(pytest.fail)
    next(frames)
    assert not captures[0].is_released
    frames.close()
    assert captures[0].is_released


def test_a_webcam_that_gives_no_picture_is_an_error() -> None:
    capture = FakeCapture(0)
    with pytest.raises(ToolInputError, match='camera must be .* working webcam, got 0'):
        next(Webcam(0, 0.0, lambda number: capture).frames(pytest.fail))
    assert capture.is_released


@pytest.mark.parametrize(
    'config',
    [
        {},
        {'images': 'a', 'video': 'b'},
        {'images': 'a', 'camera': 0},
        {'images': 'a', 'rate_hz': -1.0},
        {'images': 'a', 'rate_hz': 1001.0},
        {'camera': 64},
        {'images': os.fsdecode(b'a\xff')},
        {'images': 'a', 'camera_file': os.fsdecode(b'a\xff.json')},
    ],
)
def test_a_source_must_be_one_and_its_numbers_in_range(config: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        FrameSourceConfig(**config)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 20.0, (64, 48))
    for index in range(4):
        writer.write(picture(60 * index))
    writer.release()
    return path


@pytest.mark.parametrize(('rate_hz', 'interval_s'), [(0.0, 0.05), (8.0, 0.125)])
def test_a_video_plays_at_its_own_rate_or_the_one_given(
    video: Path, rate_hz: float, interval_s: float
) -> None:
    frames = play(VideoFile(video, rate_hz, loop=False))
    assert [frame.due_s for frame in frames] == pytest.approx(
        [index * interval_s for index in range(4)]
    )
    assert values_of(frames) == pytest.approx([0, 60, 120, 180], abs=3)


def test_a_video_loops(video: Path) -> None:
    frames = play(VideoFile(video, 10.0, loop=True), 6)
    assert [frame.due_s for frame in frames] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert values_of(frames)[4:] == pytest.approx([0, 60], abs=3)


class FakeVideo(FakeCapture):
    """A file whose pictures have the given times in milliseconds."""

    def __init__(self, times_ms: list[float]) -> None:
        super().__init__(len(times_ms))
        self._times_ms = times_ms

    def grab(self) -> bool:
        return self.read()[0]

    def get(self, name: int) -> float:
        if name == cv2.CAP_PROP_FPS:
            return 25.0
        return self._times_ms[len(self._times_ms) - self._pictures - 1]


@pytest.mark.parametrize(
    ('times_ms', 'rate_hz', 'due_s'),
    [
        # A pause of four seconds in the recording is a pause when it is played.
        ([0, 50, 4050, 4100], 0.0, [0, 0.05, 4.05, 4.1]),
        ([0, 50, 4050, 4100], 10.0, [0, 0.1, 0.2, 0.3]),
        ([700, 750, 900], 0.0, [0, 0.05, 0.2]),
        # Times that do not rise, or are none, go on at the rate that the file states.
        ([0, 0, 0], 0.0, [0, 0.04, 0.08]),
        ([0, 100, 60, 200], 0.0, [0, 0.1, 0.14, 0.2]),
        ([math.nan, math.nan, 200], 0.0, [0, 0.04, 0.2]),
        ([0, math.inf, 200], 0.0, [0, 0.04, 0.2]),
    ],
)
def test_a_video_keeps_the_times_that_were_recorded(
    video: Path, times_ms: list[float], rate_hz: float, due_s: list[float]
) -> None:
    captures: list[FakeVideo] = []

    def open_capture(path: str) -> FakeVideo:
        captures.append(FakeVideo(times_ms))
        return captures[-1]

    file = VideoFile(video, rate_hz, False, open_capture)
    assert [frame.due_s for frame in play(file)] == pytest.approx(due_s)
    looped = play(VideoFile(video, rate_hz, True, open_capture), len(times_ms) + 1)
    assert looped[-1].due_s == pytest.approx(due_s[-1] + (0.04 if rate_hz == 0 else 1 / rate_hz))
    assert all(capture.is_released for capture in captures)


def test_a_matroska_file_of_variable_rate(tmp_path: Path) -> None:
    path = tmp_path / 'clip.mkv'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 20.0, (64, 48))
    if not writer.isOpened():
        pytest.skip("this build of OpenCV's writes no Matroska files")
    for index in range(4):
        writer.write(picture(60 * index))
    writer.release()
    content = path.read_bytes()
    for old_ms, new_ms in ((100, 4100), (150, 4150)):
        # Head of a SimpleBlock: track 1, time in the cluster, key frame.
        old, new = (b'\x81' + ms.to_bytes(2, 'big') + b'\x80' for ms in (old_ms, new_ms))
        assert content.count(old) == 1
        content = content.replace(old, new)
    path.write_bytes(content)
    frames = play(VideoFile(path, 0.0, loop=False))
    assert [frame.due_s for frame in frames] == pytest.approx([0.0, 0.05, 4.1, 4.15])


@pytest.mark.parametrize('where', ['.', '..'])
def test_the_camera_file_is_found_with_the_pictures_or_one_folder_up(
    tmp_path: Path, where: str
) -> None:
    folder = folder_of(tmp_path / 'rgb', 'a.png')
    (folder / where / 'camera.json').write_text(json.dumps(CAMERA))
    calibration = load_camera_file(FrameSourceConfig(images=str(folder)))
    assert calibration is not None
    assert calibration.intrinsics == CameraIntrinsics(100.0, 101.0, 31.5, 23.5, 64, 48)


def test_a_named_camera_file_wins_and_must_exist(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 'a.png')
    (folder / 'camera.json').write_text(json.dumps(CAMERA))
    (folder / 'other.json').write_text(json.dumps({**CAMERA, 'fx': 90.0}))
    chosen = load_camera_file(
        FrameSourceConfig(images=str(folder), camera_file=str(folder / 'other.json'))
    )
    assert chosen is not None and chosen.intrinsics.fx_px == 90.0
    with pytest.raises(ToolInputError, match=r'missing\.json'):
        load_camera_file(FrameSourceConfig(images=str(folder), camera_file='missing.json'))


def test_a_recording_without_camera_file_and_a_webcam_are_uncalibrated(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / 'clip', 'a.png')
    assert load_camera_file(FrameSourceConfig(images=str(folder))) is None
    assert load_camera_file(FrameSourceConfig(camera=0)) is None
