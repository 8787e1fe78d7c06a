# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How often somebody may ask: a bucket that fills at a steady rate. Time is an argument."""

from __future__ import annotations

from collections import OrderedDict

_MOST_STRANGERS = 1000


class TokenBucket:
    """
    Allow `rate_hz` on average and `burst` at once.

    Parameters
    ----------
    rate_hz : float
        Tokens that come in each second.
    burst : float
        Tokens that the bucket holds; it starts full.

    """

    def __init__(self, rate_hz: float, burst: float) -> None:
        self._rate_hz, self._burst = rate_hz, burst
        self._tokens, self._filled_s = burst, 0.0

    def take(self, now_s: float) -> bool:
        """Take one token at a steady time; False where none is left."""
        self._tokens = min(self._burst, self._tokens + (now_s - self._filled_s) * self._rate_hz)
        self._filled_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class BucketPerAddress:
    """
    One bucket for each address; those that were silent longest are forgotten first.

    Parameters
    ----------
    rate_hz, burst : float
        As for :class:`TokenBucket`.

    """

    def __init__(self, rate_hz: float, burst: float) -> None:
        self._rate_hz, self._burst = rate_hz, burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, address: str, now_s: float) -> bool:
        """Take one token of an address; False where none is left."""
        bucket = self._buckets.pop(address, None) or TokenBucket(self._rate_hz, self._burst)
        self._buckets[address] = bucket
        if len(self._buckets) > _MOST_STRANGERS:
            self._buckets.popitem(last=False)
        return bucket.take(now_s)
