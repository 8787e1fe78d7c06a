# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The same bags on a local Ray cluster of two worker processes, one of which is killed."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from bag_files import clip_messages, Messages, write_bag
from fcrn_depth_ros.__main__ import main
from fcrn_depth_ros.archives import running
from pyarrow import parquet
import pytest
import ray  # noqa: F401  skips the module where it is missing
from tiny_models import write_model

ROOT = Path(__file__).parents[3]


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start a cluster of two workers, and return its address."""
    # A busy machine starts Ray's agents too slowly; where their ports are given, nobody waits.
    sockets = [socket.socket() for _ in range(5)]
    for each in sockets:
        each.bind(('127.0.0.1', 0))
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    names = (
        '--port',
        '--dashboard-agent-listen-port',
        '--dashboard-agent-grpc-port',
        '--metrics-export-port',
        '--runtime-env-agent-port',
    )
    words = [word for pair in zip(names, ports, strict=True) for word in pair]
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    monkeypatch.setenv('RAY_AUTH_MODE', 'token')
    monkeypatch.setenv('RAY_AUTH_TOKEN', secrets.token_hex(32))
    command = [sys.executable, '-m', 'ray.scripts.scripts', 'start', '--head', '--block']
    command += ['--num-cpus', '2', '--include-dashboard=false', '--disable-usage-stats', *words]
    log = tmp_path / 'ray.log'
    # Short: the paths of Ray's sockets must not be long.
    with tempfile.TemporaryDirectory(dir='/tmp', ignore_cleanup_errors=True) as folder:
        with (
            log.open('wb') as output,
            subprocess.Popen(
                [*command, '--temp-dir', folder], stdout=output, stderr=output
            ) as cluster,
        ):
            deadline = time.monotonic() + 180
            while b'block forever' not in log.read_bytes():
                assert cluster.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
            yield f'127.0.0.1:{ports[0]}'
            cluster.send_signal(signal.SIGTERM)


def files(folder: Path) -> dict[str, bytes]:
    table = parquet.read_table(folder / 'pictures.parquet').drop_columns('inference_ms')
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    found['pictures.parquet'] = repr(table.to_pylist()).encode()
    return found


def workers_at_work() -> list[int]:
    """List the processes of Ray that do one of our tasks now."""
    found = []
    for process in Path('/proc').glob('[0-9]*'):
        try:
            name = (process / 'cmdline').read_bytes()
        except OSError:
            continue
        if name.startswith(b'ray::_estimate_or_merge'):
            found.append(int(process.name))
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore')
def test_a_worker_that_is_killed_changes_nothing(tmp_path: Path, address: str) -> None:
    source = write_bag(tmp_path / 'in' / 'drive', clip_messages(Messages(), 60))
    broken = write_bag(tmp_path / 'in' / 'rotten', clip_messages(Messages(), 5))
    content = bytearray((broken / 'rotten.mcap').read_bytes())
    content[60:5000] = b'\xff' * 4940
    (broken / 'rotten.mcap').write_bytes(content)
    options = ['bag', '--model', str(write_model(tmp_path / 'tiny.onnx'))]
    options += ['--segment-seconds', '0.4', '--out']
    assert main([*options, str(tmp_path / 'alone'), str(source)]) == 0
    killed: list[int] = []
    work = tmp_path / 'out' / 'drive' / 'work'

    def kill() -> None:
        deadline = time.monotonic() + 60
        while not killed and time.monotonic() < deadline:
            busy = workers_at_work()
            if busy and list(work.glob('part_*.jsonl')):
                os.kill(busy[0], signal.SIGKILL)
                killed.append(busy[0])
            time.sleep(0.005)

    killer = threading.Thread(target=kill)
    killer.start()
    words = [*options, str(tmp_path / 'out'), str(tmp_path / 'in'), '--ray', address]
    # A process of its own: ray, which this one has imported, reads its token once.
    command = [sys.executable, '-m', 'fcrn_depth_ros', *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    killer.join()
    shown = ended.stdout
    assert ended.returncode == 1, ended.stderr
    assert killed
    assert f'failed: {broken}: bag must be readable' in shown
    assert '1 of 2 bags' in shown
    assert files(tmp_path / 'out' / 'drive') == files(tmp_path / 'alone' / 'drive')


def test_every_worker_does_the_task_that_one_process_does() -> None:
    import inspect

    from fcrn_depth_ros.archives import ray_cluster

    source: Any = inspect.getsource(ray_cluster._estimate_or_merge)
    assert f'{running.do_task.__name__}(' in source
