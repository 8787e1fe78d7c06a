# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What is published of the scale where it is news: changes, and words once a second."""

from __future__ import annotations

from collections.abc import Iterator

# What depth/scale/state means.
SCALE_STATES = {'unverified': 0, 'verified': 1, 'contradicted': 2}
# Numbers in depth/scale change with each picture; it is for people.
_TEXT_PERIOD_NS = 1_000_000_000

News = tuple[str, bool | int | str]


class ScaleNews:
    """What was published last of one camera's scale."""

    def __init__(self) -> None:
        self._verified: bool | None = None
        self._state = ''
        self._text_ns = 0

    def of(self, stamp_ns: int, verified: bool, state: str, text: object) -> Iterator[News]:
        """
        Take the scale of the next picture.

        Parameters
        ----------
        stamp_ns : int
            Of the picture.
        verified : bool
            Whether its metres can be relied on.
        state : str
            One of SCALE_STATES.
        text : object
            Says why; made a str only where it is published.

        Yields
        ------
        tuple
            Topic and `data` of each message.

        """
        if verified != self._verified:
            self._verified = verified
            yield 'proximity/scale_verified', verified
        is_new = state != self._state
        if is_new:
            self._state = state
            yield 'depth/scale/state', SCALE_STATES[state]
        if is_new or abs(stamp_ns - self._text_ns) >= _TEXT_PERIOD_NS:
            self._text_ns = stamp_ns
            yield 'depth/scale', str(text)

    def withdrawn(self) -> Iterator[News]:
        """Take back what late subscribers would still be told; yields as `of`."""
        if self._verified:
            yield 'proximity/scale_verified', False
        if self._state not in ('', 'unverified'):
            yield 'depth/scale/state', SCALE_STATES['unverified']
            yield 'depth/scale', 'unverified: no picture'
        self._verified, self._state = None, ''
