# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from pathlib import Path

from benchmark import processes
import pytest

DEAF_TO_SIGNALS = """
import pathlib, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('ready', flush=True)
sys.stdin.read()
pathlib.Path(sys.argv[1]).write_text('ended by itself')
"""


def test_what_lives_until_its_input_closes_ends_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, 'END_LIMIT_S', 5.0)
    (tmp_path / 'deaf.py').write_text(DEAF_TO_SIGNALS)
    told = tmp_path / 'told'
    with processes.running(
        ['deaf', str(told)], {**os.environ, 'PYTHONPATH': str(tmp_path)}, tmp_path
    ) as process:
        assert process.answer(processes.START_LIMIT_S) == 'ready'
    assert told.read_text() == 'ended by itself'
