# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The options that every command with a model shares."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..estimation.model_choice import load_model
from ..estimation.onnx_model import (
    OnnxModel,
    PROVIDERS,
    SessionConfig,
)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``, ``--provider``, ``--provider-options`` and ``--threads``."""
    parser.add_argument(
        '--model',
        type=Path,
        metavar='FILE',
        help='ONNX file of the model contract; or, of the networks in the package, auto '
        '(default: fcrn_lite, INT8 or float, as measured to be faster here) or tiny',
    )
    parser.add_argument(
        '--provider',
        default='CPU',
        help=f'execution provider: {", ".join(PROVIDERS)} (default: CPU)',
    )
    parser.add_argument(
        '--provider-options',
        default='',
        metavar='JSON',
        help='options of the provider, for example \'{"device_type": "GPU"}\'',
    )
    parser.add_argument(
        '--threads',
        type=int,
        default=0,
        help='threads of one inference; 0 (default) uses all cores',
    )
    parser.add_argument(
        '--exact-int8',
        action='store_true',
        help='no saturation in INT8 files on x86 processors without VNNI: slower, nearer to float',
    )


def open_model(arguments: argparse.Namespace) -> OnnxModel:
    """Open the model of the options that :func:`add_model_arguments` added."""
    config = SessionConfig(
        provider=arguments.provider,
        provider_options=arguments.provider_options,
        intra_op_threads=arguments.threads,
        exact_int8=arguments.exact_int8,
    )
    name = 'auto' if arguments.model is None else str(arguments.model)
    return load_model(name, config)[0]
