# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Train `fcrn_lite`.

    python -m training.train --data RGBD_FOLDER --data ROOMS_FOLDER --out RUN [--config FILE]

RUN receives config.yaml, log.csv, curves.png and checkpoint.pt (network, its moving average,
optimiser, epoch). The same command again goes on where it stopped.
"""

from __future__ import annotations

import argparse
import copy
import csv
from datetime import datetime
import math
from pathlib import Path
import tempfile
import time
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import distributed, multiprocessing, nn
from tqdm import tqdm
import yaml

from .checking import check_all
from .data import epoch_batches, Frame, load_frames, scene_folders, Settings
from .losses import depth_loss
from .network import FcrnLite, IMAGE_MEAN, IMAGE_SCALE, LITE_MULTIPLIERS

DEFAULT_CONFIG = Path(__file__).with_name('config.yaml')


def read_config(*paths: Path) -> Settings:
    """Return the settings of files, the later one first, then those of config.yaml."""
    config: Settings = {}
    for path in (DEFAULT_CONFIG, *paths):
        config |= yaml.safe_load(path.read_text())
    return config


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `configuration` to those of a command."""
    parser.add_argument(
        '--config',
        type=Path,
        action='append',
        default=[],
        help='what differs from config.yaml; of several files the later one counts',
    )
    parser.add_argument(
        '--encoder', choices=sorted(LITE_MULTIPLIERS), help='instead of that of the configuration'
    )


def configuration(arguments: argparse.Namespace) -> Settings:
    """Return the settings that the arguments of a command ask for."""
    config = read_config(*arguments.config)
    return config | ({'encoder': arguments.encoder} if arguments.encoder else {})


def build_network(config: Settings) -> FcrnLite:
    """Return the network of a configuration, channels last (25 % faster on a CPU)."""
    network = FcrnLite(
        config['input_height'],
        config['input_width'],
        config['training_fx_px'],
        config['encoder'],
        config['drop_path'],
        config['dropout'],
        config.get('zoom_x', 1.0),
        config.get('zoom_y', 1.0),
    )
    network.to(memory_format=torch.channels_last)
    return network


def averaged_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the averaged network of an `average_NNN.pt` or a `checkpoint.pt`."""
    state = torch.load(path, weights_only=True)
    weights: dict[str, torch.Tensor] = state.get('average', state)
    return weights


def save_run(out: Path, config: Settings, network: nn.Module) -> None:
    """Write a network as a run, to be exported, checked, averaged or trained further."""
    out.mkdir(parents=True, exist_ok=True)
    (out / 'config.yaml').write_text(yaml.safe_dump(config, sort_keys=False))
    torch.save({'average': network.state_dict()}, out / 'checkpoint.pt')


def load_entries(
    entries: list[Settings], roots: list[Path], most_scenes: int | None = None
) -> list[tuple[Settings, list[Frame]]]:
    """Load the frames of each source or check whose root was given, or of some of its scenes."""
    loaded = []
    for entry in entries:
        if entry['root'] < len(roots):
            folders = scene_folders(roots[entry['root']], entry['split'], entry['prefix'])
            step = max(1, len(folders) // most_scenes) if most_scenes else 1
            loaded.append((entry, load_frames(folders[::step], entry)))
    return loaded


def weighted_frames(
    sources: list[tuple[Settings, list[Frame]]], config: Settings
) -> tuple[list[tuple[Frame, Settings]], NDArray[np.float64]]:
    """Return every frame with its own configuration, and the share of each in the samples."""
    frames = [(frame, config | entry) for entry, found in sources for frame in found]
    weights = np.concatenate(
        [np.full(len(found), entry['weight'] / len(found)) for entry, found in sources if found]
    )
    return frames, weights


def make_optimiser(network: FcrnLite, config: Settings) -> torch.optim.AdamW:
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


def rate_share(done: float, config: Settings, finish: float = math.inf) -> float:
    """
    Return the share of the peak rate after a share of the steps: up, level, down to 0.

    `finish` (seconds since 1970) brings the end forward, where a machine is too busy to say how
    many steps it will manage.
    """
    rise = min(1.0, done / config['warm_up'])
    time_left = max(0.0, finish - time.time()) / (60 * config['cool_down_minutes'])
    share: float = min(rise, (1 - done) / config['cool_down'], time_left)
    return share


def train_mode(network: FcrnLite, frozen_blocks: int) -> None:
    """Train all but the encoder's first blocks, which ImageNet has taught all there is to know."""
    network.train()
    for part in (network.encoder.stem, *network.encoder.blocks[:frozen_blocks]):
        part.eval().requires_grad_(False)


def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the averaged network (weights and statistics) toward the trained one."""
    with torch.no_grad():
        kept, new = ([t for t in n.state_dict().values() if t.is_floating_point()]
                     for n in (average, network))  # fmt: skip
        torch._foreach_lerp_(kept, new, 1 - decay)


def share_gradients(network: nn.Module) -> None:
    """Replace every gradient by its mean over the workers."""
    gradients = [p.grad for p in network.parameters() if p.requires_grad]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def train(
    config: Settings,
    roots: list[Path],
    out: Path,
    warm_start: Path | None,
    finish: float = math.inf,
) -> None:
    """
    Run or resume one training.

    One process a core, one thread each: between busy neighbours two threads of one step wait for
    each other many times, two processes once.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / 'config.yaml').write_text(yaml.safe_dump(config, sort_keys=False))
    cv2.setNumThreads(0)
    sources = load_entries(config['sources'], roots)
    checks = load_entries(config['checks'], roots)
    store = tempfile.mkdtemp()
    multiprocessing.start_processes(
        _work,
        (config, sources, checks, out, warm_start, finish, f'file://{store}/workers'),
        config['workers'],
        start_method='fork',
    )


def _work(
    worker: int,
    config: Settings,
    sources: list[tuple[Settings, list[Frame]]],
    checks: list[tuple[Settings, list[Frame]]],
    out: Path,
    warm_start: Path | None,
    finish: float,
    address: str,
) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        'gloo', init_method=address, rank=worker, world_size=config['workers']
    )
    torch.manual_seed(config['seed'])  # the same first weights everywhere
    frames, weights = weighted_frames(sources, config)
    network = build_network(config)
    if warm_start:
        network.load_state_dict(averaged_weights(warm_start))
    else:
        network.encoder.load_imagenet()
    average = copy.deepcopy(network).eval()
    train_mode(network, config['frozen_blocks'])
    optimiser = make_optimiser(network, config)
    steps = config['samples_per_epoch'] // (config['batch_size'] * config['workers'])
    checkpoint, first = out / 'checkpoint.pt', 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state['network'])
        average.load_state_dict(state['average'])
        optimiser.load_state_dict(state['optimiser'])
        # Its rates are those of the configuration that was then; ours may have been changed.
        planned = make_optimiser(network, config).param_groups
        for group, new in zip(optimiser.param_groups, planned, strict=True):
            group |= {key: new[key] for key in ('peak_rate', 'weight_decay')}
        first = state['epoch']
    for epoch in range(first, config['epochs']):
        torch.manual_seed(config['seed'] + epoch * config['workers'] + worker)
        train_mode(network, config['frozen_blocks'])
        losses: list[float] = []
        batches = tqdm(
            epoch_batches(frames, weights, config, epoch, worker, config['workers']),
            total=steps,
            desc=f'epoch {epoch + 1}/{config["epochs"]}',
            disable=worker > 0,
            mininterval=5,
        )
        for index, (image, inverse_floor, depth) in enumerate(batches):
            x = (torch.from_numpy(image) - IMAGE_MEAN) * IMAGE_SCALE
            with torch.autocast('cpu', torch.bfloat16):
                prediction = network(
                    x.contiguous(memory_format=torch.channels_last),
                    torch.from_numpy(inverse_floor),
                )
            loss = depth_loss(
                prediction,
                torch.from_numpy(depth),
                config['relative_share'],
                config['scale_invariant_weight'],
                config['gradient_weight'],
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            share_gradients(network)
            nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            done = epoch * steps + index + 1
            for group in optimiser.param_groups:
                share = rate_share(done / (steps * config['epochs']), config, finish)
                group['lr'] = group['peak_rate'] * share
            optimiser.step()
            update_average(average, network, min(config['ema'], done / (done + 10)))
            losses.append(loss.item())
            batches.set_postfix(loss=f'{np.mean(losses[-50:]):.3f}', refresh=False)
        if worker > 0:
            continue
        row: dict[str, Any] = {'epoch': epoch + 1, 'loss': f'{np.mean(losses):.4f}'}
        if (epoch + 1) % config['check_every'] == 0 or epoch + 1 == config['epochs']:
            row |= check_all(average, checks, config)
            print(row, flush=True)
            torch.save(average.state_dict(), out / f'average_{epoch + 1:03d}.pt')
        _append_row(out / 'log.csv', row)
        state = {
            'network': network.state_dict(),
            'average': average.state_dict(),
            'optimiser': optimiser.state_dict(),
            'epoch': epoch + 1,
        }
        partial = checkpoint.with_suffix('.partial')
        torch.save(state, partial)
        partial.replace(checkpoint)
        draw_curves(out / 'log.csv', out / 'curves.png')


def _append_row(path: Path, row: dict[str, Any]) -> None:
    rows = [row]
    if path.exists():
        with path.open() as file:
            rows = [*csv.DictReader(file), row]
    names = list(dict.fromkeys(name for each in rows for name in each))
    with path.open('w', newline='') as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def draw_curves(log: Path, picture: Path) -> None:
    """Draw the loss and every AbsRel of a log."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    with log.open() as file:
        rows = list(csv.DictReader(file))
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4))
    for name in rows[-1]:
        points = [(int(row['epoch']), float(row[name])) for row in rows if row.get(name)]
        if name == 'loss' or name.endswith('AbsRel'):
            axes[int(name != 'loss')].plot(*zip(*points, strict=True), label=name)
    for axis in axes:
        axis.set(xlabel='epoch', yscale='log')
        axis.grid(alpha=0.3)
        if axis.get_lines():
            axis.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(picture, dpi=90)
    pyplot.close(figure)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='Train fcrn_lite; run again to resume.')
    parser.add_argument('--data', type=Path, action='append', required=True)
    parser.add_argument('--out', type=Path, required=True)
    add_configuration(parser)
    parser.add_argument('--seed', type=int, help='instead of that of the configuration')
    parser.add_argument(
        '--warm-start',
        type=Path,
        help='checkpoint.pt or average_NNN.pt of an earlier run, or of training.exported',
    )
    parser.add_argument(
        '--finish-at', metavar='HH:MM', help='time of today at which the rate is to reach 0'
    )
    arguments = parser.parse_args()
    finish = math.inf
    if arguments.finish_at:
        clock = datetime.strptime(arguments.finish_at, '%H:%M').time()
        finish = datetime.combine(datetime.now(), clock).timestamp()
    config = configuration(arguments)
    if arguments.seed is not None:
        config['seed'] = arguments.seed
    train(config, arguments.data, arguments.out, arguments.warm_start, finish)


if __name__ == '__main__':
    main()
