# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Write trained runs as contract models: float and INT8.

    python -m training.export RUN... --pack train.pack --validation val.pack --out DIR

Of several runs the files hold all networks and answer with the mean of their depths, in which
each run counts by its weight (--weights N...). RUN@288x192 shows the network of RUN pictures of
that size instead of its training's (`load_trained` says why); the files' input has the largest
size.

DIR receives NAME.onnx (float32 arithmetic, weights stored in 16 bits), NAME_int8.onnx and
SHA256SUMS. Beside the depth they answer `floor` (probability of free floor) and `confidence`
(exp of minus the expected error of log depth: 1 is sure), where the runs predict them; the
expected error is calibrated on the validation pack.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
import copy
import hashlib
import math
from pathlib import Path
import tempfile
from typing import Any

from fcrn_depth_ros import __version__
from fcrn_depth_ros.estimation.model_card import ModelCard
from fcrn_depth_ros.tools.measure.quantization import quantize_file
import numpy as np
from numpy.typing import NDArray
import onnx
import torch
from torch import nn, Tensor
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from .augment import floor_maps, warp_images, whole_views
from .checking import predict
from .network import (
    IMAGE_MEAN,
    IMAGE_SCALE,
    normalised_convolutions,
)
from .pack import decode_depth, Frames, read_pack
from .runs import add_packs, add_runs, load_mean, read_packs

CALIBRATION_FRAMES = 104
FITTED_FRAMES = 52
OPSET = 17
# What the rendered and augmented pictures span; docs/model_contract.md names the keys.
TRAINED_RANGE = {
    'trained_pitch_deg': '-30,60',
    'trained_roll_deg': '-15,15',
    'trained_height_m': '0.1,1.7',
    'trained_hfov_deg': '40,110',
}


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Return a copy with every convolution merged with the batch norm that follows it."""
    module = copy.deepcopy(module).eval()
    for _, parent, conv, norm in normalised_convolutions(module):
        fused = fuse_conv_bn_eval(getattr(parent, conv), getattr(parent, norm))
        setattr(parent, conv, fused)
        setattr(parent, norm, nn.Identity())
    return module


@torch.no_grad()
def describe_size(network: nn.Module, config: Mapping[str, Any]) -> str:
    """Return the parameters, and the operations (two a multiplication and addition), in words."""
    size = config['input_height'], config['input_width']
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, *size), torch.zeros(1, 1, *size))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    operations = counter.get_total_flops()
    return f'{parameters / 1e6:.1f} M parameters, {operations / 1e9:.2f} GFLOP'


class Outputs(nn.Module):
    """
    A network as a file answers: log depth, and as far as they are there floor and confidence.

    Parameters
    ----------
    network : nn.Module
        FcrnLite or MeanOfNetworks.
    error_scale : float
        By how much the expected error is too small, see :func:`calibrate_error`.
    floor_half : float
        Probability of free floor, as the network says it, that the file calls 0.5. A network that
        was taught that a missed obstacle counts three times says 0.25 where floor is as likely as
        not.

    """

    def __init__(
        self, network: nn.Module, error_scale: float = 1.0, floor_half: float = 0.5
    ) -> None:
        super().__init__()
        self.network, self.error_scale = network, error_scale
        self.floor_shift = math.log(floor_half / (1 - floor_half))

    def forward(self, image: Tensor, inverse_floor: Tensor) -> tuple[Tensor, ...]:
        """Return the tensors of `output_names`."""
        answer = self.network(image, inverse_floor)
        outputs = [answer.log_depth]
        if answer.floor_logit is not None:
            outputs.append((answer.floor_logit - self.floor_shift).sigmoid())
        if answer.log_error is not None:
            outputs.append((-self.error_scale * answer.log_error.exp()).exp())
        return tuple(outputs)


@torch.no_grad()
def output_names(network: nn.Module, config: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of the outputs by the key of the model contract that says them."""
    size = config['input_height'], config['input_width']
    answer = network(torch.zeros(1, 3, *size), torch.zeros(1, 1, *size))
    names = {'output_name': 'log_depth'}
    if answer.floor_logit is not None:
        names['floor_output'] = 'floor'
    if answer.log_error is not None:
        names['confidence_output'] = 'confidence'
    return names


def calibrate_error(network: nn.Module, frames: Frames, config: Mapping[str, Any]) -> float:
    """
    Return the factor that makes the expected error that of pictures never trained on.

    For a Laplace distribution the likeliest factor is the mean of error over expected error.
    """
    answers = predict(network, frames, config, mounting=True)
    truth = decode_depth(frames.depth_codes)
    known = truth > 0
    assert answers.error is not None
    error = np.abs(np.log(answers.depth_m[known] / truth[known]))
    return float(np.mean(error / answers.error[known]))


def write_float(
    network: nn.Module,
    config: Mapping[str, Any],
    path: Path,
    card: ModelCard,
    error_scale: float = 1.0,
    floor_half: float = 0.5,
) -> None:
    """Export the network with its card; `error_scale` and `floor_half` as in `Outputs`."""
    height, width = config['input_height'], config['input_width']
    names = output_names(network, config)
    torch.onnx.export(
        Outputs(fold_batch_norms(network), error_scale, floor_half).to(
            memory_format=torch.contiguous_format
        ),
        (torch.zeros(1, 3, height, width), torch.zeros(1, 1, height, width)),
        str(path),
        input_names=['image', 'mounting'],
        output_names=list(names.values()),
        opset_version=OPSET,
        dynamo=False,
    )
    model = onnx.load(str(path))
    halve_weights(model.graph)
    onnx.helper.set_model_props(model, {**card.to_metadata(), **names, **TRAINED_RANGE})
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


def make_card(config: Mapping[str, Any], metrics: str, name: str = 'fcrn_lite') -> ModelCard:
    """Return the card of the float model."""
    return ModelCard(
        name=name,
        version=__version__,
        license='Apache-2.0',
        training_data='NYU Depth v2, official training images; TUM RGB-D freiburg1 (CC BY 4.0); '
        'PCL mosd (BSD-3); LPVO corridors (MIT); YCB-Video (MIT); own renderings; '
        'encoder pre-trained on ImageNet',
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
    frames: Frames, config: Mapping[str, Any]
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """
    Yield the inputs of evenly chosen frames, every fourth without its mounting.

    The others stand in worlds of other sizes, as in training: real pictures of low cameras are
    rare.
    """
    rng = np.random.default_rng(config['seed'])
    size = config['input_width'], config['input_height']
    chosen = np.linspace(0, len(frames) - 1, CALIBRATION_FRAMES).astype(int)
    for number, index in enumerate(tqdm(chosen, desc='calibration', mininterval=2)):
        one = frames.chosen([index])
        cameras = one.cameras.astype(np.float64)
        views = whole_views(cameras, size, config['training_fx_px'])
        image = warp_images(torch.from_numpy(one.images), cameras, views, size).round()
        world = rng.uniform(*config['rescale_range'])
        plane = one.planes / world if number % 4 else np.full((1, 3), np.nan)
        told = floor_maps(plane.astype(np.float64), views, size, torch.device('cpu'))
        yield {
            'image': ((image - IMAGE_MEAN) * IMAGE_SCALE).numpy(),
            'mounting': (told * float(views.ratio[0])).numpy(),
        }


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='Export runs as float and INT8 ONNX files.')
    add_runs(parser)
    add_packs(parser)
    parser.add_argument('--validation', type=Path, help='pack, to calibrate the confidence')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--name', default='fcrn_lite', help='of the model and its files')
    parser.add_argument(
        '--floor-half', type=float, default=0.5, metavar='P',
        help='probability of free floor that the files call 0.5 (training.train_floor prints what '
        'is found and lost at each)',
    )  # fmt: skip
    parser.add_argument('--metrics', default='', help='text for the card')
    arguments = parser.parse_args()
    if not 0 < arguments.floor_half < 1:
        parser.error(f'--floor-half must be between 0 and 1, got {arguments.floor_half}')
    try:
        network, config = load_mean(arguments.runs, arguments.weights)
        frames = read_packs(arguments.pack)
    except ValueError as error:
        parser.error(str(error))
    scale = 1.0
    if arguments.validation and 'confidence_output' in output_names(network, config):
        scale = calibrate_error(network, read_pack(arguments.validation).of_source('val'), config)
        print(f'expected error times {scale:.3f}')
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.out) as folder:
        float_file = Path(folder) / f'{arguments.name}.onnx'
        int8_file = Path(folder) / f'{arguments.name}_int8.onnx'
        card = make_card(config, arguments.metrics, arguments.name)
        write_float(network, config, float_file, card, scale, arguments.floor_half)
        samples = calibration_tensors(frames, config)
        quantize_file(float_file, int8_file, samples, 'image', fit_to=FITTED_FRAMES)
        for file in (float_file, int8_file):
            file.replace(arguments.out / file.name)
    lines = [
        f'{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n'
        for file in sorted(arguments.out.glob('*.onnx'))
    ]
    (arguments.out / 'SHA256SUMS').write_text(''.join(lines))
    print(describe_size(network, config), ''.join(lines), sep='\n', end='')


if __name__ == '__main__':
    main()
