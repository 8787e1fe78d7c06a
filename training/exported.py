# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Turn an exported fcrn_lite.onnx back into a run that training can go on from.

    python -m training.exported FILE --member N --encoder NAME --pack train.pack --out RUN

RUN receives checkpoint.pt and config.yaml (`--config` for what differs), for `training.train
--warm-start RUN/checkpoint.pt` and for `training.export`. FILE is the float file; N counts the
networks in it from 0.

An exported file holds no batch norms: they were folded into the convolutions before them. Each
comes back with the statistics that its convolution's output has on some batches, and with the
scale and shift that leave that output as it is. So the network answers as the file does, and
training starts from there as it would from a checkpoint.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn, Tensor
from tqdm import tqdm

from .augment import Batch, SampleStore, STATISTICS_STEP
from .network import FcrnLite, normalised_convolutions
from .runs import (
    add_configuration,
    add_packs,
    build_network,
    configuration,
    read_packs,
    save_run,
)
from .train import normalise

BATCHES = 32  # of the statistics


def read_tensors(path: Path, member: int) -> dict[str, Tensor]:
    """Return weights and biases of one network of an exported file in float32."""
    tensors = {
        tensor.name.removesuffix('_half').removeprefix('network.'): torch.from_numpy(
            onnx.numpy_helper.to_array(tensor).astype(np.float32)
        )
        for tensor in onnx.load(str(path)).graph.initializer
    }
    members = {name.split('.')[1] for name in tensors if name.startswith('members.')}
    if not members:
        return tensors if member == 0 else {}
    if str(member) not in members:
        return {}
    # What is equal in two networks, such as a stem that was not trained, is stored once.
    own_last = sorted(tensors, key=lambda name: name.startswith(f'members.{member}.'))
    return {name.split('.', 2)[2]: tensors[name] for name in own_last if name.count('.') > 2}


def shape_settings(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the settings that decide the shape of a network beside its encoder and input size."""

    def outputs(name: str) -> int:
        return int(tensors[f'{name}.weight'].shape[0])

    levels = sum(name.startswith('decoder.') and name.endswith('.refine.0.weight')
                 for name in tensors)  # fmt: skip
    if not levels:
        return {}
    widths = [outputs(f'decoder.{level}.refine.0') for level in range(levels)]
    floor_widths: list[int] = []
    if 'floor.top.0.weight' in tensors:
        floor_widths = [outputs('floor.top.0')] + [outputs(f'floor.mix.{i}.0') for i in range(3)]
    head = 4 if levels == 3 else 1
    return {
        'bottleneck': outputs('bottleneck.0'),
        'widths': widths,
        'branches': outputs('decoder.0.expand.0') // (4 * widths[0]),
        'floor_widths': floor_widths,
        'error': outputs('head') == 2 * head,
    }


@torch.no_grad()
def load_exported(
    network: FcrnLite, path: Path, batches: Iterable[Batch], member: int = 0
) -> None:
    """
    Fill a network with the weights of an exported file.

    Parameters
    ----------
    network : FcrnLite
        With the encoder that was exported.
    path : Path
        The float file of `training.export`.
    batches : iterable of Batch
        All of one size; they give the statistics.
    member : int
        Which network of a file that averages several.

    Raises
    ------
    ValueError
        A tensor is missing or of another shape: the file holds another network.

    """
    tensors = read_tensors(path, member)
    pairs = [
        (f'{name}.bias', getattr(parent, conv), getattr(parent, norm))
        for name, parent, conv, norm in normalised_convolutions(network)
    ]
    folded = {name: norm for name, _, norm in pairs}
    refilled = {id(own) for norm in folded.values() for own in norm.parameters()}
    for name, parameter in network.named_parameters():
        if id(parameter) not in refilled:
            _fill(parameter, tensors, name, path)
    for name, norm in folded.items():
        norm.weight.fill_(1)
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
        _fill(norm.bias, tensors, name, path)

    moments: dict[str, list[Tensor]] = {name: [] for name in folded}

    def watch(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            moments[name].append(
                torch.stack([output.mean((0, 2, 3)), output.square().mean((0, 2, 3))]).double()
            )

        return hook

    hooks = [conv.register_forward_hook(watch(name)) for name, conv, _ in pairs]
    network.eval()
    for batch in batches:
        network(normalise(batch.image), batch.inverse_floor)
    for hook in hooks:
        hook.remove()
    for name, norm in folded.items():
        mean, square = torch.stack(moments[name]).mean(0)
        variance = (square - mean**2).clamp(min=0)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.add_(mean)


def _fill(target: Tensor, tensors: dict[str, Tensor], name: str, path: Path) -> None:
    found = tensors.get(name)
    if found is None or found.shape != target.shape:
        actual = 'none' if found is None else str(tuple(found.shape))
        raise ValueError(
            f'{name} of {path} must be of shape {tuple(target.shape)}, got {actual}; choose the '
            'member, and the encoder that it was trained with'
        )
    target.copy_(found)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='Turn an exported file back into a run.')
    parser.add_argument('file', type=Path)
    parser.add_argument('--member', type=int, default=0, help='which of its networks (default: 0)')
    add_configuration(parser)
    add_packs(parser)
    parser.add_argument('--out', type=Path, required=True)
    arguments = parser.parse_args()
    config = configuration(arguments)
    config |= shape_settings(read_tensors(arguments.file, arguments.member))
    network = build_network(config)
    store = SampleStore(read_packs(arguments.pack), config)
    batches = (store.batch(STATISTICS_STEP + number) for number in range(BATCHES))
    batches = tqdm(batches, total=BATCHES, desc='statistics', mininterval=2)
    try:
        load_exported(network, arguments.file, batches, arguments.member)
    except ValueError as error:
        parser.error(str(error))
    save_run(arguments.out, config, network)


if __name__ == '__main__':
    main()
