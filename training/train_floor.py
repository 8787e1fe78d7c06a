# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Train the floor's decoder of a run alone, on features of its encoder that are kept.

    python -m training.train_floor RUN --pack train.pack --config training/floor.yaml --out RUN2

The encoder is by far the dearest part of a step and does not change here: its features of
`samples` augmented pictures are computed once, and the decoder sees each of them many times. The
depth decoder reads the floor's features; `training.train --warm-start RUN2/checkpoint.pt` lets it
get used to the new ones. Every `held_share`-th scene is held back, and what was found and lost in
its whole pictures is printed: there, not on a validation pack, thresholds may be chosen.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
import copy
from dataclasses import dataclass
from pathlib import Path
import time
from typing import Any
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor
import torch.nn.functional as F

from .augment import canonical_depth, SampleStore, warp, whole_views
from .labels import FLOOR, NOT_FLOOR
from .losses import floor_loss
from .network import FloorBranch, load_matching
from .pack import Frames, PackError
from .runs import (
    add_configuration,
    add_packs,
    build_network,
    load_trained,
    read_config,
    read_packs,
    save_run,
)
from .train import float_tensors, move_toward, normalise, rate_share

FEATURES = 4  # at strides 4, 8, 16 and 32
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
HELD_RANGE_M = 3.0


@dataclass
class Features:
    """
    What the floor's decoder sees, and what it should say.

    Attributes
    ----------
    levels : list of Tensor of float16
        Of the encoder at strides 4, 8, 16 and 32; N of each.
    labels : Tensor of uint8, shape (N, 1, H/2, W/2)
        Free floor.
    near : Tensor of bool, shape (N, 1, H/2, W/2)
        Nearer than HELD_RANGE_M.

    """

    levels: list[Tensor]
    labels: Tensor
    near: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, chosen: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the features in 32 bits, and the labels."""
        return [level[chosen].float() for level in self.levels], self.labels[chosen]


def split_scenes(frames: Frames, share: int) -> tuple[Frames, Frames]:
    """Return the frames with floor labels: those to be learnt from, and those held back."""
    labelled = np.isfinite(frames.floors[:, 0])
    held = np.array([zlib.crc32(scene.encode()) % share == 0 for scene in frames.scenes])
    return (frames.chosen(np.flatnonzero(labelled & ~held)),
            frames.chosen(np.flatnonzero(labelled & held)))  # fmt: skip


@torch.no_grad()
def _encode(encoder: nn.Module, image: Tensor) -> list[Tensor]:
    return [level.half() for level in encoder(normalise(image))[-FEATURES:]]


def augmented(encoder: nn.Module, store: SampleStore, count: int) -> Features:
    """Return features of augmented samples."""
    size = store.config['batch_size']
    parts = []
    for step in range(-(-count // size)):
        batch = store.batch(step)
        near = (batch.depth_m > 0) & (batch.depth_m < HELD_RANGE_M)
        parts.append((_encode(encoder, batch.image), batch.labels, near))
        if step % 25 == 0:
            print(f'{step * size} samples', flush=True)
    return _joined(parts)


def whole(encoder: nn.Module, frames: Frames, config: Mapping[str, Any]) -> Features:
    """Return features of whole pictures as they are."""
    size = config['input_width'], config['input_height']
    parts = []
    for start in range(0, len(frames), 16):
        some = frames.chosen(np.arange(start, min(start + 16, len(frames))))
        cameras = some.cameras.astype(np.float64)
        views = whole_views(cameras, size, config['training_fx_px'])
        image, codes, labels = warp(
            torch.from_numpy(some.images),
            torch.from_numpy(some.depth_codes),
            torch.from_numpy(some.labels),
            cameras,
            views,
            size,
        )
        depth = canonical_depth(codes, views, size)
        depth = depth * torch.from_numpy(views.ratio).float().view(-1, 1, 1, 1)
        near = (depth > 0) & (depth < HELD_RANGE_M)
        parts.append((_encode(encoder, image.round()), labels, near))
    return _joined(parts)


def _joined(parts: Sequence[tuple[list[Tensor], Tensor, Tensor]]) -> Features:
    return Features(
        [torch.cat([part[0][level] for part in parts]) for level in range(FEATURES)],
        torch.cat([part[1] for part in parts]),
        torch.cat([part[2] for part in parts]),
    )


def say(branch: FloorBranch, levels: Sequence[Tensor]) -> Tensor:
    """Return the logit of free floor."""
    *laterals, x = levels
    logit: Tensor = branch(x, laterals[::-1])[0]
    return logit


@torch.no_grad()
def found_and_lost(branch: FloorBranch, held: Features, chosen: NDArray[np.integer]) -> str:
    """Return as text what is found and lost, in pictures held back, by threshold."""
    branch.eval()
    lines = []
    odds = torch.cat([
        say(branch, held.batch(part)[0])
        for part in torch.from_numpy(chosen).split(32)
    ]).sigmoid()  # fmt: skip
    labels, near = held.labels[torch.from_numpy(chosen)], held.near[torch.from_numpy(chosen)]
    thing, floor = (labels == NOT_FLOOR) & near, (labels == FLOOR) & near
    for threshold in THRESHOLDS:
        called = odds < threshold
        lines.append(f'{threshold:g}: {called[thing].float().mean():.3f} '
                     f'{called[floor].float().mean():.3f}')  # fmt: skip
    return ' | '.join(lines)


def train_branch(
    branch: FloorBranch, features: Features, held: Features, groups: Mapping[str, Any],
    config: Mapping[str, Any], minutes: float,
) -> FloorBranch:  # fmt: skip
    """Return the moving average of a decoder that was trained on features."""
    began = time.monotonic()
    average: FloorBranch = copy.deepcopy(branch).eval()
    trained, averaged = float_tensors(branch), float_tensors(average)
    optimiser = torch.optim.AdamW(branch.parameters(), config['decoder_rate'],
                                  weight_decay=config['weight_decay'])  # fmt: skip
    generator = torch.Generator().manual_seed(config['seed'])
    step, done, total = 0, 0.0, 0.0
    while done < 1:
        chosen = torch.randint(len(features), (config['batch_size'],), generator=generator)
        levels, labels = features.batch(chosen)
        levels = [F.dropout2d(level, config['dropout']) for level in levels]
        branch.train()
        loss = floor_loss(say(branch, levels), labels, config['floor_missed_weight'])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(branch.parameters(), 2.0)
        done = max((step + 1) / config['steps'], (time.monotonic() - began) / (60 * minutes))
        for group in optimiser.param_groups:
            group['lr'] = config['decoder_rate'] * max(0.0, rate_share(min(done, 1.0), config))
        optimiser.step()
        move_toward(averaged, trained, min(config['ema'], (step + 1) / (step + 11)))
        step, total = step + 1, total + loss.item()
        if step % config['check_every'] == 0 or done >= 1:
            print(f'{step} ({done:.0%}, {time.monotonic() - began:.0f} s) '
                  f'{total / config["check_every"]:.4f}', flush=True)  # fmt: skip
            total = 0.0
            for name, own in groups.items():
                print(f'  {name}: {found_and_lost(average, held, own)}', flush=True)
    return average


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Train the floor's decoder of a run alone.")
    parser.add_argument('run', help='that the encoder, and all that is not floor, is taken from')
    add_packs(parser)
    add_configuration(parser)
    parser.add_argument('--out', type=Path, required=True, help='run with the new decoder')
    parser.add_argument('--samples', type=int, default=6000, help='of which features are kept')
    parser.add_argument('--held-share', type=int, default=8, help='one scene in so many')
    parser.add_argument('--features', type=Path, help='file to keep them in, and to find them')
    parser.add_argument('--minutes', type=float, default=10.0, help='of the training')
    parser.add_argument('--threads', type=int, help='of the CPU')
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
        cv2.setNumThreads(0)
    try:
        network, before = load_trained(arguments.run)
        config = before | read_config(*arguments.config, base=None)
        learnt, held = split_scenes(read_packs(arguments.pack), arguments.held_share)
    except (PackError, ValueError) as error:
        parser.error(str(error))
    print(f'{len(learnt)} pictures to learn from, {len(held)} held back', flush=True)
    if arguments.features and arguments.features.exists():
        features, held_features = (
            Features(**part) for part in torch.load(arguments.features, weights_only=True)
        )
    else:
        held_features = whole(network.encoder, held, config)
        features = augmented(network.encoder, SampleStore(learnt, config), arguments.samples)
        if arguments.features:
            torch.save([vars(features), vars(held_features)], arguments.features)
    groups = {name: np.flatnonzero(held.source == number)
              for number, name in enumerate(held.source_names)}  # fmt: skip
    groups = {name: own for name, own in groups.items() if len(own)}
    torch.manual_seed(config['seed'])
    new = build_network(before | {'floor_widths': config['floor_widths']})
    missing = load_matching(new, network.state_dict())
    print(f'nothing found for {len(missing)} tensors', flush=True)
    assert new.floor is not None
    for name, own in groups.items():
        print(f'before, {name}: {found_and_lost(new.floor, held_features, own)}', flush=True)
    new.floor = train_branch(new.floor, features, held_features, groups, config, arguments.minutes)
    save_run(arguments.out, before | {'floor_widths': config['floor_widths']}, new)


if __name__ == '__main__':
    main()
