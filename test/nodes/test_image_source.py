# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
import json
import os
from pathlib import Path
import threading
from typing import Any

import cv2
from fcrn_depth_ros.camera.playback import TimedFrame
from fcrn_depth_ros.errors import ConfigurationError, FcrnDepthError, FrameError, ToolInputError
from fcrn_depth_ros.nodes import image_source
from fcrn_depth_ros.nodes.image_source import ImageSource, main, parse_command_line
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from random_messages import CASES, messages, values
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterValue
from rclpy.exceptions import ParameterNotDeclaredException
from rclpy.parameter import Parameter
from rclpy.qos import ReliabilityPolicy
from rclpy.time import Time
from running_node import parameters, RunningNode
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

CAMERA = {'fx': 100.0, 'fy': 101.0, 'cx': 31.5, 'cy': 23.5, 'width': 64, 'height': 48}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / 'rgb'
    path.mkdir()
    for index in range(6):
        cv2.imwrite(str(path / f'{index}.png'), picture(index))
    (tmp_path / 'camera.json').write_text(json.dumps(CAMERA))
    return path


def picture(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 255, (48, 64, 3), np.uint8)


@pytest.fixture
def play() -> Iterator[Callable[..., RunningNode]]:
    running: list[RunningNode] = []

    def start(open_frames: Callable[..., Any] | None = None, **values: Any) -> RunningNode:
        settings = {'rate_hz': 100.0, 'reliable': True, 'wait_for_subscribers': 1, **values}
        factory = {} if open_frames is None else {'open_frames': open_frames}
        running.append(
            RunningNode(lambda: ImageSource(parameter_overrides=parameters(settings), **factory))
        )
        return running[-1]

    yield start
    for node in running:
        node.close()


def test_a_folder_is_published_in_order_with_its_camera(
    play: Callable[..., RunningNode], folder: Path
) -> None:
    run = play(images=str(folder), frame_id='front_optical')
    before = run.node.get_clock().now()
    infos = run.listen(CameraInfo, 'camera_info')
    images = run.listen(Image, 'image')
    run.wait_for(lambda: len(images) == 6 and run.node.exit_status is not None)
    after = run.node.get_clock().now()
    assert run.node.exit_status == 0
    assert run.node.published_count == 6
    for index, image in enumerate(images):
        assert (image.encoding, image.width, image.height, image.step) == ('bgr8', 64, 48, 192)
        assert image.header.frame_id == 'front_optical'
        pixels = np.frombuffer(image.data, np.uint8).reshape(48, 64, 3)
        assert (pixels == picture(index)).all()
    stamps = [Time.from_msg(image.header.stamp) for image in images]
    assert stamps == sorted(stamps) and before <= stamps[0] and stamps[-1] <= after
    run.wait_for(
        lambda: (
            {image.header.stamp.nanosec for image in images}
            <= {info.header.stamp.nanosec for info in infos}
        ),
        'a camera_info of each stamp',
    )
    info = infos[-1]
    assert list(info.k) == [100.0, 0.0, 31.5, 0.0, 101.0, 23.5, 0.0, 0.0, 1.0]
    assert list(info.p[:3]) == [100.0, 0.0, 31.5] and list(info.p[5:7]) == [101.0, 23.5]
    assert (info.distortion_model, list(info.d)) == ('plumb_bob', [0.0] * 5)


def test_distortion_goes_into_camera_info(play: Callable[..., RunningNode], folder: Path) -> None:
    (folder / 'camera.json').write_text(json.dumps({**CAMERA, 'k1': 0.2, 'k2': -0.9, 'p1': 0.01}))
    run = play(images=str(folder))
    infos = run.listen(CameraInfo, 'camera_info')
    run.listen(Image, 'image')
    run.wait_for(lambda: infos)
    assert list(infos[0].d) == [0.2, -0.9, 0.01, 0.0, 0.0]


def test_a_fisheye_lens_is_published_as_such(
    play: Callable[..., RunningNode], folder: Path
) -> None:
    file = folder / 'fisheye.yaml'
    file.write_text(
        'image_width: 64\nimage_height: 48\ncamera_model: fisheye\n'
        'camera_matrix: {data: [60, 0, 31.5, 0, 60, 23.5, 0, 0, 1]}\n'
        'distortion_coefficients: {data: [0.18, -0.03, 0.0, 0.0]}\n'
    )
    run = play(images=str(folder), camera_file=str(file))
    infos = run.listen(CameraInfo, 'camera_info')
    run.listen(Image, 'image')
    run.wait_for(lambda: infos)
    assert (infos[0].distortion_model, list(infos[0].d)) == ('equidistant', [0.18, -0.03, 0, 0])


def test_without_a_camera_file_the_camera_is_said_to_be_uncalibrated(
    play: Callable[..., RunningNode], folder: Path
) -> None:
    (folder.parent / 'camera.json').unlink()
    run = play(images=str(folder))
    infos = run.listen(CameraInfo, 'camera_info')
    run.listen(Image, 'image')
    run.wait_for(lambda: infos)
    assert (infos[0].width, infos[0].height, infos[0].k[0]) == (64, 48, 0.0)


@pytest.mark.parametrize(
    ('transport', 'raw_count', 'compressed_count'),
    [('raw', 6, 0), ('compressed', 0, 6), ('both', 6, 6)],
)
def test_pictures_go_out_raw_or_compressed_or_both(
    play: Callable[..., RunningNode],
    folder: Path,
    transport: str,
    raw_count: int,
    compressed_count: int,
) -> None:
    for index in range(6):
        cv2.imwrite(str(folder / f'{index}.png'), np.full((48, 64, 3), 40 * index, np.uint8))
    run = play(
        images=str(folder),
        image_transport=transport,
        wait_for_subscribers=2 if transport == 'both' else 1,
    )
    raw = run.listen(Image, 'image') if raw_count else []
    compressed = run.listen(CompressedImage, 'image/compressed') if compressed_count else []
    run.wait_for(lambda: (len(raw), len(compressed)) == (raw_count, compressed_count))
    for index, message in enumerate(compressed):
        pixels = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
        assert pixels.shape == (48, 64, 3)
        assert pixels.mean() == pytest.approx(40 * index, abs=2)
        assert 'jpeg' in message.format


@pytest.mark.parametrize(
    ('reliable', 'expected'),
    [(False, ReliabilityPolicy.BEST_EFFORT), (True, ReliabilityPolicy.RELIABLE)],
)
def test_reliability_is_a_parameter(
    play: Callable[..., RunningNode], folder: Path, reliable: bool, expected: ReliabilityPolicy
) -> None:
    run = play(images=str(folder), reliable=reliable)
    (info,) = run.wait_for(lambda: run.peer.get_publishers_info_by_topic('/image'))
    assert info.qos_profile.reliability == expected


def test_the_qos_can_be_overridden(play: Callable[..., RunningNode], folder: Path) -> None:
    run = play(images=str(folder), **{'qos_overrides./image.publisher.reliability': 'best_effort'})
    (info,) = run.wait_for(lambda: run.peer.get_publishers_info_by_topic('/image'))
    assert info.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT


def test_a_loop_ends_after_the_duration(play: Callable[..., RunningNode], folder: Path) -> None:
    run = play(images=str(folder), loop=True, duration_s=0.2)
    images = run.listen(Image, 'image')
    run.wait_for(lambda: run.node.exit_status is not None)
    assert run.node.exit_status == 0
    assert 1 <= len(images) <= run.node.published_count <= 20


def test_nothing_is_published_before_somebody_listens_or_the_wait_is_over(
    play: Callable[..., RunningNode], folder: Path
) -> None:
    waiting = play(images=str(folder))
    waiting.spin(10)
    assert waiting.node.published_count == 0
    waiting.node.shut_down()
    assert waiting.node.published_count == 0


def test_a_wait_that_is_over_does_not_hold_the_pictures_back(
    play: Callable[..., RunningNode], folder: Path
) -> None:
    run = play(images=str(folder), wait_timeout_s=0.1)
    run.wait_for(lambda: run.node.exit_status is not None)
    assert run.node.published_count == 6


class BrokenCamera:
    description, is_live = 'broken camera', True

    def __init__(self, good_frames: int) -> None:
        self._good_frames = good_frames

    def frames(self, report: Callable[[str], None]) -> Generator[TimedFrame, None, None]:
        for index in range(self._good_frames):
            yield TimedFrame(index / 100, picture(index))
        raise FrameError('camera must deliver pictures, got none; plug it in')


@pytest.mark.parametrize(('good_frames', 'status'), [(0, 2), (3, 1)])
def test_a_camera_that_stops_ends_the_process_with_an_error(
    play: Callable[..., RunningNode], good_frames: int, status: int
) -> None:
    run = play(lambda config: BrokenCamera(good_frames), camera=0)
    images = run.listen(Image, 'image')
    run.wait_for(lambda: run.node.exit_status is not None)
    run.wait_for(lambda: len(images) == good_frames)
    assert run.node.exit_status == status


class OddCamera(BrokenCamera):
    """Ends in a way that nobody foresaw."""

    def __init__(self, good_frames: int, error: BaseException) -> None:
        super().__init__(good_frames)
        self._error = error

    def frames(self, report: Callable[[str], None]) -> Generator[TimedFrame, None, None]:
        for index in range(self._good_frames):
            yield TimedFrame(index / 100, picture(index))
        raise self._error


@pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')
# SystemExit ends the thread without a word, as nothing else does.
@pytest.mark.parametrize('error', [ValueError('odd'), MemoryError(), cv2.error(), SystemExit()])
@pytest.mark.parametrize(('good_frames', 'status'), [(0, 2), (3, 1)])
def test_whatever_ends_the_reader_ends_the_process(
    play: Callable[..., RunningNode], good_frames: int, status: int, error: BaseException
) -> None:
    run = play(lambda config: OddCamera(good_frames, error), camera=0)
    images = run.listen(Image, 'image')
    run.wait_for(lambda: run.node.exit_status is not None)
    run.wait_for(lambda: len(images) == good_frames)
    assert run.node.exit_status == status


def test_an_error_of_the_player_ends_the_process(
    play: Callable[..., RunningNode], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_source, 'image_message', lambda *_: 1 / 0)
    run = play(images=str(folder))
    run.listen(Image, 'image')
    run.wait_for(lambda: run.node.exit_status is not None)
    assert run.node.exit_status == 2


class BlockedCamera:
    """A driver that does not return until the test is over."""

    description, is_live = 'blocked camera', True

    def __init__(self) -> None:
        self.is_read, self.returns = threading.Event(), threading.Event()

    def frames(self, report: Callable[[str], None]) -> Generator[TimedFrame, None, None]:
        self.is_read.set()
        self.returns.wait()
        yield TimedFrame(0.0, picture(0))


def test_a_driver_that_never_returns_cannot_hold_the_process(
    play: Callable[..., RunningNode],
) -> None:
    camera = BlockedCamera()
    run = play(lambda config: camera, camera=0)
    assert camera.is_read.wait(10)
    run.node.shut_down()  # returns although nobody has let the driver go
    assert not camera.returns.is_set()
    run.wait_for(lambda: run.node.exit_status is not None)
    assert (run.node.exit_status, run.node.published_count) == (0, 0)
    camera.returns.set()


def test_pictures_that_cannot_be_read_or_sent_are_passed_over(
    play: Callable[..., RunningNode], folder: Path
) -> None:
    (folder / '1.png').write_bytes(b'no picture')
    # JPEG ends at 65,500 px.
    cv2.imwrite(str(folder / '2.png'), np.zeros((1, 70_000, 3), np.uint8))
    os.rename(folder / '3.png', os.fsencode(folder) + b'/3\xff.png')
    (folder / '5.png').rename(folder / '5\u00b2.png')
    (folder.parent / 'camera.json').unlink()
    run = play(images=str(folder), image_transport='compressed')
    images = run.listen(CompressedImage, 'image/compressed')
    run.wait_for(lambda: run.node.exit_status is not None)
    run.wait_for(lambda: len(images) == 4)
    assert (run.node.exit_status, run.node.published_count) == (0, 4)


def test_nothing_but_pictures_that_cannot_be_sent_is_an_error(
    play: Callable[..., RunningNode], tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / 'wide.png'), np.zeros((1, 70_000, 3), np.uint8))
    run = play(images=str(tmp_path), image_transport='compressed', wait_for_subscribers=0)
    run.wait_for(lambda: run.node.exit_status is not None)
    assert (run.node.exit_status, run.node.published_count) == (2, 0)


def test_a_calibration_of_another_shape_ends_it_before_anything_is_published(
    play: Callable[..., RunningNode], folder: Path
) -> None:
    (folder / 'camera.json').write_text(json.dumps({**CAMERA, 'height': 36, 'cy': 17.5}))
    run = play(images=str(folder))
    run.listen(Image, 'image')
    run.wait_for(lambda: run.node.exit_status is not None)
    assert (run.node.exit_status, run.node.published_count) == (2, 0)


@pytest.mark.parametrize(
    ('values', 'error'),
    [
        ({'images': '/nowhere'}, ToolInputError),
        ({}, ConfigurationError),
        ({'images': '/nowhere', 'rate_hz': -1.0}, ConfigurationError),
        ({'images': '/nowhere', 'image_transport': 'theora'}, ConfigurationError),
    ],
)
def test_an_unusable_source_is_refused_at_start(
    play: Callable[..., RunningNode], values: dict[str, Any], error: type[FcrnDepthError]
) -> None:
    with pytest.raises(error):
        play(**values)


def test_command_line_options_become_parameters() -> None:
    given = parse_command_line(['--camera', '0', '--rate', '15', '--loop'])
    assert {parameter.name: parameter.value for parameter in given} == {
        'camera': 0,
        'rate_hz': 15.0,
        'loop': True,
    }
    assert parse_command_line([]) == []


@pytest.mark.parametrize(
    'arguments', [['--images', 'a', '--video', 'b'], ['--rate', 'fast'], ['--unknown'], ['stray']]
)
def test_a_wrong_command_line_ends_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_command_line(arguments)
    assert ended.value.code == 2
    assert 'error' in capsys.readouterr().err


@pytest.mark.parametrize('option', ['--images', '--video', '--camera-file'])
def test_a_path_that_is_not_utf8_ends_with_2(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['image_source', option, os.fsdecode(b'a\xff')]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and "must be a path in UTF-8, got 'a\\udcff'" in error


def test_no_parameter_is_an_error(play: Callable[..., RunningNode], folder: Path) -> None:
    source = play(images=str(folder), loop=True).node
    names = st.sampled_from(sorted(source._parameters))

    @settings(max_examples=CASES // 4, deadline=None)
    @given(
        messages(
            ParameterMessage,
            name=st.one_of(names, names, values('string')),
            value=messages(ParameterValue, type=st.integers(0, 9)),
        )
    )
    def check(change: ParameterMessage) -> None:
        try:
            (result,) = source.set_parameters([Parameter.from_parameter_msg(change)])
        except ParameterNotDeclaredException:
            return
        assert result.successful or result.reason
        assert source.exit_status is None

    check()
