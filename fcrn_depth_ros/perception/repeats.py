# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Cameras that send the same picture again and again: a frozen driver or sensor."""

from __future__ import annotations

import zlib


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
        self._checksum: int | None = None
        self._repeats = 0
        self.first_stamp_ns = 0

    def update(self, content: bytes | bytearray | memoryview, stamp_ns: int) -> int:
        """
        Take the next picture.

        Parameters
        ----------
        content : bytes-like
            What the camera sent; compared by CRC-32 (zlib).
        stamp_ns : int
            Its stamp.

        Returns
        -------
        int
            0 for a picture that differs from the one before, else how many times it has come
            again. `first_stamp_ns` is the stamp of its first coming.

        """
        checksum = zlib.crc32(content)
        if checksum == self._checksum:
            self._repeats += 1
        else:
            self._repeats = 0
            self.first_stamp_ns = stamp_ns
        self._checksum = checksum
        return self._repeats
