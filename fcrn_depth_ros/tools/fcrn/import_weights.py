# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""``import-weights``: a model of the contract from the published weights of FCRN."""

from __future__ import annotations

import argparse
import glob
import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import onnx

from .checkpoint import read_checkpoint
from .coreml import read_coreml
from .graph import build_fcrn, INPUT_HEIGHT, INPUT_WIDTH, Interleave
from .weights import check_weights, read_npy_weights, Weights
from ..measure.quantization import quantize_file
from ..measure.quantize import calibration_feeds, compare, read_pictures
from ...errors import ToolInputError
from ...estimation.model_card import ModelCard
from ...estimation.onnx_model import load_onnx_model, SessionConfig
from ...report.output_files import add_overwrite_argument, check_outputs, write_bytes

PRECISIONS = ('fp32', 'fp16', 'int8')
_MAX_PICTURES = 100
# One picture in so many measures what INT8 loses.
_HELD_OUT_EVERY = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        'source',
        type=Path,
        metavar='SOURCE',
        help='NYU_FCRN-checkpoint.zip (or what is in it), NYU_ResNet-UpProj.npy, or FCRN.mlmodel',
    )
    parser.add_argument('--out', type=Path, required=True, metavar='FILE', help='ONNX file')
    parser.add_argument(
        '--precision', choices=PRECISIONS, default='fp32', help='default: %(default)s'
    )
    parser.add_argument(
        '--calibration',
        type=Path,
        metavar='DIR',
        help='pictures of what the camera will see, for int8; 100 varied ones are enough',
    )
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """Read, check, build and try the network; the file is written last."""
    is_int8 = arguments.precision == 'int8'
    if is_int8 != (arguments.calibration is not None):
        raise ToolInputError(
            'calibration must be given for int8 and for nothing else, got '
            f'{arguments.calibration} for {arguments.precision}; correct --calibration'
        )
    target = arguments.out
    source = arguments.source
    check_outputs(
        [target],
        # A checkpoint is a prefix of several files.
        [
            source,
            *source.parent.glob(f'{glob.escape(source.name)}.*'),
            *(path for path in (arguments.calibration,) if path),
        ],
        arguments.overwrite,
    )
    pictures = read_pictures([arguments.calibration], None, _MAX_PICTURES) if is_int8 else []
    # INT8 is made from a float file.
    card = fcrn_card(arguments.source, 'fp32' if is_int8 else arguments.precision)
    if arguments.source.suffix == '.mlmodel':
        weights, card = read_coreml_weights(arguments.source, card)
    else:
        weights = read_weights(arguments.source)
    model = build_fcrn(
        weights,
        interleave=Interleave.CHANNELS_LAST if is_int8 else Interleave.DEPTH_TO_SPACE,
        half_precision=arguments.precision == 'fp16',
    )
    onnx.helper.set_model_props(model, card.to_metadata())
    unfinished = [target.with_name(f'.{target.name}.{kind}') for kind in ('float', 'int8')]
    float_file, int8_file = unfinished
    try:
        write_bytes(float_file, model.SerializeToString())
        del model
        result = float_file
        if is_int8:
            held_out = pictures[::_HELD_OUT_EVERY]
            calibration = [p for i, p in enumerate(pictures) if i % _HELD_OUT_EVERY]
            feeds = calibration_feeds(calibration, card)
            quantize_file(float_file, int8_file, feeds, card.input_name)
            result = int8_file
            session = SessionConfig(intra_op_threads=0)
            float_model, int8_model = (load_onnx_model(file, session) for file in unfinished)
            lost = compare(float_model, int8_model, held_out)
            print(
                f'on {len(held_out)} held-out pictures INT8 differs by {lost["mean"]:.2%} on '
                f'average (p95 {lost["p95"]:.2%}, bias {lost["bias"]:+.2%})'
            )
        else:
            try_model(float_file)
        result.replace(target)
    finally:
        for file in unfinished:
            file.unlink(missing_ok=True)
    print(f'wrote {target} ({arguments.precision}, {target.stat().st_size / 1e6:.1f} MB)')


def read_weights(source: Path) -> Weights:
    """
    Read and check the published weights.

    Parameters
    ----------
    source : Path
        The `.npy` file, or a TensorFlow checkpoint: its zip file, folder, prefix or a file of it.

    Returns
    -------
    dict
        Layer -> parameter -> float32 array; exactly the layout of FCRN ResNet-50 UpProj.

    Raises
    ------
    ToolInputError
        It is something else; every tensor that is wrong is named.

    """
    is_prefix = source.with_name(f'{source.name}.index').is_file()
    if not source.exists() and not is_prefix:
        raise ToolInputError(f'source must exist, got {source}; get it with fetch-weights')
    weights = read_npy_weights(source) if source.suffix == '.npy' else read_checkpoint(source)
    check_weights(weights, str(source))
    return weights


def read_coreml_weights(source: Path, card: ModelCard) -> tuple[Weights, ModelCard]:
    """
    Read and check the weights in a Core ML file, and what it does to the picture.

    Parameters
    ----------
    source : Path
        ``FCRN.mlmodel`` or ``FCRNFP16.mlmodel``.
    card : ModelCard
        Of the network as its authors trained it.

    Returns
    -------
    weights : dict
        As from :func:`read_weights`.
    card : ModelCard
        With the preprocessing of the file.

    Raises
    ------
    ToolInputError
        It is something else, or coremltools is not installed.

    """
    if not source.exists():
        raise ToolInputError(f'source must exist, got {source}; correct SOURCE')
    if importlib.util.find_spec('coremltools') is None:
        raise ToolInputError(
            f'coremltools must be installed to read {source}, got none; install it with pip '
            "install 'fcrn_depth_ros[coreml]', or use the weights of the authors (fetch-weights)"
        )
    network = read_coreml(source)
    check_weights(network.weights, str(source))
    return network.weights, network.describe_input(card)


def fcrn_card(source: Path, precision: str) -> ModelCard:
    """
    Describe the network as its authors trained it.

    Parameters
    ----------
    source : Path
        Where the weights come from; its name is noted, and the checksum of a single file.
    precision : str
        One of ``PRECISIONS``.

    Returns
    -------
    ModelCard
        For the graph of :func:`~fcrn_depth_ros.tools.fcrn_graph.build_fcrn`.

    """
    checksum = ''
    if source.is_file():
        with source.open('rb') as file:
            digest = hashlib.sha256()
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        checksum = f', SHA-256 {digest.hexdigest()}'
    return ModelCard(
        name='fcrn_resnet50',
        version='1',
        license='Simplified BSD, as the release of the authors (FCRN-DepthPrediction)',
        training_data='NYU Depth v2 (Kinect, indoor)',
        input_name='image',
        input_height=INPUT_HEIGHT,
        input_width=INPUT_WIDTH,
        input_layout='NCHW',
        color_order='RGB',
        input_mean=(0.0, 0.0, 0.0),
        input_scale=(1.0, 1.0, 1.0),
        resize='stretch',
        output_name='depth',
        output_kind='depth_m',
        # Of the Kinect that recorded NYU Depth v2.
        training_fx_px=518.86,
        training_width_px=640.0,
        # The Kinect sees 0.7 to 10 m. Smaller values pass, because raising them would let
        # what is near seem farther away.
        valid_min_m=0.1,
        valid_max_m=10.0,
        metrics='NYU Depth v2 test, as published: AbsRel 0.127, RMSE 0.573 m, delta1 0.811',
        source=f'{source.name}{checksum}',
        precision=precision,
    )


def try_model(path: Path) -> None:
    """
    Open a model and run it once on a picture of noise.

    Parameters
    ----------
    path : Path
        Model of the contract.

    Raises
    ------
    ToolInputError
        The depth is not finite everywhere: float16 ends at 65504.
    ModelError
        It cannot be opened or run.

    """
    model = load_onnx_model(path, SessionConfig(intra_op_threads=0))
    shape = (1, 3, model.card.input_height, model.card.input_width)
    noise = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    depth = model.run(noise).depth
    if not np.isfinite(depth).all():
        raise ToolInputError(
            f'depth of the {model.card.precision} network must be finite, got '
            f'{np.isfinite(depth).mean():.0%} finite values; use --precision fp32'
        )
