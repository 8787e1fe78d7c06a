# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Where the time of a network goes in ONNX Runtime: which kernels, which layers, how near the peak.

Files are profiled one after the other in every round, beside a matrix product in floating point
and one in 8-bit integers: what this processor can do at best in either arithmetic.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
import datetime
import json
import os
from pathlib import Path
import re
import statistics
import tempfile
import time
from typing import Any

from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.estimation.onnx_model import embedded_model_path
from fcrn_depth_ros.report.output_files import add_overwrite_argument, check_outputs, write_json
import numpy as np
import onnx
from onnx import helper, TensorProto
import onnxruntime

from .machine import integer_instructions, processor, versions
from .operations import conv_gflop

_GEMM_SIZE = 1024
_LAYERS = 8
_SUFFIX = '_kernel_time'
_CONVOLUTIONS = ('Conv', 'FusedConv', 'NhwcFusedConv', 'QLinearConv')


@dataclass(frozen=True)
class Profile:
    """
    Median times of one inference.

    Attributes
    ----------
    operator_ms : mapping of str to float
        By the name of the kernel.
    layers : sequence of (str, str, str, float)
        Node, kernel, shape of its output and ms; the longest first.
    conv_gflop : float
        Work of the convolutions.

    """

    operator_ms: Mapping[str, float]
    layers: Sequence[tuple[str, str, str, float]]
    conv_gflop: float

    @property
    def total_ms(self) -> float:
        """All kernels."""
        return sum(self.operator_ms.values())

    @property
    def conv_ms(self) -> float:
        """The kernels of convolutions."""
        return sum(ms for name, ms in self.operator_ms.items() if name in _CONVOLUTIONS)

    @property
    def conv_gflops(self) -> float:
        """Work of the convolutions a second."""
        return 1e3 * self.conv_gflop / self.conv_ms if self.conv_ms else float('nan')


def aggregate(events: Iterable[Mapping[str, Any]], runs: int, gflop: float) -> Profile:
    """
    Sum the events of ONNX Runtime's profiler up.

    Parameters
    ----------
    events : iterable of mapping
        Of the file that it writes.
    runs : int
        That were profiled.
    gflop : float
        Of the convolutions of one run.

    Returns
    -------
    Profile
        Medians over the runs.

    """
    times_ms: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get('cat') == 'Node' and event['name'].endswith(_SUFFIX):
            (shape,) = event['args']['output_type_shape'][:1] or [{}]
            shown = ' '.join(f'{kind} {"x".join(map(str, dims))}' for kind, dims in shape.items())
            name = re.sub(r'_token_\d+', '', event['name'].removesuffix(_SUFFIX))
            times_ms[name, event['args']['op_name'], shown].append(event['dur'] / 1e3)
    layers = [
        # One name can stand for several nodes of a run.
        (*key, statistics.median(values) * max(1, round(len(values) / runs)))
        for key, values in times_ms.items()
    ]
    operators: dict[str, float] = defaultdict(float)
    for _, operator, _, ms in layers:
        operators[operator] += ms
    longest = sorted(layers, key=lambda layer: -layer[3])
    by_time = dict(sorted(operators.items(), key=lambda item: -item[1]))
    return Profile(by_time, longest, gflop)


def main() -> None:
    """Profile and report."""
    parser = argparse.ArgumentParser(prog='scripts/bench profile', description=__doc__)
    add = parser.add_argument
    embedded = [embedded_model_path('CUDA'), embedded_model_path('CPU')]
    add('--models', type=Path, nargs='+', default=embedded, help='ONNX files')
    add('--fcrn', action='store_true', help='also FCRN ResNet-50, with random weights')
    add('--folder', type=Path, default=Path('bench_out/models'), help='where FCRN is kept')
    add('--threads', type=int, default=1)
    add('--rounds', type=int, default=10)
    add('--json', type=Path, help='write the measurements here')
    add_overwrite_argument(parser)
    arguments = parser.parse_args()
    outputs = [arguments.json] if arguments.json else []
    try:
        check_outputs(outputs, arguments.models, arguments.overwrite)
    except ToolInputError as error:
        parser.error(str(error))
    files = list(arguments.models)
    if arguments.fcrn:
        from .random_fcrn import write_models

        written = write_models(arguments.folder)
        files += [written['fp32'], written['int8']]
    peaks, profiles = measure(files, arguments.threads, arguments.rounds)
    report = {
        'date': datetime.date.today().isoformat(),
        'machine': f'{processor()}, {os.cpu_count()} cores',
        'integer_instructions': integer_instructions(),
        'versions': versions(),
        'threads': arguments.threads,
        'peak_gops': peaks,
        'files': {
            path.name: {
                'kernels_ms': found.total_ms,
                'conv_ms': found.conv_ms,
                'conv_gflop': found.conv_gflop,
                'conv_gflops': found.conv_gflops,
                'operators_ms': found.operator_ms,
                'layers': [
                    dict(zip(('node', 'kernel', 'output', 'ms'), layer, strict=True))
                    for layer in found.layers
                ],
            }
            for path, found in profiles.items()
        },
    }
    if arguments.json:
        write_json(arguments.json, report)
    print(format_report(report))


def measure(
    files: Sequence[Path], threads: int, rounds: int
) -> tuple[dict[str, float], dict[Path, Profile]]:
    """Profile the files and both matrix products, taking turns."""
    products = {kind: _product(kind, threads) for kind in ('fp32', 'int8')}
    with tempfile.TemporaryDirectory(prefix='fcrn_depth_profile_') as folder:
        runs = {}
        for index, path in enumerate(files):
            options = _options(threads)
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(folder) / str(index))
            session = onnxruntime.InferenceSession(
                str(path), options, providers=['CPUExecutionProvider']
            )
            runs[path] = session, _noise(session)
        times_s: dict[str, list[float]] = {kind: [] for kind in products}
        for _ in range(rounds):
            for session, feed in runs.values():
                session.run(None, feed)
            for kind, product in products.items():
                start = time.perf_counter()
                product()
                times_s[kind].append(time.perf_counter() - start)
        profiles = {}
        for path, (session, _) in runs.items():
            events = json.loads(Path(session.end_profiling()).read_text(encoding='utf-8'))
            profiles[path] = aggregate(events, rounds, conv_gflop(onnx.load(str(path))))
    # A median, as for the kernels: other load then weighs alike on both.
    peaks = {
        kind: 2e-9 * _GEMM_SIZE**3 / statistics.median(values) for kind, values in times_s.items()
    }
    return peaks, profiles


def format_report(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    peaks = report['peak_gops']
    found = ', '.join(f'{key} {value}' for key, value in report['versions'].items())
    lines = [
        f'{report["machine"]}, threads: {report["threads"]}, {report["date"]}; {found}',
        '',
        f'8-bit instructions: {report["integer_instructions"]}. Matrix product of {_GEMM_SIZE}: '
        f'fp32 {peaks["fp32"]:.0f} GFLOP/s, INT8 {peaks["int8"]:.0f} Gop/s '
        f'({peaks["int8"] / peaks["fp32"]:.2f} times).',
        '',
        '| file | kernels ms | convolutions ms | GFLOP | G/s | of the matrix product |',
        '|---|---|---|---|---|---|',
    ]
    for name, entry in report['files'].items():
        kind = 'int8' if 'QLinearConv' in entry['operators_ms'] else 'fp32'
        lines.append(
            f'| {name} | {entry["kernels_ms"]:.1f} | {entry["conv_ms"]:.1f} | '
            f'{entry["conv_gflop"]:.1f} | {entry["conv_gflops"]:.0f} | '
            f'{entry["conv_gflops"] / peaks[kind]:.2f} ({kind}) |'
        )
    for name, entry in report['files'].items():
        lines += ['', f'{name}: kernels', '', '| kernel | ms | share |', '|---|---|---|']
        lines += [
            f'| {kernel} | {ms:.2f} | {ms / entry["kernels_ms"]:.0%} |'
            for kernel, ms in list(entry['operators_ms'].items())[:_LAYERS]
        ]
        lines += ['', f'{name}: longest layers', '', '| node | output | ms |', '|---|---|---|']
        lines += [
            f'| {layer["node"]} ({layer["kernel"]}) | {layer["output"]} | {layer["ms"]:.2f} |'
            for layer in entry['layers'][:_LAYERS]
        ]
    return '\n'.join(lines)


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    return options


def _noise(session: onnxruntime.InferenceSession) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        value.name: random.uniform(0.0, 255.0, value.shape).astype(np.float32)
        for value in session.get_inputs()
    }


def _product(kind: str, threads: int) -> Callable[[], object]:
    """Return a matrix product whose second factor is constant, as weights are."""
    shape = [_GEMM_SIZE, _GEMM_SIZE]
    random = np.random.default_rng(0)
    first: Any = random.integers(0, 256, shape).astype(np.uint8)
    second: Any = random.integers(-127, 128, shape).astype(np.int8)
    types, operator = (TensorProto.UINT8, TensorProto.INT32), 'MatMulInteger'
    if kind == 'fp32':
        first, second = first.astype(np.float32), second.astype(np.float32)
        types, operator = (TensorProto.FLOAT, TensorProto.FLOAT), 'MatMul'
    graph = helper.make_graph(
        [helper.make_node(operator, ['a', 'b'], ['c'])],
        'product',
        [helper.make_tensor_value_info('a', types[0], shape)],
        [helper.make_tensor_value_info('c', types[1], shape)],
        [onnx.numpy_helper.from_array(second, 'b')],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), _options(threads), providers=['CPUExecutionProvider']
    )
    return lambda: session.run(None, {'a': first})


if __name__ == '__main__':
    main()
