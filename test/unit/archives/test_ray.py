# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The same bags on a local Ray cluster of two worker processes, one of which is killed."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import signal
import threading
import time
from typing import Any

from bag_files import clip_messages, Messages, write_bag
from fcrn_depth_ros.__main__ import main
from fcrn_depth_ros.archives import running
from pyarrow import parquet
import pytest
import ray
from tiny_models import write_model

ROOT = Path(__file__).parents[3]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv('RAY_raylet_start_wait_time_s', '180')  # on a busy machine
    monkeypatch.setenv('RAY_ENABLE_UV_RUN_RUNTIME_ENV', '0')
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={'env_vars': {'PYTHONPATH': str(ROOT)}},
    )
    yield
    ray.shutdown()


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
def test_a_worker_that_is_killed_changes_nothing(
    tmp_path: Path, cluster: None, capsys: pytest.CaptureFixture[str]
) -> None:
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
        deadline = time.monotonic() + 120
        while not killed and time.monotonic() < deadline:
            busy = workers_at_work()
            if busy and list(work.glob('part_*.jsonl')):
                os.kill(busy[0], signal.SIGKILL)
                killed.append(busy[0])
            time.sleep(0.005)

    killer = threading.Thread(target=kill)
    killer.start()
    words = [*options, str(tmp_path / 'out'), str(tmp_path / 'in'), '--ray']
    assert main(words) == 1
    killer.join()
    assert killed
    shown = capsys.readouterr().out
    assert f'failed: {broken}: bag must be readable' in shown
    assert '1 of 2 bags' in shown
    assert files(tmp_path / 'out' / 'drive') == files(tmp_path / 'alone' / 'drive')


def test_every_worker_does_the_task_that_one_process_does() -> None:
    import inspect

    from fcrn_depth_ros.archives import ray_cluster

    source: Any = inspect.getsource(ray_cluster._estimate_or_merge)
    assert f'{running.do_task.__name__}(' in source
