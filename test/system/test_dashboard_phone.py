# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A phone from its camera to its vibration, over real nodes, in Chromium."""

from __future__ import annotations

from pathlib import Path

from benchmark.page_nodes import chromium
from benchmark.phone import phone_page, times_to_feel, write_camera_file
import pytest

# A busy machine is not what is tested.
PATIENT = ('source_timeout_s:=10.0', 'max_stamp_age_s:=10.0')


def test_a_phone_is_felt_where_something_is_near_and_its_tilt_is_the_mounting(
    tmp_path: Path,
) -> None:
    if chromium() is None:
        pytest.skip('needs chromium (apt install chromium)')
    with phone_page(tmp_path, 2.0, alert=PATIENT) as phone:
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
    assert times_to_feel(seen, felt) == times_ms
