# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Bags in, bags with depth out, at the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
import errno
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

from bag_files import (
    along_a_wall,
    clip_messages,
    IMAGE,
    INFO,
    Message,
    Messages,
    POSE,
    TF,
    write_bag,
)
import cv2
from fcrn_depth_ros.__main__ import main
from fcrn_depth_ros.alert.machine import AlertConfig
from fcrn_depth_ros.archives.alert_pass import AlertReplay
from fcrn_depth_ros.archives.picture_rows import PictureRow
from fcrn_depth_ros.camera.depth_encoding import to_millimetres
import numpy as np
from pyarrow import parquet
import pytest
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Writer
from tiny_models import tiny_card, write_model
import yaml

ROOT = Path(__file__).parents[3]
NEW = {
    'depth/camera_info',
    'depth/image_rect',
    'depth/near',
    'depth/scan',
    'depth/scale',
    'depth/scale/factor',
    'depth/scale/sigma',
    'depth/scale/state',
    'proximity',
    'proximity/near',
    'proximity/range',
    'proximity/scale_verified',
    'alert/level',
    'alert/state',
}


@pytest.fixture
def bag(tmp_path: Path) -> Callable[..., int]:
    """Return the command, with a tiny network and segments of 1 s (ten pictures)."""
    model = write_model(tmp_path / 'tiny.onnx')

    def run(*words: object) -> int:
        options = ['--model', str(model), '--segment-seconds', '1']
        return main(['bag', *options, *map(str, words)])

    return run


def contents(path: Path) -> list[tuple[str, int, bytes]]:
    """Return topic, time and bytes of every message."""
    with AnyReader([path]) as reader:
        return [(c.topic, t, bytes(d)) for c, t, d in reader.messages()]


def decoded(path: Path, topic: str) -> list[Any]:
    with AnyReader([path]) as reader:
        used = [c for c in reader.connections if c.topic == topic]
        return [reader.deserialize(d, c.msgtype) for c, _, d in reader.messages(used)]


def depth_of(path: Path, topic: str = '/camera/depth/image_rect') -> list[np.ndarray]:
    return [
        m.data.view(np.float32).reshape(m.height, m.width).copy() for m in decoded(path, topic)
    ]


def files(folder: Path) -> dict[str, bytes]:
    """Return what must be the same whoever did the work: all but the times of inference."""
    table = parquet.read_table(folder / 'pictures.parquet').drop_columns('inference_ms')
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    found['pictures.parquet'] = repr(table.to_pylist()).encode()
    return found


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3', 'ros1'])
def test_every_kind_of_bag_gets_depth_beside_its_messages(
    tmp_path: Path, bag: Callable[..., int], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Messages(1 if kind == 'ros1' else 2)
    source = tmp_path / ('drive.bag' if kind == 'ros1' else 'drive')
    write_bag(source, clip_messages(made, 12, raw=True, size=(64, 48)), kind)
    assert bag(source, '--out', tmp_path / 'out') == 0
    out = tmp_path / 'out' / 'drive'
    kept = contents(out)
    assert {topic for topic, _, _ in kept} == {
        '/camera/image_rect',
        '/camera/camera_info',
        *(f'/camera/{name}' for name in NEW),
    }
    assert [time_ns for _, time_ns, _ in kept] == sorted(time_ns for _, time_ns, _ in kept)
    images, depths = decoded(out, '/camera/image_rect'), decoded(out, '/camera/depth/image_rect')
    assert len(images) == len(depths) == 12
    assert [m.header.stamp for m in depths] == [m.header.stamp for m in images]
    assert {m.header.frame_id for m in depths} == {'camera_optical_frame'}
    assert np.isfinite(depth_of(out)[0]).all()
    if kind == 'mcap':
        original = contents(source)
        assert [m for m in kept if m[0] in {topic for topic, _, _ in original}] == original
    assert len(list(out.glob('drive_*.mcap'))) == 2
    assert not (out / 'work').exists()
    assert '12 pictures' in capsys.readouterr().out


def test_the_depth_is_the_same_from_every_kind_of_bag(
    tmp_path: Path, bag: Callable[..., int]
) -> None:
    found = []
    for kind in ('mcap', 'sqlite3', 'ros1'):
        made = Messages(1 if kind == 'ros1' else 2)
        source = tmp_path / (f'{kind}.bag' if kind == 'ros1' else kind)
        write_bag(source, clip_messages(made, 5, raw=True, size=(64, 48)), kind)
        assert bag(source, '--out', tmp_path / 'out', '--no-copy') == 0
        found.append(contents(tmp_path / 'out' / kind))
    assert found[0] == found[1] == found[2]
    assert {topic for topic, _, _ in found[0]} == {f'/camera/{name}' for name in NEW}


def test_a_row_for_each_picture(tmp_path: Path, bag: Callable[..., int]) -> None:
    source = write_bag(tmp_path / 'drive', clip_messages(Messages(), 10))
    assert bag(source, '--out', tmp_path / 'out', '--camera-height', 0.3) == 0
    rows = parquet.read_table(tmp_path / 'out' / 'drive' / 'pictures.parquet').to_pylist()
    assert [row['stamp_ns'] for row in rows] == [100 * 10**9 + i * 10**8 for i in range(10)]
    ranges = decoded(tmp_path / 'out' / 'drive', '/camera/proximity/range')
    assert [row['range_m'] for row in rows] == [message.range for message in ranges]
    assert {row['topic'] for row in rows} == {'/camera/image_rect/compressed'}
    assert {row['quality'] for row in rows} == {'usable'}
    assert all(row['inference_ms'] > 0 for row in rows)
    # It starts stopped, and is released by release_count good readings.
    assert rows[0]['state'] == 'STOP'
    states = [m.data for m in decoded(tmp_path / 'out' / 'drive', '/camera/alert/state')]
    assert states[0] == 'STOP: no distance received yet'
    sheet = cv2.imread(str(tmp_path / 'out' / 'drive' / 'contact_sheet.png'))
    assert sheet is not None and sheet.shape[1] > 6 * 320


def test_two_jobs_write_what_one_does(tmp_path: Path, bag: Callable[..., int]) -> None:
    source = write_bag(tmp_path / 'drive', clip_messages(Messages(), 12))
    for jobs in (1, 2):
        assert bag(source, '--out', tmp_path / str(jobs), '--jobs', jobs) == 0
    assert files(tmp_path / '1' / 'drive') == files(tmp_path / '2' / 'drive')


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, bag: Callable[..., int]) -> None:
    source = write_bag(tmp_path / 'drive', clip_messages(Messages(), 48))
    cut = '--segment-seconds', 0.4
    assert bag(source, '--out', tmp_path / 'whole', *cut) == 0
    command = [sys.executable, '-m', 'fcrn_depth_ros', 'bag', '--model', tmp_path / 'tiny.onnx']
    command += ['--segment-seconds', '0.4', source, '--out', tmp_path / 'out']
    work = tmp_path / 'out' / 'drive' / 'work'
    with subprocess.Popen(command, cwd=ROOT) as process:
        while len(list(work.glob('part_*.jsonl'))) < 2 and process.poll() is None:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    parts = {path: path.stat().st_mtime_ns for path in work.glob('part_*.jsonl')}
    assert 2 <= len(parts) < 12
    kept: dict[Path, int] = {}

    def look(*_: object) -> None:
        kept.update({path: path.stat().st_mtime_ns for path in parts if path.exists()})

    finish = pytest.MonkeyPatch()
    finish.setattr('fcrn_depth_ros.archives.running.judge', _then(look, 'judge'))
    try:
        assert bag(source, '--out', tmp_path / 'out', *cut) == 0
    finally:
        finish.undo()
    assert kept == parts  # none was made again
    assert files(tmp_path / 'out' / 'drive') == files(tmp_path / 'whole' / 'drive')


def _then(look: Callable[..., None], name: str) -> Callable[..., Any]:
    from fcrn_depth_ros.archives import final_pass

    original = getattr(final_pass, name)

    def call(*arguments: Any) -> Any:
        look()
        return original(*arguments)

    return call


@pytest.mark.parametrize(
    ('pictures', 'lengths'), [(20, [10, 10]), (21, [7, 7, 7]), (25, [9, 8, 8])]
)
def test_segments_are_of_one_length(
    tmp_path: Path, bag: Callable[..., int], pictures: int, lengths: list[int]
) -> None:
    # Of at most a second, ten pictures each second.
    source = write_bag(tmp_path / 'drive', clip_messages(Messages(), pictures))
    assert bag(source, '--out', tmp_path / 'out', '--no-copy') == 0
    found = [len(depth_of(path)) for path in sorted((tmp_path / 'out' / 'drive').glob('*.mcap'))]
    assert found == lengths


def test_a_finished_bag_is_left_alone(
    tmp_path: Path, bag: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_bag(tmp_path / 'drive', clip_messages(Messages(), 5))
    assert bag(source, '--out', tmp_path / 'out') == 0
    before = files(tmp_path / 'out' / 'drive')
    assert bag(source, '--out', tmp_path / 'out') == 0
    assert '1 of 1 bags' in capsys.readouterr().out
    assert files(tmp_path / 'out' / 'drive') == before
    assert bag(source, '--out', tmp_path / 'out', '--compress') == 2
    assert 'choose another --out, or replace them with --overwrite' in capsys.readouterr().err
    assert bag(source, '--out', tmp_path / 'out', '--compress', '--overwrite') == 0


def test_a_damaged_bag_costs_that_bag_only(
    tmp_path: Path, bag: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ('good', 'cut', 'rotten'):
        write_bag(tmp_path / 'in' / name, clip_messages(Messages(), 8))
    cut, rotten = (tmp_path / 'in' / name / f'{name}.mcap' for name in ('cut', 'rotten'))
    cut.write_bytes(cut.read_bytes()[:20000])
    content = bytearray(rotten.read_bytes())
    content[60:5000] = b'\xff' * 4940
    rotten.write_bytes(content)
    assert bag(tmp_path / 'in', '--out', tmp_path / 'out') == 1
    shown = capsys.readouterr().out
    assert f'failed: {tmp_path}/in/cut: bag must be readable' in shown
    assert f'failed: {tmp_path}/in/rotten: bag must be readable' in shown
    assert '1 of 3 bags' in shown
    assert len(depth_of(tmp_path / 'out' / 'good')) == 8


def test_a_broken_picture_is_a_row_without_a_distance(
    tmp_path: Path, bag: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    content = list(clip_messages(Messages(), 6))
    topic, time_ns, kind, message = content[5]
    content[5] = topic, time_ns, kind, Messages().compressed(0, bytes(message.data)[:500])
    source = write_bag(tmp_path / 'drive', content)
    assert bag(source, '--out', tmp_path / 'out') == 0
    rows = parquet.read_table(tmp_path / 'out' / 'drive' / 'pictures.parquet').to_pylist()
    assert ['complete picture' in row['rejected'] for row in rows] == [i == 2 for i in range(6)]
    shares = [m.data for m in decoded(tmp_path / 'out' / 'drive', '/camera/proximity')]
    assert [bool(np.isnan(share)) for share in shares] == [i == 2 for i in range(6)]
    assert [m.data for m in decoded(tmp_path / 'out' / 'drive', '/camera/proximity/near')][2]
    assert '1 rejected' in capsys.readouterr().out


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(
    tmp_path: Path,
    bag: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = write_bag(tmp_path / 'drive', clip_messages(Messages(), 14))
    written = 0
    write = Writer.write

    def full(*arguments: Any) -> None:
        nonlocal written
        written += 1
        if written > 95:
            raise OSError(errno.ENOSPC, 'No space left on device')
        write(*arguments)

    monkeypatch.setattr(Writer, 'write', full)
    assert bag(source, '--out', tmp_path / 'out') == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert 'No space left on device; free space' in line
    monkeypatch.setattr(Writer, 'write', write)
    assert len(list((tmp_path / 'out').rglob('part_*.jsonl'))) == 1
    assert bag(source, '--out', tmp_path / 'out') == 0
    assert len(depth_of(tmp_path / 'out' / 'drive')) == 14


def test_a_place_where_nothing_can_be_written_is_one_line(
    tmp_path: Path, bag: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_bag(tmp_path / 'drive', clip_messages(Messages(), 4))
    (tmp_path / 'file').touch()
    assert bag(source, '--out', tmp_path / 'file') == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert 'output must be writable' in line


def two_cameras() -> Iterator[Message]:
    front = clip_messages(Messages(), 6, namespace='/front')
    rear = clip_messages(Messages(), 6, namespace='/rear/color', raw=True, first=40, size=(64, 48))
    yield from sorted([*front, *rear], key=lambda message: message[1])


def test_every_camera_has_results_in_its_namespace(
    tmp_path: Path, bag: Callable[..., int]
) -> None:
    source = write_bag(tmp_path / 'drive', two_cameras())
    assert bag(source, '--out', tmp_path / 'out', '--prefix', 'again') == 0
    topics = {topic for topic, _, _ in contents(tmp_path / 'out' / 'drive')}
    for space in ('/again/front', '/again/rear/color'):
        assert topics >= {f'{space}/{name}' for name in NEW}
    assert bag(source, '--out', tmp_path / 'one', '--image-topic', '/rear/color/image_rect') == 0
    made = {topic for topic, _, _ in contents(tmp_path / 'one' / 'drive')}
    assert {topic for topic in made if topic.endswith('alert/level')} == {
        '/rear/color/alert/level'
    }
    (tmp_path / 'alone').mkdir()
    alone = write_bag(
        tmp_path / 'alone' / 'drive',
        (m for m in two_cameras() if m[0].startswith('/rear')),
    )
    assert bag(alone, '--out', tmp_path / 'alone' / 'out') == 0
    for out in (tmp_path / 'out', tmp_path / 'alone' / 'out'):
        prefix = '/again' if out.parent == tmp_path else ''
        found = depth_of(out / 'drive', f'{prefix}/rear/color/depth/image_rect')
        assert np.array_equal(
            found, depth_of(tmp_path / 'one' / 'drive', '/rear/color/depth/image_rect')
        )


@pytest.mark.parametrize('name', ['near', 'image_color'])
def test_what_depth_node_drew_is_no_camera(
    tmp_path: Path, bag: Callable[..., int], name: str
) -> None:
    made = Messages()
    drawn = made.image(1_000_000_000, np.zeros((48, 64), np.uint8), 'mono8')
    pictures = list(clip_messages(made, 3, namespace='/robot'))
    extra = (f'/robot/depth/{name}', pictures[0][1], IMAGE, drawn)
    source = write_bag(tmp_path / 'drive', [extra, *pictures])
    assert bag(source, '--out', tmp_path / 'out', '--prefix', '/again') == 0
    topics = {topic for topic, _, _ in contents(tmp_path / 'out' / 'drive')}
    assert {topic for topic in topics if topic.endswith('alert/level')} == {
        '/again/robot/alert/level'
    }


def test_camera_info_is_that_of_the_namespace(tmp_path: Path, bag: Callable[..., int]) -> None:
    known = list(clip_messages(Messages(), 3))
    write_bag(tmp_path / 'known', known)
    # Recorded late, as drivers that latch it do: it holds for the pictures before it, too.
    late = [m for m in known if m[2] != INFO] + [m for m in known if m[2] == INFO][-1:]
    write_bag(tmp_path / 'late', late)
    other = [m if m[2] != INFO else (f'/other{m[0]}', *m[1:]) for m in known]
    write_bag(tmp_path / 'other', other)
    places = [tmp_path / name for name in ('known', 'late', 'other')]
    assert bag(*places, '--out', tmp_path / 'out', '--no-copy') == 0
    first, second, third = (depth_of(tmp_path / 'out' / place.name) for place in places)
    assert np.array_equal(first, second)
    assert not np.allclose(first, third)


def test_a_camera_info_that_changes_counts_from_then_on(
    tmp_path: Path, bag: Callable[..., int]
) -> None:
    known = list(clip_messages(Messages(), 3))
    same = write_bag(tmp_path / 'same', known)
    for message in known[2:]:
        if message[2] == INFO:
            message[3].k[[0, 4]] *= 1.5
            message[3].p[[0, 5]] *= 1.5
    zoomed = write_bag(tmp_path / 'zoomed', known)
    assert bag(same, zoomed, '--out', tmp_path / 'out', '--no-copy') == 0
    first, second = (depth_of(tmp_path / 'out' / name) for name in ('same', 'zoomed'))
    assert np.array_equal(first[0], second[0])
    assert not np.allclose(first[1], second[1]) and not np.allclose(first[2], second[2])


def on_a_robot() -> Iterator[Message]:
    """Yield pictures of a camera 0.5 m over the floor, that looks 20 degrees down."""
    made = Messages()
    half = np.radians(-90.0 - 20.0) / 2
    down = np.array([np.sin(half), 0.0, 0.0, np.cos(half)])  # about x, in a frame that looks left
    yield (
        '/tf_static',
        99 * 10**9,
        TF,
        made.transform(1, 'base', 'mast', (0.1, 0, 0.3), (0, 0, 0, 1)),
    )
    yield (
        '/tf_static',
        99 * 10**9,
        TF,
        made.transform(1, 'mast', 'camera_optical_frame', (0, 0, 0.1), down),
    )
    yield '/tf', 99 * 10**9 + 1, TF, made.transform(1, 'floor', 'base', (3, 2, 0.1), (0, 0, 0, 1))
    yield from clip_messages(made, 8)


def test_the_mounting_comes_from_the_transforms_in_the_bag(
    tmp_path: Path, bag: Callable[..., int]
) -> None:
    source = write_bag(tmp_path / 'drive', on_a_robot())
    assert bag(source, '--out', tmp_path / 'tf', '--floor-frame', 'floor') == 0
    words = '--camera-height', 0.5, '--camera-pitch', 20
    assert bag(source, '--out', tmp_path / 'told', *words) == 0
    assert bag(source, '--out', tmp_path / 'not', '--floor-frame', 'ground') == 0
    found, told, unknown = (depth_of(tmp_path / name / 'drive') for name in ('tf', 'told', 'not'))
    assert np.allclose(found, told, rtol=1e-4)
    assert not np.allclose(found, unknown, rtol=1e-2)


def test_odometry_in_the_bag_is_a_witness_of_scale(
    tmp_path: Path, bag: Callable[..., int]
) -> None:
    # It says that the camera moved a quarter as far, so that the wall is half a metre away.
    source = write_bag(tmp_path / 'drive', along_a_wall(felt=0.25))
    assert bag(source, '--out', tmp_path / 'plain', '--no-copy') == 0
    assert bag(source, '--out', tmp_path / 'odom', '--no-copy', '--odom-topic', '/odom') == 0
    plain, corrected = (depth_of(tmp_path / name / 'drive') for name in ('plain', 'odom'))
    ratio = [float(np.nanmedian(b / a)) for a, b in zip(plain, corrected, strict=True)]
    assert ratio[0] == 1.0
    assert ratio[-1] == pytest.approx(0.5, rel=0.15)
    # What was learnt in the first second holds in the next one.
    assert max(ratio[15:]) < 0.7
    assert len(list((tmp_path / 'plain' / 'drive').glob('*.mcap'))) == 3
    assert len(list((tmp_path / 'odom' / 'drive').glob('*.mcap'))) == 1


@pytest.mark.parametrize(
    'option, words',
    [
        ('--odom-topic', "nav_msgs/msg/Odometry of {} must be among ['/odom']"),
        ('--range-hint-topic', 'sensor_msgs/msg/Range of {} must be among []'),
        ('--scan-hint-topic', 'sensor_msgs/msg/LaserScan of {} must be among []'),
        ('--mounting-topic', 'geometry_msgs/msg/PoseStamped of {} must be among []'),
    ],
)
def test_a_witness_that_is_not_there_costs_the_bag(
    tmp_path: Path,
    bag: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    option: str,
    words: str,
) -> None:
    source = write_bag(tmp_path / 'drive', along_a_wall())
    assert bag(source, '--out', tmp_path / 'out', option, '/nowhere') == 1
    assert words.format(source) in capsys.readouterr().out


def test_a_scan_in_the_bag_is_a_witness_of_scale(tmp_path: Path, bag: Callable[..., int]) -> None:
    # The wall is half as far as the network sees it.
    source = write_bag(tmp_path / 'drive', along_a_wall(scan_m=0.5))
    words = '--no-copy', '--camera-height', 0.3
    assert bag(source, '--out', tmp_path / 'plain', *words) == 0
    assert bag(source, '--out', tmp_path / 'scan', *words, '--scan-hint-topic', '/lidar') == 0
    plain, corrected = (depth_of(tmp_path / name / 'drive') for name in ('plain', 'scan'))
    ratio = [float(np.nanmedian(b / a)) for a, b in zip(plain, corrected, strict=True)]
    assert ratio[-1] == pytest.approx(0.5, rel=0.15)


def held(pitches_deg: list[float], late_ns: int = 0) -> Iterator[Message]:
    """Yield pictures, each behind the pose of a camera that is tilted more and more."""
    made = Messages()
    for index, message in enumerate(clip_messages(made, len(pitches_deg))):
        if message[2] == INFO:
            stamp = message[3].header.stamp
            stamp_ns = stamp.sec * 10**9 + stamp.nanosec + late_ns
            pose = made.held_camera(stamp_ns, 1.2, pitches_deg[index // 2])
            yield '/phone/mounting', message[1], POSE, pose
        yield message


def test_the_mounting_of_each_picture_comes_from_its_pose(
    tmp_path: Path, bag: Callable[..., int]
) -> None:
    model = write_model(tmp_path / 'mounted.onnx', tiny_card(mounting_input='mounting'))
    pitches_deg = [0.5 * index for index in range(24)]
    words = '--no-copy', '--model', model
    for name, messages in (('near', held(pitches_deg)), ('far', held(pitches_deg, 3 * 10**9))):
        source = write_bag(tmp_path / name, messages)
        more = '--mounting-topic', '/phone/mounting'
        assert bag(source, '--out', tmp_path / 'out', *words, *more) == 0
    for index in (0, 12, 23):
        tilt = '--camera-height', 1.2, '--camera-pitch', pitches_deg[index]
        out = tmp_path / f'told_{index}'
        assert bag(tmp_path / 'near', '--out', out, *words, *tilt) == 0
        found, told = (depth_of(place / 'near')[index] for place in (tmp_path / 'out', out))
        assert np.allclose(found, told, rtol=1e-4, equal_nan=True)
    # A pose of another moment is none.
    rows = parquet.read_table(tmp_path / 'out' / 'far' / 'pictures.parquet').to_pylist()
    assert all('mounting is unknown' in row['scale_text'] for row in rows)
    rows = parquet.read_table(tmp_path / 'out' / 'near' / 'pictures.parquet').to_pylist()
    assert not any('mounting is unknown' in row['scale_text'] for row in rows)


def test_poses_hold_from_segment_to_segment(tmp_path: Path, bag: Callable[..., int]) -> None:
    # The pose comes before the picture of its moment: for some that is a segment before.
    model = write_model(tmp_path / 'mounted.onnx', tiny_card(mounting_input='mounting'))
    source = write_bag(tmp_path / 'drive', held([0.5 * index for index in range(24)]))
    words = '--no-copy', '--model', model, '--mounting-topic', '/phone/mounting'
    assert bag(source, '--out', tmp_path / 'cut', *words) == 0
    assert bag(source, '--out', tmp_path / 'whole', *words, '--segment-seconds', 1000) == 0
    assert contents(tmp_path / 'cut' / 'drive') == contents(tmp_path / 'whole' / 'drive')


@pytest.mark.parametrize(
    ('values', 'words', 'message'),
    [
        ({}, ['--camera-height', 1], 'must come from one place'),
        ({}, ['--floor-frame', 'base'], 'must come from one place'),
        ({'use_mounting_topic': True}, None, '--mounting-topic must be given'),
    ],
)
def test_a_mounting_of_two_places_is_refused(
    tmp_path: Path,
    bag: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    values: dict[str, bool],
    words: list[object] | None,
    message: str,
) -> None:
    source = write_bag(tmp_path / 'drive', held([0.0]))
    params = tmp_path / 'params.yaml'
    params.write_text(yaml.dump({'depth_node': {'ros__parameters': values}}))
    more = [] if words is None else ['--mounting-topic', '/phone/mounting', *words]
    assert bag(source, '--out', tmp_path / 'out', '--params-file', params, *more) == 2
    assert message in capsys.readouterr().err


def test_a_calibrated_factor_holds_from_segment_to_segment(
    tmp_path: Path, bag: Callable[..., int]
) -> None:
    source = write_bag(tmp_path / 'drive', along_a_wall())
    params = tmp_path / 'calibration.yaml'
    values = {'scale_factor': 1.5, 'scale_factor_sigma': 0.05}
    params.write_text(yaml.dump({'/**': {'ros__parameters': values}}))
    assert bag(source, '--out', tmp_path / 'plain', '--no-copy') == 0
    assert bag(source, '--out', tmp_path / 'out', '--no-copy', '--params-file', params) == 0
    plain, corrected = (depth_of(tmp_path / name / 'drive') for name in ('plain', 'out'))
    ratio = [float(np.nanmedian(b / a)) for a, b in zip(plain, corrected, strict=True)]
    # Farther only as far as the calibration vouches for, and after scale_patience_s.
    assert ratio[12:] == pytest.approx([1.5 * np.exp(-0.05)] * len(ratio[12:]), rel=1e-3)


def test_compressed_depth_is_a_png_of_millimetres(tmp_path: Path, bag: Callable[..., int]) -> None:
    source = write_bag(tmp_path / 'drive', clip_messages(Messages(), 2))
    assert bag(source, '--out', tmp_path / 'plain') == 0
    assert bag(source, '--out', tmp_path / 'png', '--compress') == 0
    topic = '/camera/depth/image_rect/compressedDepth'
    for message, depth_m in zip(
        decoded(tmp_path / 'png' / 'drive', topic),
        depth_of(tmp_path / 'plain' / 'drive'),
        strict=True,
    ):
        assert message.format == '16UC1; compressedDepth png'
        pixels = cv2.imdecode(message.data[12:], cv2.IMREAD_UNCHANGED)
        assert np.array_equal(pixels, to_millimetres(depth_m))


def frozen() -> Iterator[Message]:
    """Yield three pictures, and then one picture 90 times."""
    made = Messages()
    pictures = [m for m in clip_messages(made, 4) if m[2] != INFO]
    for index in range(93):
        topic, _, kind, message = pictures[min(index, 3)]
        stamp_ns = 100 * 10**9 + index * 50_000_000
        yield topic, stamp_ns, kind, made.compressed(stamp_ns, bytes(message.data))


def test_a_frozen_camera_is_noticed_across_segments(
    tmp_path: Path, bag: Callable[..., int]
) -> None:
    source = write_bag(tmp_path / 'drive', frozen())
    assert bag(source, '--out', tmp_path / 'cut') == 0
    assert bag(source, '--out', tmp_path / 'whole', '--segment-seconds', 1000) == 0
    assert contents(tmp_path / 'cut' / 'drive') == contents(tmp_path / 'whole' / 'drive')
    rows = parquet.read_table(tmp_path / 'cut' / 'drive' / 'pictures.parquet').to_pylist()
    assert [row['frozen'] for row in rows] == [index >= 63 for index in range(93)]
    levels = [m.data for m in decoded(tmp_path / 'cut' / 'drive', '/camera/alert/level')]
    assert 3 in levels  # STALE, as the stamps of the reading stand still


def test_a_bag_that_has_the_topics_already_is_refused(
    tmp_path: Path, bag: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_bag(tmp_path / 'drive', clip_messages(Messages(), 3))
    assert bag(source, '--out', tmp_path / 'out') == 0
    assert bag(tmp_path / 'out' / 'drive', '--out', tmp_path / 'again') == 1
    assert 'give --prefix' in capsys.readouterr().out
    words = '--prefix', '/again'
    assert bag(tmp_path / 'out' / 'drive', '--out', tmp_path / 'again', *words) == 0


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['no_such_bag', '--out', 'out'], 'bag must exist'),
        (['{bag}'], '--out must be given'),
        (['{bag}', '--out', 'out', '--jobs', '0'], '--jobs must be at least 1'),
        (['{bag}', '--out', 'out', '--camera-pitch', '9'], 'camera height must be given'),
        (['{bag}', '{bag}/../drive', '--out', 'out'], 'bags must have different names'),
        (['{bag}', '--out', 'out', '--floor-frame', 'f', '--camera-height', '1'], 'one place'),
    ],
)
def test_what_cannot_work_is_one_line(
    tmp_path: Path,
    bag: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    source = write_bag(tmp_path / 'drive', clip_messages(Messages(), 2))
    monkeypatch.chdir(tmp_path)
    assert bag(*(word.format(bag=source) for word in words)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('package', ['rosbags', 'pyarrow', 'ray'])
def test_a_missing_package_is_named_with_its_command(
    tmp_path: Path,
    bag: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    package: str,
) -> None:
    source = write_bag(tmp_path / 'drive', clip_messages(Messages(), 2))
    for module in [m for m in sys.modules if m.split('.')[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    assert bag(source, '--out', tmp_path / 'out', *(['--ray'] if package == 'ray' else [])) == 2
    assert "pip install 'fcrn_depth_ros[bags" in capsys.readouterr().err


def test_parameters_of_the_nodes_count(tmp_path: Path, bag: Callable[..., int]) -> None:
    source = write_bag(tmp_path / 'drive', clip_messages(Messages(), 8))
    params = tmp_path / 'params.yaml'
    params.write_text(
        '/robot/depth_node:\n  ros__parameters: {depth_encoding: 16UC1, max_range_m: 3.0}\n'
        '/**/alert_node:\n  ros__parameters: {source_timeout_s: 0.05}\n'
    )
    assert bag(source, '--out', tmp_path / 'out', '--params-file', params) == 0
    out = tmp_path / 'out' / 'drive'
    assert {m.encoding for m in decoded(out, '/camera/depth/image_rect')} == {'16UC1'}
    assert {m.max_range for m in decoded(out, '/camera/proximity/range')} == {3.0}
    # Pictures come every 0.1 s.
    assert 3 in {m.data for m in decoded(out, '/camera/alert/level')}


def test_the_cost_is_estimated_without_writing(
    tmp_path: Path, bag: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_bag(tmp_path / 'drive', clip_messages(Messages(), 8))
    assert bag(source, '--estimate', '--price', 0.05) == 0
    shown = capsys.readouterr().out
    assert '8 pictures;' in shown and 'core-hours' in shown and 'costs 0.00' in shown


def test_object_storage(tmp_path: Path, bag: Callable[..., int]) -> None:
    import fsspec

    source = write_bag(tmp_path / 'drive', clip_messages(Messages(), 6))
    assert bag(source, '--out', tmp_path / 'out') == 0
    store = fsspec.filesystem('memory')
    store.put(str(source), '/bags/drive', recursive=True)
    assert bag('memory://bags', '--out', 'memory://depth') == 0
    copy = tmp_path / 'copy'
    store.get('/depth/drive', str(copy), recursive=True)
    mine, others = files(tmp_path / 'out' / 'drive'), files(copy)
    for found in (mine, others):
        del found['metadata.yaml']  # names the original
    assert mine == others
    store.rm('/', recursive=True)


def replayed(*rows: PictureRow, clock: str = 'recorded') -> list[tuple[float, str]]:
    """Return when and what the alert said, in seconds after the first picture."""
    replay = AlertReplay(AlertConfig(release_count=1), 10**9, clock)
    changes = [change for row in rows for change in replay.hear(row)]
    return [((c.time_ns - 10**9) / 1e9, c.state.split(':')[0]) for c in changes]


def row(time_s: float, distance_m: float, stamp_s: float | None = None) -> PictureRow:
    time_ns = 10**9 + round(time_s * 1e9)
    stamp_ns = time_ns if stamp_s is None else 10**9 + round(stamp_s * 1e9)
    known = {} if np.isnan(distance_m) else {'range_m': distance_m, 'range_max_m': 10.0}
    share = float('nan') if np.isnan(distance_m) else 0.0
    return PictureRow(
        '/c', time_ns, stamp_ns, stamp_ns, proximity=share, range_variance_m2=0.01, **known
    )


def test_the_alert_lives_in_the_time_of_the_recording() -> None:
    far = [row(0.1 * index, 5.0) for index in range(5)]
    told = replayed(*far, row(3.0, 5.0))
    assert told[:2] == [(0.0, 'STOP'), (0.0, 'CLEAR')]
    # source_timeout_s is 0.5 s, and the heartbeat has 25 Hz.
    assert told[2][1] == 'STALE' and 0.9 < told[2][0] <= 0.9 + 0.081
    assert told[3] == (3.0, 'CLEAR')


def test_an_unknown_distance_stops() -> None:
    assert replayed(row(0.0, 5.0), row(0.1, float('nan')))[-1] == (0.1, 'STOP')


def test_a_growing_picture_stops() -> None:
    rows = [row(0.1 * index, 5.0) for index in range(6)]
    growing = [*rows[:3], *(replace(each, time_to_collision_s=0.3) for each in rows[3:])]
    assert replayed(*rows)[-1] == (0.0, 'CLEAR')
    assert replayed(*growing)[-1][1] == 'STOP'


def test_stamps_can_be_the_clock_of_the_alert() -> None:
    rows = [row(0.1 * index, 5.0, 1000 + 0.1 * index) for index in range(3)]
    assert [state for _, state in replayed(*rows)] == ['STOP', 'STALE']
    assert replayed(*rows, clock='stamp')[-1] == (0.0, 'CLEAR')


def test_pictures_of_one_camera_are_preferred_raw_and_rectified(
    tmp_path: Path, bag: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    made = Messages()
    content = list(clip_messages(made, 3, raw=True, size=(64, 48)))
    content += clip_messages(made, 3)
    for _, time_ns, kind, message in [m for m in content if m[2] == IMAGE]:
        content.append(('/camera/image_raw', time_ns, kind, message))
        depth = made.image(0, np.ones((4, 4), np.float32), '32FC1')
        content.append(('/depth_camera/image_rect', time_ns, kind, depth))
    content.sort(key=lambda m: m[1])
    source = write_bag(tmp_path / 'drive', content)
    assert bag(source, '--out', tmp_path / 'out') == 0
    rows = parquet.read_table(tmp_path / 'out' / 'drive' / 'pictures.parquet').to_pylist()
    assert {row['topic'] for row in rows} == {'/camera/image_rect'}
    assert json.loads((tmp_path / 'out' / 'drive' / 'run.json').read_text())['pictures'] == 3
