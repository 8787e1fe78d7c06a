# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Average the weights of several checkpoints of one lineage into a new run.

    python -m training.average FILE... --out RUN [--data RGBD_FOLDER --data ROOMS_FOLDER]

FILE is an `average_NNN.pt` or `checkpoint.pt` of a run whose config.yaml lies beside it. They must
come from one run, or from runs warm-started from one: weights of others have no common meaning.
RUN receives checkpoint.pt and config.yaml, as `python -m training.export` wants them.

The mean of weights far along one training is often better than each of them (Izmailov et al.,
Averaging Weights Leads to Wider Optima and Better Generalization, UAI 2018). With --data the
statistics of the batch norms are measured anew with the mean weights, as there; without it they
are averaged too, which is enough for checkpoints a few epochs apart.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor
from tqdm import tqdm
import yaml

from .data import epoch_batches, STATISTICS_EPOCH
from .network import FcrnLite, IMAGE_MEAN, IMAGE_SCALE
from .train import (
    averaged_weights,
    build_network,
    load_entries,
    save_run,
    train_mode,
    weighted_frames,
)


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
    network: FcrnLite,
    batches: Iterable[tuple[NDArray[np.float32], ...]],
    total: int,
    frozen_blocks: int,
) -> None:
    """Replace the statistics of the batch norms that training moves by those of some batches."""
    train_mode(network, frozen_blocks)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.training:
            module.reset_running_stats()
            module.momentum = None  # the plain mean over all batches
    for image, inverse_floor, _ in tqdm(batches, total=total, desc='statistics', mininterval=2):
        x = (torch.from_numpy(image) - IMAGE_MEAN) * IMAGE_SCALE
        network(x.contiguous(memory_format=torch.channels_last), torch.from_numpy(inverse_floor))
    network.eval()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='Average checkpoints of one lineage.')
    parser.add_argument('files', type=Path, nargs='+', metavar='FILE')
    parser.add_argument('--data', type=Path, action='append', help='as of train; to measure anew')
    parser.add_argument('--out', type=Path, required=True)
    arguments = parser.parse_args()
    config = yaml.safe_load(arguments.files[0].with_name('config.yaml').read_text())
    network = build_network(config | {'drop_path': 0.0, 'dropout': 0.0})  # as it is used
    network.load_state_dict(mean_weights(arguments.files))
    if arguments.data:
        frames = weighted_frames(load_entries(config['sources'], arguments.data), config)
        batches = epoch_batches(*frames, config, STATISTICS_EPOCH)
        total = config['samples_per_epoch'] // config['batch_size']
        measure_statistics(network, batches, total, config['frozen_blocks'])
    save_run(arguments.out, config, network)


if __name__ == '__main__':
    main()
