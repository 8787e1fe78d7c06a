# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
import shutil

from fcrn_depth_ros.ros.picture_loss import (
    Machine,
    picture_problem,
    PictureTraffic,
    RecentTraffic,
    Sender,
    sender_of,
    this_machine,
)
import pytest

FAST_HERE = bytes.fromhex('010f78fdd2615fbc0000000000001303')
FAST_HERE_TOO = bytes.fromhex('010f78fdd36148d70000000000001503')
FAST_ELSEWHERE = bytes.fromhex('010f78fed36148d70000000000001503')
CYCLONE = bytes.fromhex('011078fdd36148d70000000000001503')
NO_DDS = bytes.fromhex('a7c878fdd36148d70000000000001503')

GOOD = PictureTraffic('/image', False, 100, 0, 100, (Sender.THIS_MACHINE,))
WIDE = Machine(True, 4194304, 64.0, 'PROFILES')
NARROW = replace(WIDE, receive_buffer_bytes=4194303)


@pytest.mark.parametrize(
    ('publisher', 'own', 'sender'),
    [
        (FAST_HERE, FAST_HERE_TOO, Sender.THIS_MACHINE),
        (FAST_ELSEWHERE, FAST_HERE_TOO, Sender.OTHER_MACHINE),
        (CYCLONE, FAST_HERE, Sender.OTHER_MIDDLEWARE),
        (FAST_HERE, CYCLONE, Sender.OTHER_MIDDLEWARE),
        (CYCLONE, CYCLONE, Sender.UNKNOWN),
        (NO_DDS, NO_DDS, Sender.UNKNOWN),
        (FAST_HERE, b'', Sender.UNKNOWN),
    ],
)
def test_where_a_publisher_is(publisher: bytes, own: bytes, sender: Sender) -> None:
    assert sender_of(publisher, own) is sender


@pytest.mark.parametrize(
    ('received', 'lost', 'is_problem'),
    [
        (100, 0, False),
        (0, 2, True),  # not for the two: nothing arrives
        (1, 2, False),
        (1, 3, True),
        (57, 3, True),
        (58, 3, False),
    ],
)
def test_how_many_lost_pictures_are_a_problem(received: int, lost: int, is_problem: bool) -> None:
    traffic = replace(GOOD, received=received, lost=lost)
    assert bool(picture_problem(traffic, WIDE)) is is_problem


@pytest.mark.parametrize(
    ('received', 'is_fast_dds', 'is_problem'),
    [(7, False, True), (8, False, False), (7, True, False)],
)
def test_a_middleware_that_counts_no_loss_is_compared_with_camera_info(
    received: int, is_fast_dds: bool, is_problem: bool
) -> None:
    traffic = replace(GOOD, received=received, infos_received=10)
    problem = picture_problem(traffic, replace(WIDE, is_fast_dds=is_fast_dds))
    assert ('10 camera_info arrived, but 7 pictures' in problem) is is_problem


def test_lost_pictures_are_counted() -> None:
    problem = picture_problem(replace(GOOD, received=57, lost=3), WIDE)
    assert problem.startswith('3 of the last 60 pictures on /image were lost in transport; ')


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({'senders': ()}, 'nobody publishes /image; check the camera driver'),
        (
            {'senders': (), 'other_topic': '/image/compressed'},
            '/image/compressed is published: set image_transport to compressed',
        ),
        (
            {'senders': (), 'other_topic': '/image', 'is_compressed': True},
            '/image is published: set image_transport to raw',
        ),
        ({}, 'camera_info arrives, but no picture on /image'),
        ({'infos_received': 0}, 'check that the driver sends, and the QoS'),
    ],
)
def test_silence_has_several_causes(changes: dict[str, object], text: str) -> None:
    assert text in picture_problem(replace(GOOD, received=0, **changes), WIDE)


@pytest.mark.parametrize(
    ('sender', 'machine', 'named', 'not_named'),
    [
        (Sender.THIS_MACHINE, NARROW, ['PROFILES', 'compressed'], ['rmem_max', '/dev/shm']),
        (Sender.OTHER_MACHINE, NARROW, ['from 4194303 to', 'compressed'], ['PROFILES']),
        (Sender.OTHER_MACHINE, WIDE, ['compressed'], ['rmem_max', 'PROFILES']),
        (Sender.OTHER_MIDDLEWARE, WIDE, ['RMW_IMPLEMENTATION', 'compressed'], ['PROFILES']),
        (Sender.UNKNOWN, NARROW, ['PROFILES', 'rmem_max'], ['/dev/shm']),
        (Sender.UNKNOWN, replace(NARROW, is_fast_dds=False), ['rmem_max'], ['PROFILES']),
        (
            Sender.THIS_MACHINE,
            replace(WIDE, shared_memory_free_mb=17.4),
            ['/dev/shm has 17 MB', '--shm-size', 'FCRN_DEPTH_SHARED_MEMORY_MB'],
            [],
        ),
        (Sender.THIS_MACHINE, replace(WIDE, shared_memory_free_mb=17.5), [], ['/dev/shm']),
        (Sender.UNKNOWN, Machine(True, None, None, 'PROFILES'), [], ['rmem_max', '/dev/shm']),
    ],
)
def test_the_remedy_fits(
    sender: Sender, machine: Machine, named: list[str], not_named: list[str]
) -> None:
    problem = picture_problem(replace(GOOD, received=1, lost=9, senders=(sender,)), machine)
    assert all(word in problem for word in named)
    assert not any(word in problem for word in not_named)


def test_compressed_pictures_need_not_be_compressed() -> None:
    traffic = replace(GOOD, is_compressed=True, received=1, lost=9)
    here = picture_problem(traffic, WIDE)
    assert 'set image_transport' not in here and 'smaller pictures' not in here
    far = picture_problem(replace(traffic, senders=(Sender.OTHER_MACHINE,)), WIDE)
    assert 'set image_transport' not in far and 'smaller pictures' in far
    other = replace(WIDE, is_fast_dds=False)
    assert picture_problem(traffic, other).endswith('see docs/transport.md')


def test_the_limits_of_this_machine() -> None:
    machine = this_machine(is_fast_dds=True)
    assert machine.profiles_variable.endswith('_PROFILES_FILE')
    free_mb = shutil.disk_usage('/dev/shm').free / 2**20
    assert machine.shared_memory_free_mb == pytest.approx(free_mb, rel=0.5)


def test_only_the_last_five_seconds_count() -> None:
    recent = RecentTraffic()
    assert [recent.add(now_s, (int(now_s),)) for now_s in (0.0, 1.0, 4.9)] == [None] * 3
    assert recent.add(5.0, (7,)) == (7,)
    assert recent.add(6.0, (9,)) == (8,)
    assert recent.add(60.0, (100,)) == (91,)
    recent.restart()
    assert recent.add(61.0, (100,)) is None
