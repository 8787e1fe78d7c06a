# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Identical pictures are counted, and one other byte anywhere ends the count."""

from __future__ import annotations

from array import array

from fcrn_depth_ros.perception.repeats import RepeatWatch
import numpy as np
import pytest

PICTURE = np.random.default_rng(0).integers(0, 256, 640 * 480 * 3, np.uint8).tobytes()


def test_repeats_are_counted_from_the_first_coming():
    watch = RepeatWatch()
    for repeats in range(4):
        # Equal bytes in memory of their own, as each message has.
        assert watch.update(array('B', PICTURE), stamp_ns=10 + repeats) == repeats
        assert watch.first_stamp_ns == 10
    assert watch.update(PICTURE[::-1], stamp_ns=20) == 0
    assert watch.first_stamp_ns == 20
    assert watch.update(PICTURE, stamp_ns=30) == 0


@pytest.mark.parametrize('position', [0, 1, 500_001, len(PICTURE) - 1])
def test_one_byte_makes_another_picture(position):
    other = bytearray(PICTURE)
    other[position] ^= 1
    watch = RepeatWatch()
    watch.update(memoryview(PICTURE), stamp_ns=1)
    assert watch.update(other, stamp_ns=2) == 0
    assert watch.update(bytes(other), stamp_ns=3) == 1


@pytest.mark.parametrize('other', [b'', PICTURE[:-1], PICTURE + b'\0'])
def test_another_length_is_another_picture(other):
    watch = RepeatWatch()
    watch.update(PICTURE, stamp_ns=1)
    assert watch.update(other, stamp_ns=2) == 0


@pytest.mark.parametrize('content', [b'', b'a', b'\0' * 511])
def test_short_content_repeats_too(content):
    watch = RepeatWatch()
    watch.update(content, stamp_ns=1)
    assert watch.update(content, stamp_ns=2) == 1


def test_the_first_picture_after_a_restart_repeats_nothing():
    watch = RepeatWatch()
    watch.update(PICTURE, stamp_ns=1)
    watch.restart()
    assert watch.update(PICTURE, stamp_ns=2) == 0
    assert watch.first_stamp_ns == 2
