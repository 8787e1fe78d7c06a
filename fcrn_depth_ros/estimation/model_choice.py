# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Which model file runs: one that is named, or the faster of two in the package.

INT8 is faster than float on most processors, by what their instructions for it allow, and slower
on some. Which it is here is measured once a process, with both files themselves, in processor
time: what else the machine does while a robot starts must not decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
import json
import os
from pathlib import Path
import subprocess
import sys
import time

import numpy as np

from .onnx_model import (
    embedded_model_path,
    load_onnx_model,
    MODELS,
    OnnxModel,
    PROVIDERS,
    providers_of,
    SessionConfig,
)
from ..errors import ModelFileError

# Names that stand for a network of the package, and the stem of its files.
NETWORKS = {'auto': 'fcrn_lite', 'fcrn_lite': 'fcrn_lite', 'tiny': 'fcrn_lite_tiny',
            'fcrn_lite_tiny': 'fcrn_lite_tiny'}  # fmt: skip
# Rounds beyond the first, in which a session still allocates, begin only within this time.
_TIME_LIMIT_S = 0.15
_MAX_ROUNDS = 6
# INT8 unless float is this much faster: a draw must not depend on what else runs.
_LEAST_GAIN = 1.1


@dataclass(frozen=True)
class ModelChoice:
    """
    A model file, and why it was chosen.

    Attributes
    ----------
    path : Path
        The file.
    reason : str
        For log and diagnostics, for example `measured: INT8 12.1 ms, float 30.4 ms`.
    model : OnnxModel or None
        The opened file, where it was opened to be measured.

    """

    path: Path
    reason: str
    model: OnnxModel | None = None


_measured: dict[tuple[Path, Path, SessionConfig], ModelChoice] = {}


def load_model(
    model_file: str = 'auto',
    session: SessionConfig | None = None,
    card_overrides: Mapping[str, str] | None = None,
) -> tuple[OnnxModel, ModelChoice]:
    """
    Open the model that a user asked for.

    Parameters
    ----------
    model_file : str
        See :func:`choose_model`.
    session : SessionConfig, optional
        How to execute it.
    card_overrides : mapping of str to str, optional
        Card keys that the file lacks.

    Returns
    -------
    OnnxModel
        Ready to run.
    ModelChoice
        Its file, and why that.

    Raises
    ------
    ModelFileError, ModelCardError, ProviderError
        See :func:`choose_model` and :func:`~.onnx_model.load_onnx_model`.

    """
    choice = choose_model(model_file, session)
    if choice.model is not None and not card_overrides:
        return choice.model, choice
    return load_onnx_model(choice.path, session, card_overrides), choice


def choose_model(
    model_file: str = 'auto', session: SessionConfig | None = None, models: Path = MODELS
) -> ModelChoice:
    """
    Find the model file for what a user asked for.

    Parameters
    ----------
    model_file : str
        `auto` or `fcrn_lite` (the network of the package), `tiny` or `fcrn_lite_tiny` (its small
        one): on the CPU the faster of its INT8 and float file, measured. Empty is fcrn_lite by
        the provider alone. Otherwise a path; a file name alone may be one in the package.
    session : SessionConfig, optional
        With which it will run, and is measured.
    models : Path
        Folder of the package's files.

    Returns
    -------
    ModelChoice
        Measured once a process for each network and session.

    Raises
    ------
    ModelFileError
        A network of the package is asked for whose files are not there, or cannot be read.
    ProviderError
        See :func:`~fcrn_depth_ros.estimation.onnx_model.resolve_providers`.

    """
    config = session or SessionConfig()
    if model_file == '':
        return ModelChoice(embedded_model_path(config.provider), 'by the provider')
    name = NETWORKS.get(model_file)
    if name is None:
        path = Path(model_file).expanduser()
        in_package = models / path.name
        if path.name == str(path) and not path.exists() and in_package.is_file():
            path = in_package
        return ModelChoice(path, 'as named')
    by_provider = models / embedded_model_path(config.provider, name).name
    pair = tuple(path for path in (models / f'{name}_int8.onnx', models / f'{name}.onnx')
                 if path.is_file())  # fmt: skip
    if not pair:
        there = sorted({n for n in NETWORKS.values() if any(models.glob(f'{n}*.onnx'))})
        raise ModelFileError(
            f'model_file must name a network whose files are in this package '
            f'({", ".join(there) or "none"}), got {model_file!r}, and no {name}_int8.onnx or '
            f'{name}.onnx in {models}; set auto, or the path of an ONNX file'
        )
    if len(pair) == 1:
        return ModelChoice(pair[0], f'the only file of {name}')
    if providers_of(config)[0] != PROVIDERS['CPU']:
        return ModelChoice(by_provider, 'by the provider')
    key = pair[0], pair[1], config
    if key in _measured:
        return _measured[key]
    choice = _measured_apart(pair[0], pair[1], config) or faster_file(
        pair[0], pair[1], lambda path: load_onnx_model(path, config)
    )
    _measured[key] = replace(choice, model=None)
    return choice


def _measured_apart(int8: Path, full: Path, config: SessionConfig) -> ModelChoice | None:
    """
    Choose in a process of its own; None where that fails.

    Both networks at once take 130 MB more than one, and what a process once took from the system
    it hardly gives back.
    """
    module, arguments = 'fcrn_depth_ros.estimation.model_choice', json.dumps(asdict(config))
    try:
        ended = subprocess.run(
            [sys.executable, '-m', module, str(int8), str(full), arguments],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        path, reason = json.loads(ended.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    return ModelChoice(Path(path), reason)


def _main(int8: str, full: str, config: str) -> None:
    session = SessionConfig(**json.loads(config))
    choice = faster_file(Path(int8), Path(full), lambda path: load_onnx_model(path, session))
    print(json.dumps([str(choice.path), choice.reason]))


def faster_file(
    int8: Path,
    full: Path,
    load: Callable[[Path], OnnxModel],
    now_s: Callable[[], float] = time.process_time,
) -> ModelChoice:
    """
    Run two files of one network in turn, and choose the faster one.

    Parameters
    ----------
    int8, full : Path
        The quantised and the float file; of equals the first is taken.
    load : callable
        Opens a file.
    now_s : callable
        A clock, by default the time that this process was given of all cores.

    Returns
    -------
    ModelChoice
        By the shortest time of each: disturbances only make an inference longer.

    """
    models = {path: load(path) for path in (int8, full)}
    pictures = {path: _blank(model) for path, model in models.items()}
    times_s = dict.fromkeys(models, float('inf'))
    began_s = now_s()
    for _ in range(_MAX_ROUNDS):
        for path, model in models.items():
            start_s = now_s()
            model.run(pictures[path])
            times_s[path] = min(times_s[path], now_s() - start_s)
        if now_s() - began_s > _TIME_LIMIT_S:
            break
    is_float_faster = times_s[int8] > _LEAST_GAIN * times_s[full]
    reason = f'measured: INT8 {times_s[int8] * 1e3:.1f} ms, float {times_s[full] * 1e3:.1f} ms'
    chosen = full if is_float_faster else int8
    return ModelChoice(chosen, reason, models[chosen])


def _blank(model: OnnxModel) -> np.ndarray:
    card = model.card
    shape = (card.input_height, card.input_width)
    return np.zeros((1, 3, *shape) if card.input_layout == 'NCHW' else (1, *shape, 3), np.float32)


if __name__ == '__main__':
    _main(*sys.argv[1:])
