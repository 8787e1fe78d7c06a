# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""One slot between the subscription and the worker: the newest frame wins."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Frame = TypeVar('Frame')


class FrameMailbox(Generic[Frame]):
    """A slot that holds one frame; thread-safe."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._frame: Frame | None = None
        self._closed = False

    def put(self, frame: Frame) -> bool:
        """
        Leave a frame for the worker.

        Parameters
        ----------
        frame : object
            The newest frame.

        Returns
        -------
        bool
            True where it replaced a frame that nobody had taken.

        """
        with self._condition:
            replaced = self._frame is not None
            self._frame = frame
            self._condition.notify()
            return replaced

    def take(self) -> Frame | None:
        """
        Wait for a frame.

        Returns
        -------
        object or None
            The newest frame; None once the mailbox is closed.

        """
        with self._condition:
            self._condition.wait_for(lambda: self._frame is not None or self._closed)
            frame, self._frame = self._frame, None
            return None if self._closed else frame

    def close(self) -> bool:
        """
        End every wait.

        Returns
        -------
        bool
            True where a frame was left that nobody will take.

        """
        with self._condition:
            self._closed = True
            self._condition.notify_all()
            return self._frame is not None
