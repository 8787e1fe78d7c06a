# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Average the weights of several checkpoints of one lineage into a new run.

    python -m training.average FILE... --out RUN [--pack train.pack]

FILE is an `average_NNNNNN.pt` or `checkpoint.pt` of a run whose config.yaml lies beside it. They
must come from one run, or from runs warm-started from one: weights of others have no common
meaning. RUN receives checkpoint.pt and config.yaml, as `python -m training.export` wants them.

The mean of weights far along one training is often better than each of them (Izmailov et al.,
Averaging Weights Leads to Wider Optima and Better Generalization, UAI 2018). With --pack the
statistics of the batch norms are measured anew with the mean weights, as there; without it they
are averaged too, which is enough for checkpoints a few epochs apart. A network is not linear in
its weights: the mean of two may draw everything nearer than either of them. With --pack the bias
of its log depth is moved to what the files say on average.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import nn, Tensor
from tqdm import tqdm
import yaml

from .augment import Batch, SampleStore, STATISTICS_STEP
from .network import FcrnLite
from .runs import add_packs, averaged_weights, build_network, read_packs, save_run
from .train import normalise, train_mode

STATISTICS_BATCHES, BIAS_BATCHES = 60, 20


def mean_weights(files: Sequence[Path]) -> dict[str, Tensor]:
    """Return the mean of the averaged networks in the files."""
    states = [averaged_weights(path) for path in files]
    return {
        name: torch.stack([state[name] for state in states]).mean(0)
        if first.is_floating_point()
        else first
        for name, first in states[0].items()
    }


@torch.no_grad()
def measure_statistics(
    network: FcrnLite, batches: Iterable[Batch], total: int, frozen_blocks: int
) -> None:
    """Replace the statistics of the batch norms that training moves by those of some batches."""
    train_mode(network, frozen_blocks)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.training:
            module.reset_running_stats()
            module.momentum = None  # the plain mean over all batches
    for batch in tqdm(batches, total=total, desc='statistics', mininterval=2):
        network(normalise(batch.image), batch.inverse_floor)
    network.eval()


@torch.no_grad()
def log_depth_offset(
    network: FcrnLite, members: Sequence[FcrnLite], batches: Iterable[Batch], total: int
) -> float:
    """Return the median of what the members say of log depth, less what the network says."""
    offsets = []
    for batch in tqdm(batches, total=total, desc='bias', mininterval=2):
        inputs = normalise(batch.clean), batch.inverse_floor
        said = torch.stack([member(*inputs).log_depth for member in members]).mean(0)
        offsets.append((said - network(*inputs).log_depth).flatten(1).median(1).values)
    return float(torch.cat(offsets).median())


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='Average checkpoints of one lineage.')
    parser.add_argument('files', type=Path, nargs='+', metavar='FILE')
    add_packs(parser, required=False)
    parser.add_argument('--out', type=Path, required=True)
    arguments = parser.parse_args()
    config = yaml.safe_load(arguments.files[0].with_name('config.yaml').read_text())
    used = config | {'drop_path': 0.0, 'dropout': 0.0}  # as it is used
    network = build_network(used)
    network.load_state_dict(mean_weights(arguments.files))
    if arguments.pack:
        store = SampleStore(read_packs(arguments.pack), config)
        batches = (store.batch(STATISTICS_STEP + number) for number in range(STATISTICS_BATCHES))
        measure_statistics(network, batches, STATISTICS_BATCHES, config['frozen_blocks'])
        members = [build_network(used).eval() for _ in arguments.files]
        for member, file in zip(members, arguments.files, strict=True):
            member.load_state_dict(averaged_weights(file))
        batches = (
            store.batch(STATISTICS_STEP + STATISTICS_BATCHES + number)
            for number in range(BIAS_BATCHES)
        )
        offset = log_depth_offset(network, members, batches, BIAS_BATCHES)
        network.shift_log_depth(offset)
        print(f'log depth moved by {offset:+.4f}')
    save_run(arguments.out, config, network)


if __name__ == '__main__':
    main()
