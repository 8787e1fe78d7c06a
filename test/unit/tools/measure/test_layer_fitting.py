# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Weights that are rounded together answer as those of the float model do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fcrn_depth_ros.tools.measure.activations import Inside
from fcrn_depth_ros.tools.measure.layer_fitting import fit_layers
from fcrn_depth_ros.tools.measure.quantization import quantize_file
from fcrn_depth_ros.tools.measure.weight_rounding import round_together
import numpy as np
from numpy.typing import NDArray
from onnx import helper, load, ModelProto, NodeProto, numpy_helper, save, TensorProto
import pytest

Pictures = list[dict[str, NDArray[np.float32]]]

# What an ONNX convolution can be: a depthwise one with a stride, and one with unequal padding.
LAYERS: dict[str, dict[str, Any]] = {
    'first': {'pads': [1, 1, 1, 1]},
    'second': {'pads': [0, 0, 1, 1], 'strides': [2, 2], 'group': 8},
    'third': {'pads': [2, 2, 2, 2], 'dilations': [2, 2]},
    'head': {'pads': [1, 1, 1, 1]},
}
STEP = 1 / 64


def made_model() -> ModelProto:
    """Return a model most of whose weights are less than half a step, and round to nothing."""
    rng = np.random.default_rng(0)
    nodes: list[NodeProto] = []
    constants, source, inputs = [], 'image', 3
    for name, attributes in LAYERS.items():
        group = attributes.get('group', 1)
        weight = rng.uniform(0.1, 0.45, (8, inputs // group, 3, 3)) * STEP
        weight[:, 0, 1, 1] = 1
        for kind, value in (('weight', weight), ('bias', rng.uniform(0.05, 0.1, 8))):
            constants.append(numpy_helper.from_array(value.astype(np.float32), f'{name}.{kind}'))
        given = [source, f'{name}.weight', f'{name}.bias']
        nodes.append(helper.make_node('Conv', given, [name], name, **attributes))
        if name != 'head':
            source, inputs = f'{name}.relu', 8
            nodes.append(helper.make_node('Relu', [name], [source], source))
    image = helper.make_tensor_value_info('image', TensorProto.FLOAT, [1, 3, 16, 24])
    head = helper.make_tensor_value_info('head', TensorProto.FLOAT, [1, 8, 8, 12])
    graph = helper.make_graph(nodes, 'test', [image], [head], constants)
    opset = [helper.make_opsetid('', 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10)


def made_pictures(seed: int) -> Pictures:
    rng = np.random.default_rng(seed)
    return [{'image': rng.random((1, 3, 16, 24), np.float32)} for _ in range(16)]


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp('models')
    names = ('float', 'rounded', 'fitted')
    found = {name: folder / f'{name}.onnx' for name in names}
    save(made_model(), str(found['float']))
    quantize_file(found['float'], found['rounded'], made_pictures(1), 'image')
    quantize_file(found['float'], found['fitted'], made_pictures(1), 'image', fit_to=16)
    return found


def answers(path: Path, pictures: Pictures) -> NDArray[np.float32]:
    inside = Inside(load(str(path)), ['head'])
    return np.stack([inside.read(each)['head'] for each in pictures])


@pytest.mark.parametrize('seed', [1, 2])
def test_fitted_weights_answer_like_the_float_model(files: dict[str, Path], seed: int) -> None:
    wanted, rounded, fitted = (
        answers(files[name], made_pictures(seed)) for name in ('float', 'rounded', 'fitted')
    )
    # Of these pictures, and of others.
    assert np.abs(rounded - wanted).mean() > 0.1 * wanted.mean()
    assert np.abs(fitted - wanted).mean() < 0.02 * wanted.mean()
    np.testing.assert_allclose(fitted.mean((0, 1, 3, 4)), wanted.mean((0, 1, 3, 4)), rtol=5e-3)


def test_weights_keep_seven_bits_and_all_else_stays(files: dict[str, Path]) -> None:
    rounded, fitted = (load(str(files[name])) for name in ('rounded', 'fitted'))
    assert rounded.graph.node == fitted.graph.node
    changed = set()
    for before, after in zip(rounded.graph.initializer, fitted.graph.initializer, strict=True):
        assert (before.name, before.data_type, before.dims) == (
            after.name,
            after.data_type,
            after.dims,
        )
        if before != after:
            changed.add(before.name)
            if after.data_type == TensorProto.INT8:
                assert np.abs(numpy_helper.to_array(after).astype(int)).max() <= 64
    names = {f'{name}.weight_quantized' for name in LAYERS} - {'head.weight_quantized'}
    assert changed == names | {name.replace('weight', 'bias') for name in names}


def test_a_layer_too_large_to_solve_has_its_mean_corrected(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('fcrn_depth_ros.tools.measure.layer_fitting._MOST_WEIGHTS', 1)
    source, model = load(str(files['float'])), load(str(files['rounded']))
    before = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    assert fit_layers(source, model, made_pictures(1), 64) == 3
    for each in model.graph.initializer:
        if each.data_type == TensorProto.INT8:
            np.testing.assert_array_equal(numpy_helper.to_array(each), before[each.name])
    for name in ('first', 'third'):
        said, wanted = (
            np.mean([tensor.mean((0, 2, 3)) for tensor in outputs_of(each, name)], 0)
            for each in (model, source)
        )
        np.testing.assert_allclose(said, wanted, rtol=1e-3)


def outputs_of(model: ModelProto, name: str) -> list[NDArray[np.float32]]:
    output = next(node.output[0] for node in model.graph.node if node.name == name)
    inside = Inside(model, [output], literal=True)
    return [inside.read(picture)[output] for picture in made_pictures(1)]


def test_a_convolution_without_a_bias_stays_as_it_is(tmp_path: Path) -> None:
    model = made_model()
    del model.graph.node[0].input[2]
    source, target = tmp_path / 'float.onnx', tmp_path / 'int8.onnx'
    save(model, str(source))
    quantize_file(source, target, made_pictures(1), 'image')
    quantised = load(str(target))
    assert fit_layers(model, quantised, made_pictures(1), 64) == 2


def test_a_bias_that_two_layers_share_stays_as_it_is(files: dict[str, Path]) -> None:
    source, model = load(str(files['float'])), load(str(files['rounded']))
    first, third = (
        next(node for node in model.graph.node if node.name == name) for name in ('first', 'third')
    )
    third.input[2] = first.input[2]
    assert fit_layers(source, model, made_pictures(1), 64) == 1


def test_a_model_without_quantised_layers_stays_as_it_is() -> None:
    model = made_model()
    assert fit_layers(model, model, made_pictures(1), 64) == 0


def test_what_one_weight_loses_another_makes_up_for() -> None:
    rng = np.random.default_rng(0)
    inputs = np.repeat(rng.normal(size=(400, 1)), 2, axis=1)  # two inputs that are always alike
    inputs += 0.01 * rng.normal(size=inputs.shape)
    weight = np.array([[2.4, 3.4]])  # in steps; one by one they round to 2 and 3
    stored, bias = round_together(weight, np.ones(1), inputs, inputs @ weight.T, 64)
    assert stored.sum() == 6
    assert abs(bias[0]) < 0.05


def test_what_the_inputs_lost_is_made_up_for() -> None:
    rng = np.random.default_rng(0)
    exact = rng.normal(size=(400, 3))
    weight = np.array([[10.0, 20.0, 30.0]])
    stored, bias = round_together(weight, np.ones(1), 0.5 * exact + 1, exact @ weight.T, 64)
    assert np.abs(stored - 2 * weight).max() <= 1
    assert bias[0] == pytest.approx(-stored.sum(), abs=1)


@pytest.mark.parametrize(('limit', 'largest'), [(64, 64), (127, 127), (10, 10)])
def test_no_weight_is_beyond_the_limit(limit: int, largest: int) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(100, 4))
    weight = np.full((2, 4), 200.0)
    stored, _ = round_together(weight, np.ones(2), inputs, inputs @ weight.T, limit)
    assert np.abs(stored.astype(int)).max() == largest


def test_inputs_that_never_change_leave_the_weights() -> None:
    weight = np.array([[1.2, -2.7]])
    stored, bias = round_together(weight, np.ones(1), np.full((50, 2), 3.0), np.ones((50, 1)), 64)
    np.testing.assert_array_equal(stored, [[1, -3]])
    assert bias[0] == pytest.approx(1 + 3 * 2)
