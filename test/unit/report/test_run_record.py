# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
from fcrn_depth_ros.alert.verdict import AlertState
from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.perception.proximity import ProximityConfig
from fcrn_depth_ros.report.run_record import DepthNodeAccount, KeptFrame, RunRecord, WaitingImages
import numpy as np
import pytest

MS = 1_000_000
SECOND = 1000 * MS
START = 1_700_000_000 * SECOND


def frame(stamp_ns: int, depth_m: float = 2.0) -> KeptFrame:
    return KeptFrame(
        stamp_ns,
        np.full((60, 80, 3), 90, np.uint8),
        np.full((30, 40), depth_m, np.float32),
        np.zeros((30, 40), np.bool_),
    )


def recorded_run(count: int = 20) -> RunRecord:
    """Play `count` frames at 10 Hz; every fifth is dropped, latency is 10 ms plus 1 per frame."""
    record = RunRecord(ProximityConfig())
    record.add_account(DepthNodeAccount({'superseded': 2, 'rejected': 5}, model='none'))
    record.add_state(START - SECOND, AlertState.STOP)
    for index in range(count):
        stamp = START + index * 100 * MS
        record.add_image(stamp)
        if index % 5 == 4:
            continue
        record.add_proximity(index / 100)
        record.add_nearest(stamp, 3.0 - index / 10)
        record.add_depth(stamp, stamp + (10 + index) * MS)
        if record.wants_picture(stamp):
            record.keep(frame(stamp))
        if index == 10:
            record.add_state(stamp + 5 * MS, AlertState.CLEAR)
    record.add_account(
        DepthNodeAccount(
            {'superseded': 2 + count // 5, 'rejected': 5}, 8.5, 12.25, 'fcrn_lite 1.0', 'CPU'
        )
    )
    return record


def test_summary_says_what_was_received() -> None:
    record = recorded_run()
    latencies = [10 + index for index in range(20) if index % 5 != 4]
    assert record.summary('kilted') == {
        'frames_published': 20,
        'frames_processed': 16,
        'frames_dropped': 4,
        'latency_ms': {
            'p50': pytest.approx(np.percentile(latencies, 50), rel=1e-3),
            'p95': pytest.approx(np.percentile(latencies, 95), rel=1e-3),
            'p99': pytest.approx(np.percentile(latencies, 99), rel=1e-3),
        },
        'inference_ms': {'p50': 8.5, 'p95': 12.25},
        'proximity': {'min': 0.0, 'max': 0.18, 'mean': pytest.approx(0.09)},
        'alert_states': ['STOP', 'CLEAR'],
        'model': 'fcrn_lite 1.0',
        'provider': 'CPU',
        'ros_distro': 'kilted',
    }
    assert record.unaccounted_count() == 0
    assert record.drop_reasons == {'superseded': 4}


def test_a_lost_frame_is_not_accounted_for() -> None:
    record = recorded_run()
    record.add_image(START + 99 * SECOND)
    assert record.unaccounted_count() == 1


def test_a_run_of_which_nothing_came_is_all_none_and_valid_json(tmp_path: Path) -> None:
    record = RunRecord(ProximityConfig())
    assert record.write(tmp_path, 'jazzy') == [tmp_path / 'summary.json']
    summary = json.loads((tmp_path / 'summary.json').read_text())
    assert summary['frames_published'] == summary['frames_processed'] == 0
    assert summary['frames_dropped'] is None
    assert summary['latency_ms'] == {'p50': None, 'p95': None, 'p99': None}
    assert summary['inference_ms'] == {'p50': None, 'p95': None}
    assert summary['proximity'] == {'min': None, 'max': None, 'mean': None}
    assert summary['alert_states'] == [] and summary['model'] is None
    assert math.isnan(record.last_nearest_m)


def test_a_time_that_depth_node_has_not_measured_is_null() -> None:
    record = RunRecord(ProximityConfig())
    record.add_account(DepthNodeAccount(inference_p50_ms=math.nan))
    assert record.summary('x')['inference_ms']['p50'] is None
    assert record.dropped_count == 0


def test_times_compare_latency_with_inference() -> None:
    record = RunRecord(ProximityConfig())
    for number in range(1, 102):
        record.add_depth(START + number * SECOND, START + number * SECOND + number * MS)
    assert record.times() == ''  # depth_node has not told yet
    record.add_account(DepthNodeAccount(inference_p50_ms=40.0, inference_p95_ms=48.0))
    assert record.times() == (
        'latency p50 51.0, p95 96.0 ms; inference alone p50 40.0, p95 48.0 ms: 2.00 times its p95'
    )


def test_times_without_depth_are_not_told() -> None:
    record = RunRecord(ProximityConfig())
    record.add_account(DepthNodeAccount(inference_p50_ms=40.0, inference_p95_ms=48.0))
    assert record.times() == ''


def test_unknown_proximity_does_not_spoil_the_mean() -> None:
    record = RunRecord(ProximityConfig())
    for share in (0.2, math.nan, 0.4):
        record.add_proximity(share)
    assert record.summary('x')['proximity'] == {'min': 0.2, 'max': 0.4, 'mean': pytest.approx(0.3)}


def test_a_stamp_that_comes_twice_counts_once() -> None:
    record = RunRecord(ProximityConfig())
    for _ in range(2):
        record.add_image(START)
        record.add_depth(START, START + 5 * MS)
    assert (record.published_count, record.processed_count) == (1, 1)


def test_the_same_state_again_is_no_change() -> None:
    record = RunRecord(ProximityConfig())
    stop, clear = AlertState.STOP, AlertState.CLEAR
    changes = [record.add_state(START, state) for state in (stop, stop, clear, stop)]
    assert changes == [True, False, True, True]
    assert record.summary('x')['alert_states'] == ['STOP', 'CLEAR', 'STOP']
    assert record.last_state is stop


def test_timeline_gives_each_frame_the_state_at_its_publishing() -> None:
    timeline = {round(point.time_s, 1): point for point in recorded_run().timeline()}
    assert timeline[0.0].nearest_m == pytest.approx(3.0)
    assert timeline[0.8].state is AlertState.STOP
    assert (
        timeline[1.0].state is AlertState.CLEAR
    )  # changed 5 ms after its stamp, published after 20 ms
    assert 0.4 not in timeline  # dropped


def test_a_frame_without_range_is_unknown_on_the_timeline() -> None:
    record = RunRecord(ProximityConfig())
    record.add_depth(START, START + MS)
    assert math.isnan(record.timeline()[0].nearest_m)
    assert record.timeline()[0].state is None


def test_report_has_a_contact_sheet_and_a_video_of_all_kept_frames(tmp_path: Path) -> None:
    paths = recorded_run().write(tmp_path, 'kilted')
    assert [path.name for path in paths][:2] == ['summary.json', 'contact_sheet.png']
    sheet = cv2.imread(str(paths[1]))
    assert sheet.shape[1] > 6 * 320
    capture = cv2.VideoCapture(str(paths[2]))
    size = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    assert size == (160, 60)
    count = 0
    while capture.read()[0]:
        count += 1
    assert count == 16


def test_one_frame_makes_a_report_too(tmp_path: Path) -> None:
    record = RunRecord(ProximityConfig())
    record.add_image(START)
    record.add_depth(START, START + MS)
    record.keep(frame(START))
    assert len(record.write(tmp_path, 'kilted')) == 3


def test_pictures_are_thinned_out_when_there_are_too_many() -> None:
    record = RunRecord(ProximityConfig())
    kept = 0
    for index in range(3000):
        stamp = START + index * 70 * MS
        if record.wants_picture(stamp):
            record.keep(frame(stamp))
            kept += 1
    assert 600 < kept < 2000  # more than there is room for, yet not all
    assert len(record._kept) <= 600
    gaps_ns = np.diff([held.stamp_ns for held in record._kept])
    assert gaps_ns.min() > 0 and gaps_ns.max() <= 8 * 70 * MS


def test_large_pictures_are_kept_smaller() -> None:
    record = RunRecord(ProximityConfig())
    record.keep(
        KeptFrame(
            START, np.zeros((960, 1280, 3), np.uint8), np.ones((960, 1280), np.float32), None
        )
    )
    assert record._kept[0].image_rgb.shape == (360, 480, 3)
    assert record._kept[0].depth_m.shape == (360, 480)


def test_what_depth_node_counted_as_near_is_tinted_and_what_did_not_come_is_said() -> None:
    record = RunRecord(ProximityConfig())
    pixels = np.full((200, 300, 3), 90, np.uint8)
    depth_m = np.full((20, 30), 9.0, np.float32)
    near = np.zeros((20, 30), np.bool_)
    near[10:, 15:] = True
    tinted = record._overlay(KeptFrame(START, pixels, depth_m, near))
    assert (tinted[110:140, 170:, 0] > 120).all()
    assert (tinted[110:140, :130] == 90).all()
    unknown = record._overlay(KeptFrame(START, pixels, depth_m, None))
    nothing = record._overlay(KeptFrame(START, pixels, depth_m, np.zeros_like(near)))
    assert (unknown != nothing).any()


def test_images_wait_for_their_depth_but_not_for_ever() -> None:
    images: WaitingImages[str] = WaitingImages()
    for stamp in range(100):
        images.put(stamp, f'image {stamp}')
    assert images.take(0) is None  # too old
    assert images.take(70) == 'image 70'
    assert images.take(70) is None
    assert images.take(60) is None  # overtaken
    assert images.take(99) == 'image 99'


def test_a_video_that_is_cut_short_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk:
        def __init__(self, path: str, *_: object) -> None:
            Path(path).write_bytes(b'')

        def isOpened(self) -> bool:  # noqa: N802
            return True

        def write(self, picture: object) -> None:
            pass

        def release(self) -> None:
            pass

    monkeypatch.setattr(cv2, 'VideoWriter', FullDisk)
    FullDisk.fourcc = cv2.VideoWriter_fourcc  # type: ignore[attr-defined]
    with pytest.raises(ToolInputError, match=r'demo\.mp4 must be writable to its end'):
        recorded_run().write(tmp_path, 'kilted')
    assert {path.name for path in tmp_path.iterdir()} == {'summary.json', 'contact_sheet.png'}
