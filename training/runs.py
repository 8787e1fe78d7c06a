# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a training starts from and leaves: its configuration, packs, and the folder of a run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
import math
from pathlib import Path
import re
from typing import Any

import torch
from torch import nn
import yaml

from . import checkpoints
from .network import FcrnLite, LITE_MULTIPLIERS, MeanOfNetworks
from .pack import Frames, join, read_pack, without_false_floors

DEFAULT_CONFIG = Path(__file__).with_name('config.yaml')


def read_config(*paths: Path, base: Path | None = DEFAULT_CONFIG) -> dict[str, Any]:
    """Return the settings of config.yaml, and of further files, of which the later one counts."""
    config: dict[str, Any] = {}
    for path in (*([base] if base else []), *paths):
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


def configuration(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that the arguments of a command ask for."""
    config = read_config(*arguments.config)
    return config | ({'encoder': arguments.encoder} if arguments.encoder else {})


def add_packs(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Add the training packs to the arguments of a command."""
    parser.add_argument(
        '--pack', type=Path, action='append', default=[], required=required,
        help='of training.pack; several are joined',
    )  # fmt: skip


def read_packs(paths: Sequence[Path]) -> Frames:
    """Return the frames of several packs for training, without floors that are none."""
    return without_false_floors(join([read_pack(path) for path in paths]))


def build_network(config: Mapping[str, Any]) -> FcrnLite:
    """Return the network of a configuration, channels last (25 % faster on a CPU)."""
    # Configurations of before these settings existed describe a network without the outputs.
    network = FcrnLite(
        config['input_height'],
        config['input_width'],
        config['training_fx_px'],
        config['encoder'],
        config['drop_path'],
        config['dropout'],
        config.get('zoom_x', 1.0),
        config.get('zoom_y', 1.0),
        bottleneck=config.get('bottleneck', 256),
        widths=config.get('widths', (128, 64, 32, 16)),
        branches=config.get('branches', 2),
        floor_widths=config.get('floor_widths', ()),
        error=config.get('error', False),
    )
    placed: FcrnLite = network.to(memory_format=torch.channels_last)
    return placed


def averaged_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the averaged network of an `average_NNNNNN.pt`, a `checkpoint.pt` or its parts."""
    if path.name == checkpoints.MANIFEST:
        parts: dict[str, torch.Tensor] = checkpoints.load_parts(path.parent)['average']
        return parts
    state: dict[str, Any] = torch.load(path, map_location='cpu', weights_only=True)
    weights: dict[str, torch.Tensor] = state.get('average', state)
    return {name: value.float() if value.is_floating_point() else value
            for name, value in weights.items()}  # fmt: skip


def save_run(out: Path, config: Mapping[str, Any], network: nn.Module) -> None:
    """Write a network as a run, to be exported, checked, averaged or trained further."""
    out.mkdir(parents=True, exist_ok=True)
    (out / 'config.yaml').write_text(yaml.safe_dump(dict(config), sort_keys=False))
    torch.save({'average': network.state_dict()}, out / 'checkpoint.pt')


def save_average(network: nn.Module, path: Path) -> None:
    """Write weights in 16 bits: a snapshot to look at, to average or to start from."""
    torch.save({name: value.to('cpu', torch.float16) if value.is_floating_point() else value.cpu()
                for name, value in network.state_dict().items()}, path)  # fmt: skip


def load_trained(run: str) -> tuple[FcrnLite, dict[str, Any]]:
    """
    Return the averaged network of a run and its configuration, for pictures of a size.

    In training, random crops enlarge what is seen. Whole pictures show things as large as that
    where they have more pixels than those of training (Touvron et al., Fixing the train-test
    resolution discrepancy, NeurIPS 2019).

    Parameters
    ----------
    run : str
        Folder of the run, with `@WIDTHxHEIGHT` behind it for another size than in training.

    Raises
    ------
    ValueError
        The size is not of this form, or its sides are no multiples of 32.

    """
    folder, at, size = run.partition('@')
    config = yaml.safe_load((Path(folder) / 'config.yaml').read_text())
    if at:
        match = re.fullmatch(r'([1-9]\d*)x([1-9]\d*)', size)
        width, height = map(int, match.groups()) if match else (0, 0)
        if not match or width % 32 or height % 32:
            raise ValueError(f'size of {run} must be @WIDTHxHEIGHT in multiples of 32, '
                             f'got @{size}; give one such as @288x224')  # fmt: skip
        larger_x = width / config['input_width']
        larger_y = height / config['input_height']
        config |= {
            'zoom_x': larger_x * config.get('zoom_x', 1.0),
            'zoom_y': larger_y * config.get('zoom_y', 1.0),
            'input_width': width,
            'input_height': height,
            'training_fx_px': config['training_fx_px'] * larger_x,
        }
    network = build_network(config)
    files = [Path(folder) / name for name in ('checkpoint.pt', 'average.pt', checkpoints.MANIFEST)]
    file = next((file for file in files if file.exists()), files[0])
    network.load_state_dict(averaged_weights(file))
    return network.eval(), config


def load_mean(
    runs: Sequence[str], weights: Sequence[float] | None = None
) -> tuple[FcrnLite | MeanOfNetworks, dict[str, Any]]:
    """
    Return the network of one run or the mean of several, and the configuration of its input.

    Raises
    ------
    ValueError
        A size cannot be read, the runs were trained for different cameras, or the weights do not
        fit the runs.

    """
    trained = [load_trained(run) for run in runs]
    largest, config = max(trained, key=lambda each: math.prod(each[0].input_size))
    field = config['training_fx_px'] / config['input_width']
    for run, (_, other) in zip(runs, trained, strict=True):
        found = other['training_fx_px'] / other['input_width']
        if not math.isclose(found, field):
            raise ValueError(f'training_fx_px of {run} must be {field:.4f} of its width as of the '
                             f'others, got {found:.4f}; export them apart')  # fmt: skip
    if len(trained) > 1 or weights is not None:
        return MeanOfNetworks([network for network, _ in trained], weights).eval(), config
    return largest, config


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `load_mean` to those of a command."""
    parser.add_argument('runs', nargs='+', metavar='RUN[@WIDTHxHEIGHT]')
    parser.add_argument(
        '--weights',
        type=float,
        nargs='+',
        metavar='N',
        help='how much each run counts in the mean (default: all alike)',
    )
