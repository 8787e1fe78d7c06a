# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A progress bar on stderr."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import sys
import time
from typing import TypeVar

Item = TypeVar('Item')

_WIDTH = 30


def track(items: Sequence[Item], label: str) -> Iterator[Item]:
    """
    Yield the items and show how many are done and how long the rest will take.

    Parameters
    ----------
    items : sequence
        Anything with a length.
    label : str
        Stands before the bar.

    Yields
    ------
    item
        In order. Nothing is shown where stderr is not a terminal.

    """
    shows = sys.stderr.isatty()
    start = time.monotonic()
    for done, item in enumerate(items):
        yield item
        if shows:
            share = (done + 1) / len(items)
            left_s = (time.monotonic() - start) / share * (1 - share)
            bar = ('#' * round(share * _WIDTH)).ljust(_WIDTH, '.')
            sys.stderr.write(f'\r{label} [{bar}] {done + 1}/{len(items)}, {left_s:.0f} s left  ')
            sys.stderr.flush()
    if shows and len(items):
        sys.stderr.write('\n')
