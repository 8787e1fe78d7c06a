# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Which model file runs, and why."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from fcrn_depth_ros.errors import ModelCardError, ModelFileError, ProviderError
from fcrn_depth_ros.estimation import model_choice
from fcrn_depth_ros.estimation.model_choice import choose_model, faster_file, load_model
from fcrn_depth_ros.estimation.onnx_model import embedded_model_path, SessionConfig
import numpy as np
import onnxruntime
import pytest
from tiny_models import tiny_card, write_model

INT8, FLOAT = Path('net_int8.onnx'), Path('net.onnx')


class Clock:
    """A clock that only inferences move."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Model:
    """A network that takes the given times, one inference after the other."""

    def __init__(self, clock: Clock, times_s: list[float], layout: str = 'NCHW') -> None:
        self.card = tiny_card(input_layout=layout)
        self._clock, self._times_s = clock, times_s
        self.runs = 0
        self.shapes: set[tuple[int, ...]] = set()

    def run(self, image: np.ndarray) -> None:
        self.shapes.add(image.shape)
        self._clock.now_s += self._times_s[min(self.runs, len(self._times_s) - 1)]
        self.runs += 1


def choose(int8_s: list[float], float_s: list[float], layout: str = 'NCHW'):
    clock = Clock()
    models = {INT8: Model(clock, int8_s, layout), FLOAT: Model(clock, float_s, layout)}
    choice = faster_file(INT8, FLOAT, models.__getitem__, clock)
    return choice, models, clock.now_s


@pytest.mark.parametrize(
    ('int8_s', 'float_s', 'path'),
    [
        ([0.010], [0.020], INT8),
        ([0.020], [0.010], FLOAT),
        ([0.010], [0.0095], INT8),  # a draw
        ([0.0111], [0.010], FLOAT),
        ([0.0109], [0.010], INT8),
        ([0.3, 0.010], [0.001, 0.020], FLOAT),  # out of time after the first of each
        ([0.1, 0.010], [0.02], INT8),  # the first inference allocates
        ([0.010, 0.010, 0.1, 0.1], [0.020], INT8),  # something else ran in between
    ],
)
def test_the_faster_file_by_its_shortest_time(int8_s, float_s, path):
    choice, models, _ = choose(int8_s, float_s)
    assert choice.path == path
    assert len({model.runs for model in models.values()}) == 1


def test_the_reason_holds_both_times():
    choice, models, _ = choose([0.010], [0.0204])
    assert choice.reason == 'measured: INT8 10.0 ms, float 20.4 ms'
    assert choice.model is models[INT8]


def test_a_model_is_opened_with_its_card(tmp_path):
    path = write_model(tmp_path / 'm.onnx')
    model, choice = load_model(str(path))
    assert (model.path, choice.reason) == (path, 'as named')
    assert load_model(str(path), None, {'metrics': 'mine'})[0].card.metrics == 'mine'
    with pytest.raises(ModelCardError):
        load_model('auto', None, {'name': 'another'})
    assert load_model('auto')[0].card.name == 'fcrn_lite'


def test_measuring_ends_soon():
    _, models, took_s = choose([0.001], [0.001])
    assert (models[INT8].runs, took_s) == (6, pytest.approx(0.012))
    _, models, took_s = choose([0.05], [0.08])
    assert models[INT8].runs == 2
    assert took_s < 0.5
    # A slow computer runs each once.
    assert choose([1.0], [2.0])[1][FLOAT].runs == 1


@pytest.mark.parametrize(('layout', 'shape'), [('NCHW', (1, 3, 24, 32)), ('NHWC', (1, 24, 32, 3))])
def test_what_is_measured_has_the_shape_of_the_card(layout, shape):
    assert choose([0.1], [0.1], layout)[1][INT8].shapes == {shape}


@pytest.fixture
def folder(tmp_path):
    for name in ('fcrn_lite_int8', 'fcrn_lite', 'fcrn_lite_tiny'):
        write_model(tmp_path / f'{name}.onnx')
    return tmp_path


@pytest.mark.parametrize('name', ['auto', 'fcrn_lite'])
def test_the_network_of_the_package_is_measured_once_a_process(folder, name):
    choice = choose_model(name, models=folder)
    assert choice.path in (folder / 'fcrn_lite_int8.onnx', folder / 'fcrn_lite.onnx')
    assert choice.reason.startswith('measured: INT8 ')
    # Measured in a process of its own: this one holds no network yet.
    assert choice.model is None
    again = choose_model('auto', models=folder)
    assert again == dataclasses.replace(choice, model=None)
    other = SessionConfig(intra_op_threads=2)
    choose_model(name, other, folder)
    assert other in {config for *_, config in model_choice._measured}


def test_a_size_with_one_file_needs_no_measuring(folder):
    for name in ('tiny', 'fcrn_lite_tiny'):
        choice = choose_model(name, models=folder)
        assert choice.path == folder / 'fcrn_lite_tiny.onnx'
        assert choice.reason == 'the only file of fcrn_lite_tiny'


def test_a_size_that_is_not_in_the_package_is_named(folder):
    (folder / 'fcrn_lite_tiny.onnx').unlink()
    with pytest.raises(ModelFileError, match=r"package \(fcrn_lite\), got 'tiny'.*set auto"):
        choose_model('tiny', models=folder)
    with pytest.raises(ModelFileError, match=r'package \(none\)'):
        choose_model('auto', models=folder / 'nowhere')


def test_a_path_is_taken_as_it_is(folder, monkeypatch):
    path = folder / 'elsewhere' / 'fcrn_lite.onnx'
    assert choose_model(str(path), models=folder).path == path
    assert choose_model('~/m.onnx', models=folder).path == Path.home() / 'm.onnx'
    monkeypatch.chdir(folder)
    assert choose_model('auto.onnx', models=folder).path == Path('auto.onnx')


def test_a_file_name_alone_may_be_in_the_package(folder, monkeypatch, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp('elsewhere')
    monkeypatch.chdir(elsewhere)
    assert choose_model('fcrn_lite.onnx', models=folder).path == folder / 'fcrn_lite.onnx'
    # A file at hand comes first.
    write_model(elsewhere / 'fcrn_lite.onnx')
    assert choose_model('fcrn_lite.onnx', models=folder).path == Path('fcrn_lite.onnx')


def test_an_empty_name_goes_by_the_provider_alone():
    assert choose_model('').path == embedded_model_path()
    assert choose_model('', SessionConfig(provider='CUDA')).path == embedded_model_path('CUDA')


def test_other_providers_are_not_measured(folder, monkeypatch):
    with pytest.raises(ProviderError):
        choose_model('auto', SessionConfig(provider='CUDA'), folder)
    fallback = SessionConfig(provider='CUDA', allow_provider_fallback=True)
    assert choose_model('auto', fallback, folder).reason.startswith('measured')
    monkeypatch.setattr(
        onnxruntime,
        'get_available_providers',
        lambda: ['CUDAExecutionProvider', 'OpenVINOExecutionProvider', 'CPUExecutionProvider'],
    )
    cuda = choose_model('auto', SessionConfig(provider='CUDA'), folder)
    assert (cuda.path.name, cuda.reason) == ('fcrn_lite.onnx', 'by the provider')
    openvino = choose_model('auto', SessionConfig(provider='OpenVINO'), folder)
    assert openvino.path.name == 'fcrn_lite_int8.onnx'


def test_the_second_network_takes_no_memory_of_this_process(monkeypatch):
    model_choice._measured.clear()
    monkeypatch.setattr(model_choice, 'load_onnx_model', None)  # would be called here
    assert choose_model('auto').reason.startswith('measured: INT8 ')
    model_choice._measured.clear()
