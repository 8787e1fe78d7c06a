# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from fake_robots import wait_for
from fcrn_depth_ros.dashboard.mcap_file import LEAST_FREE_BYTES, McapFile, RawMessage
from fcrn_depth_ros.dashboard.recording import new_path
from fcrn_depth_ros.errors import ConfigurationError
from mcap.reader import make_reader
import pytest

TRUE = b'\x00\x01\x00\x00\x01'


def message(number: int = 0, data: bytes = TRUE) -> RawMessage:
    return RawMessage('/stop', 'std_msgs/msg/Bool', data, 1000 + number, 1000 + number)


def times_in(path: Path) -> list[int]:
    with path.open('rb') as file:
        return [found.log_time for _, _, found in make_reader(file).iter_messages()]


def test_what_is_put_in_can_be_read_once_it_is_closed(tmp_path: Path) -> None:
    file = McapFile(tmp_path / 'new' / 'x.mcap', 1000)
    for number in range(3):
        file.put(message(number))
    file.close()
    file.put(message(9))
    assert not file.is_open and not file.problem
    assert times_in(file.path) == [1000, 1001, 1002]
    with file.path.open('rb') as stream:
        schema, channel, found = next(make_reader(stream).iter_messages())
    assert schema is not None and schema.data == b'bool data\n'
    assert (schema.name, channel.message_encoding) == ('std_msgs/msg/Bool', 'cdr')
    assert found.data == TRUE


@pytest.mark.parametrize(('most', 'is_open'), [(15, True), (14, False)])
def test_it_ends_by_itself_at_its_limit(tmp_path: Path, most: int, is_open: bool) -> None:
    file = McapFile(tmp_path / 'x.mcap', most)
    for number in range(3):
        file.put(message(number))
    wait_for(lambda: file.messages == 3 and file.is_open == is_open, 'it ends, or not')
    file.close()
    assert times_in(file.path) == [1000, 1001, 1002]
    assert bool(file.problem) != is_open


def test_a_disk_that_fills_ends_it_with_the_reason(tmp_path: Path) -> None:
    free = [LEAST_FREE_BYTES]
    file = McapFile(tmp_path / 'x.mcap', 10**9, lambda folder: free[0])
    free[0] -= 1

    def put() -> bool:
        file.put(message())
        return not file.is_open

    wait_for(put, 'it ends')
    file.close()
    assert file.problem == 'less than 500 MB are free on the disk'
    assert times_in(file.path)


def test_a_disk_that_is_full_or_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match='less than 500 MB are free'):
        McapFile(tmp_path / 'x.mcap', 1000, lambda folder: LEAST_FREE_BYTES - 1)
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigurationError, match='recordings must be a folder'):
        McapFile(tmp_path / 'file' / 'x.mcap', 1000)
    (tmp_path / 'y.mcap').touch()
    with pytest.raises(ConfigurationError, match='File exists'):
        McapFile(tmp_path / 'y.mcap', 1000)


def test_what_the_disk_is_too_slow_for_is_counted_and_waits_for_nobody(tmp_path: Path) -> None:
    file = McapFile(tmp_path / 'x.mcap', 10**9)
    with file._change:  # the thread of the file gets nothing meanwhile
        file.put(message(data=bytes(64_000_000)))
        file.put(message(data=b'1'))
        file.put(message(data=b'2'))
    file.close()
    assert (file.messages, file.dropped) == (1, 2)


@pytest.mark.parametrize(
    ('namespace', 'name'),
    [
        ('/', '2026-11-27_03-04-05.mcap'),
        ('/a/b', 'a_b_2026-11-27_03-04-05.mcap'),
    ],
)
def test_a_file_is_named_for_robot_and_time(namespace: str, name: str) -> None:
    now = datetime(2026, 11, 27, 3, 4, 5)
    assert new_path(Path('/x'), namespace, now) == Path('/x') / name
