# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The demo as a person runs it: three processes over real DDS, and what they leave behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import json
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import time

import cv2
from fcrn_depth_ros.ros.ros_version import ros_distro
import pytest
from tiny_models import tiny_card, write_model

ROOT = Path(__file__).resolve().parents[2]
KEYS = [
    'frames_published',
    'frames_processed',
    'frames_dropped',
    'latency_ms',
    'inference_ms',
    'proximity',
    'alert_states',
    'model',
    'provider',
    'ros_distro',
]
CLIP = ROOT / 'fcrn_depth_ros' / 'demo_clip'
PATIENCE_S = 120.0
FRAMES = 40

Demo = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope='module')
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the first pictures of the bundled clip, with its camera."""
    folder = tmp_path_factory.mktemp('recording')
    for path in [*sorted(CLIP.glob('*.jpg'))[:FRAMES], CLIP / 'camera.json']:
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Give a network that takes a hundredth of the brightness for metres."""
    return write_model(tmp_path / 'tiny.onnx', tiny_card())


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """Start the demo on a DDS domain of its own; nothing of it may be left at the end."""
    environment = {
        **os.environ,
        'PYTHONPATH': os.pathsep.join([str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]),
        # Inherited by every child, so that those left behind are found.
        'FCRN_DEMO_TEST': str(tmp_path),
    }
    environment.pop('ROS_DOMAIN_ID', None)
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [
                    sys.executable,
                    '-m',
                    'fcrn_depth_ros.nodes.demo',
                    '--out',
                    str(tmp_path / 'out'),
                    *map(str, arguments),
                ],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
    deadline = time.monotonic() + 10.0
    while left_behind(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left_behind(tmp_path) == []


def left_behind(mark: Path) -> list[str]:
    found = []
    for process in Path('/proc').glob('[0-9]*'):
        try:
            if f'FCRN_DEMO_TEST={mark}'.encode() in (process / 'environ').read_bytes():
                found.append((process / 'cmdline').read_bytes().replace(b'\0', b' ').decode())
        except OSError:
            continue
    return found


def wait_for_line(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return line
    raise AssertionError(f'{text!r} must be printed, got {"".join(seen)}')


def test_a_recording_becomes_a_report(
    demo: Demo, recording: Path, model: Path, tmp_path: Path
) -> None:
    process = demo('--images', recording, '--rate', 20, '--model', model)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
    assert list(summary) == KEYS
    assert summary['frames_published'] == FRAMES
    assert summary['frames_processed'] > 0
    assert summary['frames_processed'] + summary['frames_dropped'] == FRAMES, output
    latency = summary['latency_ms']
    assert 0 < latency['p50'] <= latency['p95'] <= latency['p99']
    assert 0 < summary['inference_ms']['p50'] <= summary['inference_ms']['p95']
    shares = summary['proximity']
    assert 0 <= shares['min'] <= shares['mean'] <= shares['max'] <= 1
    assert summary['alert_states'][0] == 'STOP'
    assert summary['alert_states'][-1] == 'STALE'  # the camera is gone, the alert noticed
    assert summary['model'].startswith('tiny 1.0.0')
    assert summary['provider'] == 'CPU'
    assert summary['ros_distro'] == ros_distro()
    sheet = cv2.imread(str(tmp_path / 'out' / 'contact_sheet.png'))
    assert sheet is not None and sheet.shape[1] > 1000
    (video,) = (tmp_path / 'out').glob('demo.*')
    assert cv2.VideoCapture(str(video)).read()[0]
    assert 'camera mounting 0.5 m, pitch 8 deg, roll 0 deg' in output
    assert f'published {FRAMES} pictures' in output
    assert 'times its p95' in output


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_a_report(
    demo: Demo, recording: Path, model: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = demo('--images', recording, '--rate', 5, '--model', model)
    wait_for_line(process, 'depth maps')
    process.send_signal(number)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
    assert 0 < summary['frames_published'] < FRAMES
    assert summary['frames_processed'] + summary['frames_dropped'] == summary['frames_published']


def test_a_signal_before_the_first_picture_ends_the_run_with_a_reason(
    demo: Demo, recording: Path, model: Path
) -> None:
    process = demo('--images', recording, '--model', model)
    wait_for_line(process, 'image_source: plays')
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, output
    assert 'image must be published, got none' in output


def test_nothing_is_left_running_when_the_demo_is_killed(
    demo: Demo, recording: Path, model: Path, tmp_path: Path
) -> None:
    process = demo('--images', recording, '--rate', 5, '--model', model)
    wait_for_line(process, 'depth maps')
    assert len(left_behind(tmp_path)) == 6  # what the fixture must not find any more
    process.kill()
    process.communicate(timeout=PATIENCE_S)


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (['--images', '/nowhere'], 'images must be a folder'),
        (['--video', __file__], 'video must be a file that OpenCV can decode'),
        (['--camera', '63'], 'camera must be the number of a working webcam'),
        (['--images', CLIP, '--camera-file', 'missing.json'], 'camera file must be readable'),
        (['--images', CLIP, '--camera-height', '-1'], 'camera height must be in'),
        (['--images', CLIP, '--rate', '-1'], 'rate_hz must be a finite number'),
        (['--images', '.', '--video', 'x'], 'not allowed with argument'),
    ],
)
def test_unusable_input_is_one_clear_line_and_2(
    demo: Demo, arguments: list[str], reason: str
) -> None:
    process = demo(*arguments)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2, output
    assert reason in output
    assert 'Traceback' not in output


def test_a_model_that_cannot_be_loaded_ends_the_demo_with_the_reason(
    demo: Demo, recording: Path, tmp_path: Path
) -> None:
    process = demo('--images', recording, '--model', tmp_path / 'missing.onnx')
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, output
    assert 'missing.onnx' in output
