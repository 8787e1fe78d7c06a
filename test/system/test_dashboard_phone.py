# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A phone from its camera to its vibration, over real nodes, in Chromium."""

from __future__ import annotations

from pathlib import Path

from benchmark.page_nodes import chromium
from benchmark.phone import CLIP, NEAR, phone_page, times_to_feel, write_camera_file
from benchmark.phone_stages import Heard, is_marked, report, STAGES, stages_of, until_alert
from benchmark.processes import own_environment
import cv2
import numpy as np
import pytest

# A busy machine is not what is tested.
PATIENT = ('source_timeout_s:=10.0', 'max_stamp_age_s:=10.0')


def test_a_phone_is_felt_where_something_is_near_and_its_tilt_is_the_mounting(
    tmp_path: Path,
) -> None:
    if chromium() is None:
        pytest.skip('needs chromium (apt install chromium)')
    environment = own_environment(tmp_path, is_tuned=True)
    with phone_page(tmp_path, 2.0, environment, alert=PATIENT) as phone:
        phone.tilt(20.0)
        phone.begin(0.5, 27.84)
        phone.await_mounting('pitch 20')
        phone.tilt(8.0)
        phone.await_mounting('pitch 8')
        gone = sum(not is_near for _, is_near in phone.log()[0])
        phone.await_near(gone + 2)
        assert any(pattern in ([70], [230]) for _, pattern in phone.log()[1])
        assert not phone.complaints


def test_the_camera_file_is_far_then_near(tmp_path: Path) -> None:
    path = tmp_path / 'camera.mjpeg'
    write_camera_file(path, 0.2)
    assert path.read_bytes().count(b'\xff\xd8\xff\xe0') == 12


@pytest.mark.parametrize(
    ('felt', 'times_ms'),
    [
        ([(1200.0, [230]), (1450.0, [230])], [200.0]),
        ([(1100.0, [60, 80, 60, 80, 350]), (1300.0, [70])], [300.0]),
        ([(1100.0, 0)], [float('inf')]),
        ([], [float('inf')]),
        ([(2100.0, [70])], [float('inf')]),
        ([(501.0, [70]), (1200.0, [230])], []),
        ([(499.0, [70]), (1200.0, [230])], [200.0]),
    ],
)
def test_a_near_phase_counts_from_its_first_picture_to_the_first_pulse(
    felt: list[tuple[float, object]], times_ms: list[float]
) -> None:
    seen = [(0.0, False), (1000.0, True), (2000.0, False)]
    assert times_to_feel(seen, felt) == [(1000.0, time_ms) for time_ms in times_ms]


HEARD = Heard([1010.0, 1070.0], [(990.0, 1050.0), (1070.0, 1200.0), (1070.0, 1330.0)], [1331.0])


def test_the_stages_of_a_phase_are_its_time() -> None:
    row = stages_of(1000.0, 209.0, HEARD)
    assert row is not None
    assert row == pytest.approx([10.0, 60.0, 130.0, 9.0])
    assert list(report([row] * 3))[2] == f'  then {STAGES[2]}: p50 130 ms, p95 130 ms'


@pytest.mark.parametrize(
    'heard', [Heard([], HEARD.readings_ms), Heard(HEARD.near_ms, HEARD.readings_ms[:1])]
)
def test_a_phase_of_which_something_was_not_heard_has_no_stages(heard: Heard) -> None:
    assert stages_of(1000.0, 209.0, heard) is None


@pytest.mark.parametrize(
    ('begun_ms', 'ended_ms', 'took_ms'),
    [(1000.0, 1331.0, 331.0), (1000.0, 1330.0, float('inf')), (1332.0, 2000.0, float('inf'))],
)
def test_the_alert_counts_within_its_phase(
    begun_ms: float, ended_ms: float, took_ms: float
) -> None:
    assert until_alert(begun_ms, ended_ms, HEARD) == took_ms


def test_the_mark_of_near_pictures_is_seen_as_the_page_sends_them(tmp_path: Path) -> None:
    path = tmp_path / 'camera.mjpeg'
    write_camera_file(path, 1 / 30)
    first, second = path.read_bytes().split(b'\xff\xd8\xff\xe0')[1:]
    for data, is_near in ((first, False), (second, True)):
        jpeg = np.frombuffer(b'\xff\xd8\xff\xe0' + data, np.uint8)
        assert is_marked(cv2.imdecode(jpeg, cv2.IMREAD_REDUCED_COLOR_8)) is is_near
    unmarked = cv2.imread(str(sorted(CLIP.glob('*.jpg'))[NEAR[0]]), cv2.IMREAD_REDUCED_COLOR_8)
    assert not is_marked(unmarked)
