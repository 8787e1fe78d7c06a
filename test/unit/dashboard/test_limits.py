# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How often somebody may ask."""

from __future__ import annotations

from fcrn_depth_ros.dashboard.limits import BucketPerAddress, TokenBucket


def test_a_burst_passes_then_the_rate() -> None:
    bucket = TokenBucket(rate_hz=2.0, burst=3)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(100.49)
    assert bucket.take(100.51)
    assert not bucket.take(100.52)


def test_it_never_holds_more_than_the_burst() -> None:
    bucket = TokenBucket(rate_hz=2.0, burst=3)
    assert [bucket.take(1e6) for _ in range(4)] == [True, True, True, False]


def test_addresses_do_not_share() -> None:
    buckets = BucketPerAddress(rate_hz=1.0, burst=1)
    assert buckets.take('a', 1.0)
    assert not buckets.take('a', 1.0)
    assert buckets.take('b', 1.0)


def test_strangers_do_not_pile_up() -> None:
    buckets = BucketPerAddress(rate_hz=1.0, burst=1)
    for number in range(3000):
        buckets.take(str(number), 1.0)
    assert len(buckets._buckets) == 1000
