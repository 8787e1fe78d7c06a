# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Turn an exported fcrn_lite.onnx back into a run that training can go on from.

    python -m training.exported FILE --member N --encoder NAME --data RGBD_FOLDER --out RUN

RUN receives checkpoint.pt and config.yaml, for `training.train --warm-start RUN/checkpoint.pt` and
for `training.export`. FILE is the float file; N counts the networks in it from 0.

An exported file holds no batch norms: they were folded into the convolutions before them. Each
comes back with the statistics that its convolution's output has on some batches, and with the
scale and shift that leave that output as it is. So the network answers as the file does, and
training starts from there as it would from a checkpoint.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import onnx
import torch
from torch import nn, Tensor
from tqdm import tqdm

from .data import epoch_batches, STATISTICS_EPOCH
from .network import FcrnLite, IMAGE_MEAN, IMAGE_SCALE, normalised_convolutions
from .train import (
    add_configuration,
    build_network,
    configuration,
    load_entries,
    save_run,
    weighted_frames,
)

BATCHES = 32  # of the statistics


def read_tensors(path: Path, member: int) -> dict[str, Tensor]:
    """Return weights and biases of one network of an exported file in float32."""
    tensors = {
        tensor.name.removesuffix('_half'): torch.from_numpy(
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


@torch.no_grad()
def load_exported(
    network: FcrnLite,
    path: Path,
    batches: Iterable[tuple[NDArray[np.float32], ...]],
    member: int = 0,
) -> None:
    """
    Fill a network with the weights of an exported file.

    Parameters
    ----------
    network : FcrnLite
        With the encoder that was exported.
    path : Path
        The float file of `training.export`.
    batches : iterable of tuple of ndarray
        Pictures (N, 3, H, W) in 0..255 and floor maps (N, 1, H, W), as
        :func:`training.data.epoch_batches` yields them, all of one size; they give the
        statistics.
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
    for image, inverse_floor, *_ in batches:
        x = (torch.from_numpy(image) - IMAGE_MEAN) * IMAGE_SCALE
        network(x.contiguous(memory_format=torch.channels_last), torch.from_numpy(inverse_floor))
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
    parser.add_argument('--data', type=Path, action='append', required=True, help='as of train')
    parser.add_argument('--out', type=Path, required=True)
    arguments = parser.parse_args()
    config = configuration(arguments)
    network = build_network(config)
    frames = weighted_frames(load_entries(config['sources'], arguments.data), config)
    batches = islice(epoch_batches(*frames, config, STATISTICS_EPOCH), BATCHES)
    batches = tqdm(batches, total=BATCHES, desc='statistics', mininterval=2)
    try:
        load_exported(network, arguments.file, batches, arguments.member)
    except ValueError as error:
        parser.error(str(error))
    save_run(arguments.out, config, network)


if __name__ == '__main__':
    main()
