# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Write trained runs as contract models: float and INT8.

    python -m training.export RUN... [--weights N...] --data RGBD_FOLDER --data ROOMS --out DIR

Of several runs the files hold all networks and answer with the mean of their depths, in which
each run counts by its weight. RUN@288x192 shows the network of RUN pictures of that size instead
of its training's (`load_trained` says why); the files' input has the largest size.

DIR receives fcrn_lite.onnx (float32 arithmetic, weights stored in 16 bits), fcrn_lite_int8.onnx
and SHA256SUMS.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
import copy
import hashlib
import math
from pathlib import Path
import re
import tempfile

from fcrn_depth_ros import __version__
from fcrn_depth_ros.estimation.model_card import ModelCard
from fcrn_depth_ros.tools.measure.quantization import quantize_file
import numpy as np
from numpy.typing import NDArray
import onnx
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm
import yaml

from .data import Frame, plain_input, Settings
from .network import (
    FcrnLite,
    IMAGE_MEAN,
    IMAGE_SCALE,
    MeanOfNetworks,
    normalised_convolutions,
)
from .train import averaged_weights, build_network, load_entries

CALIBRATION_FRAMES = 104
CALIBRATION_SCENES = 24  # of each source
OPSET = 17


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Return a copy with every convolution merged with the batch norm that follows it."""
    module = copy.deepcopy(module).eval()
    for _, parent, conv, norm in normalised_convolutions(module):
        fused = fuse_conv_bn_eval(getattr(parent, conv), getattr(parent, norm))
        setattr(parent, conv, fused)
        setattr(parent, norm, nn.Identity())
    return module


def load_trained(run: str) -> tuple[FcrnLite, Settings]:
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
    network.load_state_dict(averaged_weights(Path(folder) / 'checkpoint.pt'))
    return network.eval(), config


def load_mean(
    runs: Sequence[str], weights: Sequence[float] | None = None
) -> tuple[nn.Module, Settings]:
    """
    Return the network of one run or the mean of several, and the configuration of its input.

    Raises
    ------
    ValueError
        A size cannot be read, the runs were trained for different cameras, or the weights do not
        fit the runs.

    """
    trained = [load_trained(run) for run in runs]
    network, config = max(trained, key=lambda each: math.prod(each[0].input_size))
    field = config['training_fx_px'] / config['input_width']
    for run, (_, other) in zip(runs, trained, strict=True):
        found = other['training_fx_px'] / other['input_width']
        if not math.isclose(found, field):
            raise ValueError(f'training_fx_px of {run} must be {field:.4f} of its width as of the '
                             f'others, got {found:.4f}; export them apart')  # fmt: skip
    if len(trained) > 1 or weights is not None:
        network = MeanOfNetworks([network for network, _ in trained], weights).eval()
    return network, config


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


@torch.no_grad()
def describe_size(network: nn.Module, config: Settings) -> str:
    """Return the parameters, and the operations (two a multiplication and addition), in words."""
    size = config['input_height'], config['input_width']
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, *size), torch.zeros(1, 1, *size))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    operations = counter.get_total_flops()
    return f'{parameters / 1e6:.1f} M parameters, {operations / 1e9:.2f} GFLOP'


def write_float(network: nn.Module, config: Settings, path: Path, card: ModelCard) -> None:
    """Export the network with its card."""
    height, width = config['input_height'], config['input_width']
    torch.onnx.export(
        fold_batch_norms(network).to(memory_format=torch.contiguous_format),
        (torch.zeros(1, 3, height, width), torch.zeros(1, 1, height, width)),
        str(path),
        input_names=['image', 'mounting'],
        output_names=['log_depth'],
        opset_version=OPSET,
        dynamo=False,
    )
    model = onnx.load(str(path))
    halve_weights(model.graph)
    onnx.helper.set_model_props(model, card.to_metadata())
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def halve_weights(graph: onnx.GraphProto) -> None:
    """Store the large float32 weights in 16 bits, behind a Cast that every runtime folds away."""
    casts = []
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > 256:
            stored = f'{tensor.name}_half'
            casts.append(
                onnx.helper.make_node(
                    'Cast',
                    [stored],
                    [tensor.name],
                    f'{tensor.name}_cast',
                    to=onnx.TensorProto.FLOAT,
                )
            )
            tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), stored))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def make_card(config: Settings, metrics: str) -> ModelCard:
    """Return the card of the float model."""
    return ModelCard(
        name='fcrn_lite',
        version=__version__,
        license='Apache-2.0',
        training_data='NYU Depth v2, official training images; TUM RGB-D freiburg1 (CC BY 4.0); '
        'PCL mosd (BSD-3); own renderings; encoder pre-trained on ImageNet',
        input_name='image',
        input_height=config['input_height'],
        input_width=config['input_width'],
        input_layout='NCHW',
        color_order='RGB',
        input_mean=(IMAGE_MEAN,) * 3,
        input_scale=(IMAGE_SCALE,) * 3,
        resize='stretch',
        output_name='log_depth',
        output_kind='log_depth',
        training_fx_px=config['training_fx_px'],
        training_width_px=config['input_width'],
        valid_min_m=0.1,
        valid_max_m=10.0,
        mounting_input='mounting',
        metrics=metrics,
        source='training/ of this package',
        precision='float32, weights stored as float16',
    )


def calibration_tensors(
    frames: list[Frame], config: Settings
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """
    Yield the inputs of evenly chosen frames, every fourth without its mounting.

    The others stand in worlds of other sizes, as in training: real pictures of low cameras are
    rare.
    """
    rng = np.random.default_rng(config['seed'])
    chosen = np.linspace(0, len(frames) - 1, CALIBRATION_FRAMES).astype(int)
    for number, index in enumerate(tqdm(chosen, desc='calibration', mininterval=2)):
        image, floor, _ = plain_input(frames[index], config, number % 4 > 0)
        x = (image.transpose(2, 0, 1)[None].astype(np.float32) - IMAGE_MEAN) * IMAGE_SCALE
        floor /= np.float32(rng.uniform(*config['rescale_range']))
        yield {'image': x.astype(np.float32), 'mounting': floor[None, None]}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='Export runs as float and INT8 ONNX files.')
    add_runs(parser)
    parser.add_argument('--data', type=Path, action='append', required=True, help='as of train')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--metrics', default='', help='text for the card')
    arguments = parser.parse_args()
    try:
        network, config = load_mean(arguments.runs, arguments.weights)
    except ValueError as error:
        parser.error(str(error))
    sources = load_entries(config['sources'], arguments.data, CALIBRATION_SCENES)
    frames = [frame for _, found in sources for frame in found]
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.out) as folder:
        float_file = Path(folder) / 'fcrn_lite.onnx'
        int8_file = Path(folder) / 'fcrn_lite_int8.onnx'
        write_float(network, config, float_file, make_card(config, arguments.metrics))
        quantize_file(float_file, int8_file, calibration_tensors(frames, config), 'image')
        lines = []
        for file in (float_file, int8_file):
            lines.append(f'{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n')
            file.replace(arguments.out / file.name)
    (arguments.out / 'SHA256SUMS').write_text(''.join(lines))
    print(describe_size(network, config), ''.join(lines), sep='\n', end='')


if __name__ == '__main__':
    main()
