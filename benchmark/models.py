# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
How long one picture takes: FCRN and fcrn_lite here and in other runtimes, interleaved in one run.

Every round runs each candidate once, so that whatever else the machine does meets all of them
alike. Ratios of two rows of one run are meaningful; milliseconds depend on the machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
import datetime
from functools import partial
import importlib.util
import json
import os
from pathlib import Path
import statistics
import time
from typing import Any

from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.estimation.onnx_model import (
    embedded_model_path,
    load_onnx_model,
    PROVIDERS,
    SessionConfig,
)
from fcrn_depth_ros.report.output_files import add_overwrite_argument, check_outputs
import numpy as np
import onnx
from onnx import helper, TensorProto
import onnxruntime

from .machine import processor, versions
from .peers import openvino_runner, Picture, torch_runner
from .random_fcrn import write_models

BASELINE = 'FCRN naive, fp32, ONNX Runtime'
_BF16 = '{"load_config": {"CPU": {"INFERENCE_PRECISION_HINT": "bf16"}}}'
_GEMM_SIZE = 1024
_WARM_UP_RUNS = 2


@dataclass(frozen=True)
class Candidate:
    """One row of the table."""

    name: str
    run: Callable[[], object]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog='scripts/bench models', description=__doc__)
    parser.add_argument('--threads', type=int, default=1, help='of every candidate (default: 1)')
    parser.add_argument('--rounds', type=int, default=15, help='default: 15')
    parser.add_argument(
        '--models',
        type=Path,
        default=Path('bench_out/models'),
        help='where the networks are built and kept (default: %(default)s)',
    )
    parser.add_argument('--json', type=Path, help='write the measurements here')
    parser.add_argument('--chart', type=Path, help='write a bar chart (PNG) here')
    parser.add_argument('--no-peers', action='store_true', help='ONNX Runtime only')
    add_overwrite_argument(parser)
    arguments = parser.parse_args()
    try:
        check_outputs(
            [path for path in (arguments.json, arguments.chart) if path],
            [arguments.models],
            arguments.overwrite,
        )
    except ToolInputError as error:
        parser.error(str(error))
    missing: list[str] = []
    files = write_models(arguments.models)
    candidates = list(ours(files, arguments.threads, missing))
    if not arguments.no_peers:
        candidates += peers(files, arguments.threads, missing)
    rows = measure(candidates, arguments.rounds)
    report = {
        'date': datetime.date.today().isoformat(),
        'machine': f'{processor()}, {os.cpu_count()} cores',
        'versions': versions(),
        'threads': arguments.threads,
        'rounds': arguments.rounds,
        'load_average': os.getloadavg()[0],
        'rows': rows,
        'missing': missing,
    }
    print(format_table(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + '\n')
    if arguments.chart:
        draw(report, arguments.chart)


def ours(files: dict[str, Path], threads: int, missing: list[str]) -> Iterator[Candidate]:
    """Yield what runs in ONNX Runtime, as the node does it, and the machine's matrix product."""
    lite, lite_int8 = embedded_model_path('CUDA'), embedded_model_path('CPU')
    models = {
        BASELINE: (files['naive'], 'CPU', ''),
        'FCRN, fp32': (files['fp32'], 'CPU', ''),
        'FCRN, INT8': (files['int8'], 'CPU', ''),
        'fcrn_lite, fp32': (lite, 'CPU', ''),
        'fcrn_lite, INT8': (lite_int8, 'CPU', ''),
    }
    if PROVIDERS['OpenVINO'] in onnxruntime.get_available_providers():
        models |= {
            'FCRN, fp32, provider OpenVINO': (files['fp32'], 'OpenVINO', ''),
            'FCRN, bf16, provider OpenVINO': (files['fp32'], 'OpenVINO', _BF16),
            'FCRN, INT8, provider OpenVINO': (files['int8'], 'OpenVINO', ''),
            'fcrn_lite, fp32, provider OpenVINO': (lite, 'OpenVINO', ''),
            'fcrn_lite, bf16, provider OpenVINO': (lite, 'OpenVINO', _BF16),
            'fcrn_lite, INT8, provider OpenVINO': (lite_int8, 'OpenVINO', ''),
        }
    else:
        missing.append('provider OpenVINO: this onnxruntime has none (onnxruntime-openvino does)')
    for name, (path, provider, options) in models.items():
        if not path.is_file():
            missing.append(f'{name}: no {path.name}')
            continue
        session = SessionConfig(provider, options, intra_op_threads=threads)
        model = load_onnx_model(path, session)
        picture = _noise(model.card.input_height, model.card.input_width)
        yield Candidate(name, partial(model.run, picture))
    yield Candidate(f'matrix product of {_GEMM_SIZE}, fp32', _gemm(threads))


def peers(files: dict[str, Path], threads: int, missing: list[str]) -> Iterator[Candidate]:
    """Yield the other runtimes that are installed."""
    picture = _noise(228, 304)
    openers: dict[str, tuple[str, Callable[[], Callable[[Picture], object]]]] = {
        'FCRN naive, fp32, PyTorch': (
            'torch', lambda: torch_runner(files['naive'], compiled=False)
        ),
        'FCRN, fp32, torch.compile': (
            'torch', lambda: torch_runner(files['fp32'], compiled=True)
        ),
        'FCRN, fp32, OpenVINO': (
            'openvino', lambda: openvino_runner(files['fp32'], threads, 'f32')
        ),
        'FCRN, bf16, OpenVINO': (
            'openvino', lambda: openvino_runner(files['fp32'], threads, 'bf16')
        ),
        'FCRN, INT8, OpenVINO': (
            'openvino', lambda: openvino_runner(files['int8'], threads, 'f32')
        ),
    }  # fmt: skip
    if importlib.util.find_spec('torch'):
        import torch

        torch.set_num_threads(threads)
    for name, (package, opener) in openers.items():
        if importlib.util.find_spec(package) is None:
            missing.append(f'{name}: {package} is not installed')
            continue
        try:
            run = opener()
            run(picture)
        except Exception as err:
            # A peer that fails is a line of the report, not the end of the run.
            missing.append(f'{name}: {" ".join(str(err).split())[:200]}')
            continue
        yield Candidate(name, partial(run, picture))


def measure(candidates: list[Candidate], rounds: int) -> list[dict[str, Any]]:
    """
    Run every candidate once per round.

    Parameters
    ----------
    candidates : list of Candidate
        One of them is the baseline.
    rounds : int
        How many times.

    Returns
    -------
    list of dict
        Name, all times, least and median in ms, and how many times faster than the baseline by
        each; by increasing median.

    """
    times: dict[str, list[float]] = {candidate.name: [] for candidate in candidates}
    for turn in range(-_WARM_UP_RUNS, rounds):
        for candidate in candidates:
            start = time.perf_counter()
            candidate.run()
            if turn >= 0:
                times[candidate.name].append((time.perf_counter() - start) * 1e3)
    baseline = times[BASELINE]
    rows = [
        {
            'name': name,
            'min_ms': min(values),
            'median_ms': statistics.median(values),
            'faster_by_min': min(baseline) / min(values),
            'faster_by_median': statistics.median(baseline) / statistics.median(values),
            'times_ms': [round(value, 3) for value in values],
        }
        for name, values in times.items()
    ]
    return sorted(rows, key=lambda row: row['median_ms'])


def format_table(report: dict[str, Any]) -> str:
    """Return the measurements as a table of Markdown."""
    lines = [
        f'{report["machine"]}, threads: {report["threads"]}, {report["rounds"]} rounds, '
        f'{report["date"]}; {", ".join(f"{k} {v}" for k, v in report["versions"].items())}',
        '',
        '| | min ms | median ms | x faster (min) | x faster (median) |',
        '|---|---|---|---|---|',
    ]
    for row in report['rows']:
        is_network = not row['name'].startswith('matrix')
        factors = (
            f'{row["faster_by_min"]:.2f} | {row["faster_by_median"]:.2f}'
            if is_network
            else f'{2 * _GEMM_SIZE**3 / row["min_ms"] / 1e6:.0f} GFLOP/s | '
        )
        lines.append(
            f'| {row["name"]} | {row["min_ms"]:.1f} | {row["median_ms"]:.1f} | {factors} |'
        )
    lines += [f'Not measured: {text}' for text in report['missing']]
    return '\n'.join(lines)


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw the medians as bars; the least times are marked."""
    from matplotlib.figure import Figure

    rows = [row for row in report['rows'] if not row['name'].startswith('matrix')][::-1]
    figure = Figure(figsize=(9, 0.45 * len(rows) + 1.2))
    axes = figure.subplots()
    names = [row['name'] for row in rows]
    colors = [
        'tab:blue' if name.count(',') == 1 or 'provider' in name else 'tab:gray' for name in names
    ]
    bars = axes.barh(names, [row['median_ms'] for row in rows], color=colors)
    axes.margins(x=0.1)
    axes.bar_label(bars, [f'{row["median_ms"]:.0f}' for row in rows], padding=3)
    axes.plot([row['min_ms'] for row in rows], names, 'k|', markersize=10)
    axes.set_xlabel(f'ms per picture, median and least (black); threads: {report["threads"]}')
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _noise(height: int, width: int) -> Picture:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (1, 3, height, width)).astype(np.float32)


def _gemm(threads: int) -> Callable[[], object]:
    shape = [_GEMM_SIZE, _GEMM_SIZE]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in 'abc']
    graph = helper.make_graph(
        [helper.make_node('MatMul', ['a', 'b'], ['c'])], 'gemm', values[:2], values[2:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=['CPUExecutionProvider']
    )
    matrix = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return lambda: session.run(None, {'a': matrix, 'b': matrix})


if __name__ == '__main__':
    main()
