# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
One piece of training on a machine that is lent for minutes and reaches nothing.

    python -m training.piece CARRIED --minutes 8.8 --out RESULTS [--plan FILE]

CARRIED holds train.pack, val.pack, the encoder_*.pt of training.encoders and, to go on, the
results of an earlier piece in CARRIED/results. The stages of the plan (piece.yaml) are done one
after the other in RUNS (.piece_runs); a stage that is complete is not done again, one that is not
goes on from its checkpoint. RESULTS receives at most eight files of 16 MiB: logs.zip with
configuration, log and figures of every stage, the averaged weights of what is complete, and the
checkpoint of what is not; files that were cut end in .0, .1 and so on.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
import importlib.util
import os
from pathlib import Path
import shutil
import subprocess
import sys
import threading
import time
import traceback
from typing import Any
import zipfile

import torch
import yaml

from . import checkpoints
from .augment import SampleStore
from .check import FLOOR_SHOWN, SHOWN, table
from .checking import check_all
from .network import FcrnLite, MeanOfNetworks
from .pack import Frames, frames_of_scenes, read_pack
from .runs import load_mean, read_config, save_average
from .train import Machine, train, Trainer

PLAN = Path(__file__).with_name('piece.yaml')
RUNS = Path('.piece_runs')
MOST_FILES, MOST_FILE_BYTES, MOST_BYTES = 8, 16 * 2**20, 63 * 2**20
SPARE_MINUTES = 0.25  # for the figures and the results
SCENES_AT_ONCE = 8  # taken in between two steps
AVERAGE = 'average.pt'


class SceneReader(threading.Thread):
    """
    Reads scenes that another program renders as they appear, beside the training.

    Parameters
    ----------
    folders : mapping of str to Path
        Source name -> folder that its scenes appear in.

    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        super().__init__(daemon=True)
        self._folders = folders
        self._known: set[Path] = set()
        self._ready: list[Frames] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.frames = 0

    def run(self) -> None:
        """Read until stopped."""
        while not self._stopped.wait(1.0):
            for source, folder in self._folders.items():
                self.read_new(source, folder)

    def read_new(self, source: str, folder: Path) -> None:
        """Read the scenes that have appeared in a folder since the last time."""
        names = sorted(
            path.parent for path in folder.glob('rooms/[!.]*/camera.json')
            if path.parent not in self._known
        )  # fmt: skip
        for start in range(0, len(names), SCENES_AT_ONCE):
            some = names[start : start + SCENES_AT_ONCE]
            entry = {'name': source, 'rendered': True}
            found = frames_of_scenes(folder, [str(p.relative_to(folder)) for p in some], entry)
            self._known.update(some)
            if found is not None:
                with self._lock:
                    self._ready.append(found)

    def refill(self, store: SampleStore) -> None:
        """Hand over what was read."""
        with self._lock:
            ready, self._ready = self._ready, []
        for frames in ready:
            store.add(frames)
            self.frames += len(frames)

    def stop(self) -> None:
        """Let the thread end."""
        self._stopped.set()


def start_renders(plan: Mapping[str, Any], runs: Path) -> list[subprocess.Popen[bytes]]:
    """Start rendering, one process a source; nothing where mujoco is missing."""
    if importlib.util.find_spec('mujoco') is None:
        print('no mujoco: the renders of the pack must do', flush=True)
        return []
    processes = []
    for render in plan.get('renders', []):
        command = [
            sys.executable, '-m', 'simulation.render_dataset', '--out',
            str(runs / 'renders' / render['source']), '--scenes', '100000', '--frames-per-scene',
            '4', '--workers', str(render['workers']), *map(str, render['options']),
        ]  # fmt: skip
        (runs / 'renders' / render['source']).mkdir(parents=True, exist_ok=True)
        log = (runs / 'renders' / f'{render["source"]}.log').open('wb')
        processes.append(
            subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env={**os.environ, 'OMP_NUM_THREADS': '1'},
                start_new_session=True,
            )
        )
    return processes


def stage_config(stage: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a stage."""
    paths = [Path(__file__).with_name(name) for name in stage.get('config', [])]
    config: dict[str, Any] = read_config(*paths) | stage.get('settings', {})
    return config | ({'encoder': stage['encoder']} if 'encoder' in stage else {})


def stage_minutes(stages: Sequence[Mapping[str, Any]], done: int, left: float) -> float:
    """Return the share of the minutes that are left which stage `done` may take."""
    total = sum(stage['minutes'] for stage in stages[done:])
    return float(left * stages[done]['minutes'] / total)


def is_complete(folder: Path) -> bool:
    """Return whether a stage has left its average."""
    return (folder / AVERAGE).exists() and (folder / 'config.yaml').exists()


def teacher_of(stage: Mapping[str, Any], runs: Path) -> FcrnLite | MeanOfNetworks | None:
    """Return the mean of the teachers of a stage that are complete; None without one."""
    folders = [runs / name for name in stage.get('teachers', []) if is_complete(runs / name)]
    return load_mean([str(folder) for folder in folders])[0] if folders else None


def run_stage(
    stage: Mapping[str, Any],
    frames: Frames,
    validation: Frames | None,
    carried: Path,
    runs: Path,
    machine: Machine,
    minutes: float,
    reader: SceneReader | None = None,
) -> bool:
    """Do one stage or a part of it, and return whether it is complete."""
    began, folder = time.monotonic(), runs / stage['name']
    config = stage_config(stage)
    while True:
        try:
            store = SampleStore(frames, config, machine.device)
            trainer = Trainer(
                config, store, machine, encoders=carried, teacher=teacher_of(stage, runs)
            )
            complete = train(
                trainer, None, folder, minutes, began=began, fill=stage.get('fill', True),
                refill=reader.refill if reader else None,
            )  # fmt: skip
            break
        except torch.cuda.OutOfMemoryError:
            if config['batch_size'] < 8:
                raise
            config['batch_size'] //= 2
            print(f'{stage["name"]}: out of memory, on with {config["batch_size"]}', flush=True)
            torch.cuda.empty_cache()
    if not complete:
        checkpoints.save_parts(trainer.state(), folder)
        return False
    if validation is not None:
        results = check_all(trainer.average, validation, config, machine.device)
        text = f'{table(results, SHOWN)}\n\n{table(results, FLOOR_SHOWN)}\n'
        (folder / 'figures.md').write_text(text)
        print(stage['name'], text, sep='\n', flush=True)
    save_average(trainer.average, folder / AVERAGE)
    return True


def collect(stages: Sequence[Mapping[str, Any]], runs: Path, out: Path) -> list[str]:
    """
    Copy what is worth it, within the limits on what comes back, and return what was left out.

    The later a stage, the more it is wanted: teachers can be trained again.
    """
    out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out / 'logs.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(runs.glob('*/*')):
            if path.suffix in ('.yaml', '.csv', '.md', '.log', '.json'):
                archive.write(path, path.relative_to(runs))
    room, files = MOST_BYTES - (out / 'logs.zip').stat().st_size, MOST_FILES - 1
    left_out = []
    for stage in reversed(stages):
        folder = runs / stage['name']
        if is_complete(folder):
            content = (folder / AVERAGE).read_bytes()
            size = MOST_FILE_BYTES - 2**16
            parts = {
                f'{stage["name"]}.{AVERAGE}.{number}': content[start : start + size]
                for number, start in enumerate(range(0, len(content), size))
            }
        else:
            parts = {
                f'{stage["name"]}.{path.name}': path.read_bytes()
                for path in sorted(folder.glob('checkpoint.*'))
                if path.suffix != '.pt'
            }
        if not parts:
            continue
        total = sum(map(len, parts.values()))
        if len(parts) > files or total > room:
            left_out.append(stage['name'])
            continue
        for name, part in parts.items():
            (out / name).write_bytes(part)
        room, files = room - total, files - len(parts)
    return left_out


def unpack(results: Path, runs: Path) -> list[str]:
    """
    Lay the results of an earlier piece out as runs, and return the names of the stages.

    Runs that are there already are kept.
    """
    with zipfile.ZipFile(results / 'logs.zip') as archive:
        names = sorted({name.split('/')[0] for name in archive.namelist()})
        stages = [name for name in names if not (runs / name).exists()]
        for member in archive.namelist():
            if member.split('/')[0] in stages:
                archive.extract(member, runs)
    for stage in stages:
        parts = sorted(results.glob(f'{stage}.{AVERAGE}.*'), key=lambda path: int(path.suffix[1:]))
        if parts:
            content = b''.join(path.read_bytes() for path in parts)
            (runs / stage / AVERAGE).write_bytes(content)
        for path in results.glob(f'{stage}.checkpoint.*'):
            shutil.copy(path, runs / stage / path.name.removeprefix(f'{stage}.'))
    return stages


def do_piece(
    carried: Path, out: Path, runs: Path, plan: Mapping[str, Any], minutes: float, device: str
) -> bool:
    """Do what the plan asks for and the minutes allow; return whether all of it is complete."""
    began = time.monotonic()

    def left() -> float:
        return minutes - SPARE_MINUTES - (time.monotonic() - began) / 60

    runs.mkdir(parents=True, exist_ok=True)
    if (carried / 'results').is_dir():
        print('going on from', ', '.join(unpack(carried / 'results', runs)), flush=True)
    machine = Machine.choose(device)
    renders = start_renders(plan, runs)
    frames = read_pack(carried / 'train.pack', threads=os.cpu_count() or 4)
    validation = None
    if (carried / 'val.pack').exists():
        validation = read_pack(carried / 'val.pack', threads=os.cpu_count() or 4)
    print(f'{machine}: {len(frames)} frames after {minutes - left() - SPARE_MINUTES:.2f} minutes',
          flush=True)  # fmt: skip
    reader = None
    if renders:
        reader = SceneReader({each['source']: runs / 'renders' / each['source']
                              for each in plan['renders']})  # fmt: skip
        reader.start()
    stages = plan['stages']
    try:
        for number, stage in enumerate(stages):
            if is_complete(runs / stage['name']):
                continue
            share = stage_minutes(stages, number, left())
            if share <= 0:
                break
            print(f'{stage["name"]}: {share:.2f} minutes', flush=True)
            try:
                done = run_stage(stage, frames, validation, carried, runs, machine, share, reader)
            except Exception:
                # A stage that fails must not take the others with it: the machine is lent once.
                (runs / stage['name']).mkdir(exist_ok=True)
                (runs / stage['name'] / 'failure.log').write_text(traceback.format_exc())
                traceback.print_exc()
                continue
            if reader:
                print(f'{reader.frames} rendered frames taken in', flush=True)
            if not done:
                break
    finally:
        if reader:
            reader.stop()
        for process in renders:
            os.killpg(process.pid, 15)
        left_out = collect(stages, runs, out)
    for path in sorted(out.iterdir()):
        print(f'{path.stat().st_size / 2**20:6.2f} MiB  {path.name}')
    if left_out:
        print('left out, too large:', ', '.join(left_out))
    print(f'{(time.monotonic() - began) / 60:.2f} minutes', flush=True)
    return all(is_complete(runs / stage['name']) for stage in stages)


def travelling_bytes(carried: Path) -> int:
    """Return the size of a checkout and a carried folder in it, as they would be copied."""
    listed = subprocess.run(
        ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    paths = {Path(os.fsdecode(name)) for name in listed.split(b'\0') if name}
    paths |= {path for path in carried.rglob('*') if path.is_file()}
    return sum(path.stat().st_size for path in paths if path.is_file())


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='One piece of training on a lent machine.')
    parser.add_argument('carried', type=Path)
    parser.add_argument('--minutes', type=float, default=8.8, help='in all (default 8.8)')
    parser.add_argument('--out', type=Path, help='results')
    parser.add_argument('--runs', type=Path, default=RUNS)
    parser.add_argument('--plan', type=Path, default=PLAN)
    parser.add_argument('--device', choices=('auto', 'cpu', 'cuda'), default='auto')
    parser.add_argument('--threads', type=int, help='of the CPU')
    parser.add_argument('--size', action='store_true', help='print what would travel, and end')
    parser.add_argument('--unpack', action='store_true', help='lay results out as runs, and end')
    arguments = parser.parse_args()
    if arguments.size:
        print(f'{travelling_bytes(arguments.carried) / 2**20:.1f} MiB')
        return
    if arguments.unpack:
        print(*unpack(arguments.carried, arguments.runs), sep='\n')
        return
    if arguments.out is None:
        parser.error('--out is needed')
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    plan = yaml.safe_load(arguments.plan.read_text())
    complete = do_piece(
        arguments.carried, arguments.out, arguments.runs, plan, arguments.minutes, arguments.device
    )
    print('complete' if complete else 'to be continued')


if __name__ == '__main__':
    main()
