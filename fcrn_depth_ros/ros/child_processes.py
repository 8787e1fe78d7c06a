# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Start executables of this package beside this process, and take them down with it."""

from __future__ import annotations

from collections.abc import Sequence
import ctypes
from dataclasses import dataclass
import signal
import subprocess
import sys
import time

# The exit status of a node that refuses its settings: it would refuse them again.
UNUSABLE_SETTINGS = 2

_GRACE_S = 5.0
_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 30.0
# A child that ran this long before it ended had started well.
_STEADY_S = 60.0
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
        self._interrupted.discard(node)
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


@dataclass
class RestartPolicy:
    """
    Whether, and when, a child that ended unasked is started again.

    Attributes
    ----------
    most_in_a_row : int
        Restarts before the child is given up; a child that ran for a minute is counted anew.
    in_a_row : int
        Restarts so far.

    """

    most_in_a_row: int
    in_a_row: int = 0

    def delay_after(self, status: int, ran_s: float) -> float | None:
        """
        Decide what follows an end.

        Parameters
        ----------
        status : int
            Exit status; negative where a signal ended it.
        ran_s : float
            How long the child ran, in seconds.

        Returns
        -------
        float or None
            Seconds until the next start, doubled each time; None where there is none.

        """
        if ran_s >= _STEADY_S:
            self.in_a_row = 0
        if status == UNUSABLE_SETTINGS or self.in_a_row >= self.most_in_a_row:
            return None
        self.in_a_row += 1
        return min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0 ** (self.in_a_row - 1))


class SupervisedProcess:
    """
    One child that is started again as its policy says.

    Parameters
    ----------
    processes : Processes
        Starts it.
    node : str
        Module of `nodes` that holds it.
    arguments : sequence of str
        Its command line.
    policy : RestartPolicy
        Of this child alone.

    """

    def __init__(
        self, processes: Processes, node: str, arguments: Sequence[str], policy: RestartPolicy
    ) -> None:
        self._processes = processes
        self._node = node
        self._arguments = arguments
        self._policy = policy
        self._due_s: float | None = None
        self._start()

    def look_after(self, now_s: float) -> int | None:
        """
        Start the child again where that is due.

        Parameters
        ----------
        now_s : float
            Steady time.

        Returns
        -------
        int or None
            Its exit status once it has ended for good.

        """
        if self._due_s is not None:
            if now_s >= self._due_s:
                self._start()
            return None
        status = self._processes.status(self._node)
        if status is None:
            return None
        delay_s = self._policy.delay_after(status, now_s - self._started_s)
        if delay_s is None:
            self._report(status, 'it is not started again, its last lines above say why')
            return status
        self._due_s = now_s + delay_s
        self._report(
            status,
            f'restart {self._policy.in_a_row} of {self._policy.most_in_a_row} in {delay_s:g} s',
        )
        return None

    def _start(self) -> None:
        self._due_s = None
        self._started_s = time.monotonic()
        self._processes.start(self._node, self._arguments)

    def _report(self, status: int, what_next: str) -> None:
        ending = (
            f'signal {-status} ({signal.strsignal(-status)})'
            if status < 0
            else f'exit status {status}'
        )
        print(
            f'error: {self._node} must run to the end, got {ending}; {what_next}',
            file=sys.stderr,
            flush=True,
        )


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
