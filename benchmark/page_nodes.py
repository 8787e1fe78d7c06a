# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The nodes behind the page, each a process with its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
import re
import shutil
import subprocess
import sys

from .processes import ROOT, TrialError


@contextmanager
def running_node(
    name: str,
    parameters: Sequence[str],
    environment: dict[str, str],
    folder: Path,
    namespace: str = '/',
) -> Iterator[subprocess.Popen[bytes]]:
    """
    Start a node, and end it at the end of the block.

    Parameters
    ----------
    name : str
        Of the executable.
    parameters : sequence of str
        As for `-p`.
    environment : dict
        Of the process.
    folder : Path
        Its output goes to a file there; that of the dashboard, which tells its address, to a pipe.
    namespace : str
        Of the node.

    Yields
    ------
    subprocess.Popen
        The process.

    """
    words = [word for parameter in parameters for word in ('-p', parameter)]
    with (folder / f'{name}.log').open('wb') as log:
        process = subprocess.Popen(
            [sys.executable, '-m', f'fcrn_depth_ros.nodes.{name}', '--ros-args', *words]
            + ['-r', f'__ns:={namespace}'],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if name == 'dashboard' else log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def address_of_page(dashboard: subprocess.Popen[bytes]) -> str:
    """Return where the page is, once the dashboard has told it; TrialError where it ends."""
    assert dashboard.stdout is not None
    for line in dashboard.stdout:
        if found := re.search(rb'http\S+', line):
            return found[0].decode()
    raise TrialError('the dashboard must tell its address, got the end of its output')


def chromium() -> str | None:
    """Return where the browser is; None where there is none."""
    return next(filter(None, map(shutil.which, ('chromium', 'chromium-browser'))), None)
