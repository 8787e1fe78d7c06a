# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Start executables of this package beside this process, and take them down with it."""

from __future__ import annotations

from collections.abc import Sequence
import ctypes
import signal
import subprocess
import sys
import time

_GRACE_S = 5.0
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


class Processes:
    """Children that do not outlive this process."""

    def __init__(self) -> None:
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._interrupted: set[str] = set()

    def start(self, node: str, arguments: Sequence[str], log: int | None = None) -> None:
        """
        Start one executable of this package.

        Parameters
        ----------
        node : str
            Module of `nodes` that holds it.
        arguments : sequence of str
            Its command line.
        log : int or None
            File descriptor that takes its output; None leaves it on the terminal.

        """
        # A session of its own: Ctrl-C reaches this process only, which ends them in order.
        self._children[node] = subprocess.Popen(
            [sys.executable, '-m', f'fcrn_depth_ros.nodes.{node}', *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )

    def status(self, node: str) -> int | None:
        """Give the exit status of a child; None while it runs."""
        return self._children[node].poll()

    def interrupt(self, node: str) -> None:
        """Ask a child to end; asked again while it ends, Python would take it for a failure."""
        if self.status(node) is None and node not in self._interrupted:
            self._interrupted.add(node)
            # Not SIGINT: an interpreter that is still importing answers that with a traceback.
            self._children[node].send_signal(signal.SIGTERM)

    def stop_all(self) -> None:
        """End every child, by force where it does not listen."""
        for node in self._children:
            self.interrupt(node)
        deadline_s = time.monotonic() + _GRACE_S
        for child in self._children.values():
            try:
                child.wait(max(0.0, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
