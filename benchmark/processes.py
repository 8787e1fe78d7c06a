# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The processes of a benchmark: in a DDS domain of their own, spoken to in lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import json
import os
from pathlib import Path
import random
import select
import signal
import subprocess
import sys
import time
from typing import Any

from fcrn_depth_ros.ros.transport import tune_fast_dds

from .node.usage import Usage, usage

ROOT = Path(__file__).resolve().parents[1]
START_LIMIT_S, END_LIMIT_S = 120.0, 30.0


class TrialError(Exception):
    """A trial that could not be run to its end."""


def own_environment(folder: Path, is_tuned: bool) -> dict[str, str]:
    """
    Return the environment of processes that meet nobody else.

    Parameters
    ----------
    folder : Path
        For their logs.
    is_tuned : bool
        Whether they get the transport of config/fastdds.xml, or that of Fast DDS.

    Returns
    -------
    dict
        Without what the shell says of transports.

    """
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('FASTDDS_', 'FASTRTPS_'))
    }
    variables |= {
        'PYTHONPATH': os.pathsep.join([str(ROOT), variables.get('PYTHONPATH', '')]),
        # Domains above 101 meet Linux's ephemeral ports; 0 to 9 are left to users.
        'ROS_DOMAIN_ID': str(random.SystemRandom().randint(10, 101)),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_LOG_DIR': str(folder),
    }
    if is_tuned:
        tune_fast_dds(variables)
    return variables


class Process:
    """
    A Python process that answers in lines.

    Parameters
    ----------
    command : sequence of str
        Module and arguments.
    variables : dict
        Its environment.
    folder : Path
        Its standard error goes to a file there.
    prefix : sequence of str
        A program that runs it, and that program's arguments.

    """

    def __init__(
        self,
        command: Sequence[str],
        variables: dict[str, str],
        folder: Path,
        prefix: Sequence[str] = (),
    ) -> None:
        self.name = command[0]
        self._log = folder / f'{self.name}.log'
        with self._log.open('wb') as log:
            self._process = subprocess.Popen(
                [*prefix, sys.executable, '-m', *command],
                env=variables,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.pid = self._process.pid
        self._said = b''

    def answer(self, limit_s: float) -> str:
        """Return the next line; fail where the process says nothing for so long, or has ended."""
        assert self._process.stdout is not None
        while b'\n' not in self._said:
            readable, _, _ = select.select([self._process.stdout], [], [], limit_s)
            more = os.read(self._process.stdout.fileno(), 1 << 16) if readable else b''
            if not more:
                raise TrialError(f'{self.name} must answer, got {self._failure()}')
            self._said += more
        line, _, self._said = self._said.partition(b'\n')
        return line.decode()

    def go(self) -> None:
        """Send the line that it waits for."""
        assert self._process.stdin is not None
        self._process.stdin.write(b'go\n')
        self._process.stdin.flush()

    def finish(self) -> Any:
        """Close its input and return the JSON that it answers with."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return json.loads(self.answer(END_LIMIT_S))

    def usage(self) -> Usage:
        """Return what it has used so far and holds now; fail where it has ended."""
        self.check()
        try:
            return usage(self.pid)
        except (KeyError, OSError) as error:
            # It ends at this moment; what is left of it holds no memory.
            raise TrialError(f'{self.name} must run, got {self._failure()}') from error

    def check(self) -> None:
        """Fail where it has ended."""
        if self._process.poll() is not None:
            raise TrialError(f'{self.name} must run, got {self._failure()}')

    def wait(self) -> int:
        """Wait for its end, and return the exit status."""
        try:
            return self._process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired as error:
            raise TrialError(f'{self.name} must end within {END_LIMIT_S:g} s') from error

    def await_start(self, *needed: Process) -> None:
        """Wait for its first line, as long as those run that it waits for."""
        deadline_s = time.monotonic() + START_LIMIT_S
        while True:
            for process in needed:
                process.check()
            try:
                self.answer(1.0)
                return
            except TrialError:
                self.check()
                if time.monotonic() > deadline_s:
                    raise

    def stop(self) -> None:
        """End it as a user would, and kill it where that does not help."""
        # Some live until their standard input closes.
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(END_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait()

    def _failure(self) -> str:
        last = self._log.read_text(errors='replace').strip().splitlines()[-1:]
        return f'exit status {self._process.poll()}: {" ".join(last) or "nothing on stderr"}'


@contextmanager
def running(
    command: Sequence[str],
    variables: dict[str, str],
    folder: Path,
    prefix: Sequence[str] = (),
) -> Iterator[Process]:
    """Start a process, and end it at the end of the block."""
    process = Process(command, variables, folder, prefix)
    try:
        yield process
    finally:
        process.stop()
