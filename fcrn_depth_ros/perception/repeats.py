# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Cameras that send the same picture again and again: a frozen driver or sensor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# This many bytes from all over the picture are compared first: they show the noise of a camera.
_SAMPLE_COUNT = 512


class RepeatWatch:
    """
    Count how often the latest picture has been repeated.

    A real camera's noise makes every picture differ; identical bytes come from a driver that
    hangs, or from a simulated camera without noise.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget every picture."""
        self._content: NDArray[np.uint8] | None = None
        self._repeats = 0
        self.first_stamp_ns = 0

    def update(self, content: bytes | bytearray | memoryview, stamp_ns: int) -> int:
        """
        Take the next picture.

        Parameters
        ----------
        content : bytes-like
            What the camera sent. It is kept, not copied, for the comparison with the next one,
            and must not change until then.
        stamp_ns : int
            Its stamp.

        Returns
        -------
        int
            0 for a picture that differs from the one before, else how many times it has come
            again. `first_stamp_ns` is the stamp of its first coming.

        """
        latest = np.frombuffer(content, np.uint8) if len(content) else np.empty(0, np.uint8)
        if self._content is not None and _are_equal(latest, self._content):
            self._repeats += 1
        else:
            self._repeats = 0
            self.first_stamp_ns = stamp_ns
        self._content = latest
        return self._repeats


def _are_equal(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    step = max(1, one.size // _SAMPLE_COUNT)
    return np.array_equal(one[::step], other[::step]) and np.array_equal(one, other)
