# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Core ML files: what is read, and what is refused because it is another network."""

from __future__ import annotations

import subprocess
import sys

from benchmark.random_fcrn import random_weights
from coremltools.models import datatypes
from coremltools.models.neural_network import NeuralNetworkBuilder
from coremltools.proto import Model_pb2
from fcrn_depth_ros.__main__ import main
from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.tools.fcrn.coreml import interpret_coreml
from fcrn_depth_ros.tools.fcrn.graph import build_fcrn
from fcrn_depth_ros.tools.fcrn.import_weights import fcrn_card, read_coreml_weights
from fcrn_depth_ros.tools.fcrn.weights import RESIDUAL_STAGES, UP_PROJECTIONS
import numpy as np
from onnx import numpy_helper
import pytest

# top, bottom, left, right
BRANCH_PADS = {'A': (1, 1, 1, 1), 'B': (1, 0, 1, 1), 'C': (1, 1, 1, 0), 'D': (1, 0, 1, 0)}


class Writer:
    """Writes FCRN as a Core ML model, with weights in 16 bits."""

    def __init__(self, weights):
        self.weights = weights
        self.model = Model_pb2.Model()
        self.network = self.model.neuralNetwork
        image = self.model.description.input.add(name='image').type.imageType
        image.width, image.height, image.colorSpace = 304, 228, image.RGB
        self.model.description.output.add(name='depthmap')
        x = self.relu(self.conv('image', 'conv1', 'bn_conv1', (3, 3, 3, 3), 2))
        layer = self.layer('pool1', [x])
        layer.pooling.kernelSize[:], layer.pooling.stride[:] = (3, 3), (2, 2)
        self.border(layer.pooling.valid.paddingAmounts, (0, 1, 0, 1))
        x = 'pool1'
        for stage, (blocks, _, _) in RESIDUAL_STAGES.items():
            for block in blocks:
                x = self.block(x, f'{stage}{block}', 2 if block == 'a' and stage != '2' else 1)
        x = self.conv(x, 'layer1', 'layer1_BN')
        for name in UP_PROJECTIONS:
            x = self.up_projection(x, name)
        x = self.relu(self.conv(x, 'ConvPred', None, (1, 1, 1, 1)))
        self.network.layers[-1].output[:] = ['depthmap']

    def layer(self, name, inputs):
        return self.network.layers.add(name=name, input=inputs, output=[name])

    def border(self, amounts, pads):
        for start, end in (pads[:2], pads[2:]):
            amounts.borderAmounts.add(startEdgeSize=start, endEdgeSize=end)

    def conv(self, x, name, normalisation, pads=(0, 0, 0, 0), stride=1):
        layer = self.layer(name, [x]).convolution
        kernel = self.weights[name]['weights']
        *size, layer.kernelChannels, layer.outputChannels = kernel.shape
        layer.kernelSize[:], layer.stride[:] = size, (stride, stride)
        layer.dilationFactor[:], layer.nGroups = (1, 1), 1
        self.border(layer.valid.paddingAmounts, pads)
        layer.weights.float16Value = kernel.transpose(3, 2, 0, 1).astype('<f2').tobytes()
        if 'biases' in self.weights[name]:
            layer.hasBias = True
            layer.bias.floatValue[:] = self.weights[name]['biases']
        return self.norm(name, normalisation) if normalisation else name

    def norm(self, x, name):
        layer = self.layer(name, [x]).batchnorm
        layer.channels, layer.epsilon = len(self.weights[name]['scale']), 1e-5
        for field, key in (
            (layer.gamma, 'scale'),
            (layer.beta, 'offset'),
            (layer.mean, 'mean'),
            (layer.variance, 'variance'),
        ):
            field.floatValue[:] = self.weights[name][key]
        return name

    def relu(self, x):
        self.layer(f'{x}_relu', [x]).activation.ReLU.SetInParent()
        return f'{x}_relu'

    def add(self, x, y):
        self.layer(f'{x}_add', [x, y]).add.SetInParent()
        return self.relu(f'{x}_add')

    def block(self, x, name, stride):
        def branch(x, suffix, *rest):
            return self.conv(x, f'res{name}_branch{suffix}', f'bn{name}_branch{suffix}', *rest)

        shortcut = branch(x, '1', (0, 0, 0, 0), stride) if name.endswith('a') else x
        x = self.relu(branch(x, '2a', (0, 0, 0, 0), stride))
        x = self.relu(branch(x, '2b', (1, 1, 1, 1)))
        return self.add(branch(x, '2c'), shortcut)

    def up_projection(self, x, name):
        def unpooled(branch):
            prefix = f'{name}_{branch}'
            maps = [self.conv(x, f'{prefix}_Conv{k}', None, BRANCH_PADS[k]) for k in 'ACBD']
            self.layer(f'{prefix}_stack', maps).concat.SetInParent()
            shuffle = self.layer(f'{prefix}_shuffle', [f'{prefix}_stack']).reorganizeData
            shuffle.mode, shuffle.blockSize = shuffle.DEPTH_TO_SPACE, 2
            return self.norm(f'{prefix}_shuffle', f'{prefix}_BN')

        main = self.relu(unpooled('br1'))
        main = self.conv(main, f'{name}_Conv', f'{name}_BN', (1, 1, 1, 1))
        return self.add(main, unpooled('br2'))


@pytest.fixture(scope='module')
def weights():
    return random_weights(5)


@pytest.fixture(scope='module')
def written(weights):
    return Writer(weights).model


@pytest.fixture
def model(written):
    copy = Model_pb2.Model()
    copy.CopyFrom(written)
    return copy


def layer(model, name):
    return next(layer for layer in model.neuralNetwork.layers if layer.name == name)


def check_same_graph(found, weights):
    expected = {}
    for name, parameters in weights.items():
        expected[name] = dict(parameters)
        if 'weights' in parameters:
            expected[name]['weights'] = parameters['weights'].astype('<f2').astype(np.float32)
        if 'variance' in parameters:
            expected[name]['variance'] = parameters['variance'] + np.float32(1e-5 - 1e-4)
    for ours, right in zip(
        build_fcrn(found).graph.initializer, build_fcrn(expected).graph.initializer, strict=True
    ):
        assert ours.name == right.name
        ours, right = numpy_helper.to_array(ours), numpy_helper.to_array(right)
        np.testing.assert_allclose(ours, right, rtol=1e-4, atol=1e-5)


def test_the_layers_of_this_test_are_those_of_coremltools(model):
    names = ('layer2x_br1_ConvB', 'bn2a_branch1', 'layer2x_br1_shuffle', 'layer2x_br1_stack')
    convolution, normalisation, shuffle, stack = (layer(model, name) for name in names)
    array = datatypes.Array(1)
    builder = NeuralNetworkBuilder([('x', array)], [('y', array)])
    kernel = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    builder.add_convolution(
        'c', 4, 5, 2, 3, 1, 1, 'valid', 1, kernel, np.ones(5), True, input_name='a',
        output_name='c', padding_top=1, padding_bottom=0, padding_left=1, padding_right=1,
    )  # fmt: skip
    statistics = np.arange(1.0, 9.0).reshape(4, 2)
    builder.add_batchnorm('n', 2, *statistics, 'c', 'n', epsilon=1e-5)
    builder.add_reorganize_data('s', 'n', 's', mode='DEPTH_TO_SPACE', block_size=2)
    builder.add_elementwise('k', ['s', 't'], 'k', 'CONCAT')
    theirs = builder.spec.neuralNetwork.layers
    ours = convolution.convolution
    for key in ('valid', 'stride', 'dilationFactor', 'kernelSize', 'nGroups', 'hasBias'):
        assert getattr(ours, key) == getattr(theirs[0].convolution, key)
    transposed = kernel.transpose(3, 2, 0, 1).ravel()
    np.testing.assert_array_equal(theirs[0].convolution.weights.floatValue, transposed)
    assert normalisation.batchnorm.epsilon == theirs[1].batchnorm.epsilon
    np.testing.assert_array_equal(theirs[1].batchnorm.gamma.floatValue, [1, 2])
    assert shuffle.reorganizeData == theirs[2].reorganizeData
    assert stack.concat == theirs[3].concat


@pytest.mark.slow
def test_a_file_becomes_a_model(tmp_path, weights, model):
    path = tmp_path / 'FCRN.mlmodel'
    scaler = model.neuralNetwork.preprocessing.add(featureName='image').scaler
    scaler.channelScale, scaler.redBias, scaler.greenBias, scaler.blueBias = 0.5, -10, -20, -30
    path.write_bytes(model.SerializeToString())
    found, card = read_coreml_weights(path, fcrn_card(path, 'fp32'))
    assert (card.color_order, card.input_mean) == ('RGB', (20.0, 40.0, 60.0))
    assert card.input_scale == (0.5, 0.5, 0.5)
    check_same_graph(found, weights)
    out = tmp_path / 'fcrn.onnx'
    assert main(['import-weights', str(path), '--out', str(out)]) == 0
    assert out.stat().st_size > 254e6


@pytest.mark.slow
def test_other_spellings_of_the_same_network(weights, model):
    model.description.input[0].type.imageType.colorSpace = 30
    model.neuralNetwork.preprocessing.add().scaler.channelScale = 1.0
    model.neuralNetwork.preprocessing[0].scaler.blueBias = -7.0
    # Pads in a layer of their own, pads by rule, a normalisation that was folded.
    convolution = layer(model, 'layer4x_br2_ConvD')
    padding = model.neuralNetwork.layers.add(name='p', input=convolution.input, output=['p'])
    padding.padding.constant.value = 0.0
    amounts = convolution.convolution.valid.paddingAmounts
    padding.padding.paddingAmounts.CopyFrom(amounts)
    amounts.Clear()
    convolution.input[:] = ['p']
    layer(model, 'res2a_branch2b').convolution.same.SetInParent()
    layer(model, 'pool1').pooling.same.SetInParent()
    folded = layer(model, 'res3a_branch2a').convolution
    folded.hasBias = True
    folded.bias.floatValue[:] = weights['bn3a_branch2a']['offset']
    layer(model, 'bn3a_branch2a_relu').input[:] = ['res3a_branch2a']
    model.neuralNetwork.layers.remove(layer(model, 'bn3a_branch2a'))
    network = interpret_coreml(model)
    assert (network.color_order, network.input_mean) == ('BGR', (7.0, 0.0, 0.0))
    same = {'bn3a_branch2a': dict(weights['bn3a_branch2a'])}
    same['bn3a_branch2a'] |= {
        'mean': np.float32([0.0]), 'scale': np.float32([1.0]),
        'variance': np.full_like(same['bn3a_branch2a']['offset'], 1.0 - 1e-5),
    }  # fmt: skip
    check_same_graph(network.weights, {**weights, **same})


def gray(model):
    model.description.input[0].type.imageType.colorSpace = 10


def other_size(model):
    model.description.input[0].type.imageType.width = 320


def other_output(model):
    model.description.output[0].name = 'depth'


def mean_image(model):
    model.neuralNetwork.preprocessing.add().meanImage.SetInParent()


def no_scale(model):
    model.neuralNetwork.preprocessing.add().scaler.redBias = -1.0


def other_type(model):
    model.glmClassifier.SetInParent()


def set_convolution(name, **values):
    def change(model):
        for key, value in values.items():
            field = getattr(layer(model, name).convolution, key)
            if isinstance(value, list):
                field[:] = value
            else:
                setattr(layer(model, name).convolution, key, value)

    return change


def other_pads(model):
    amounts = layer(model, 'layer2x_br1_ConvB').convolution.valid.paddingAmounts
    amounts.borderAmounts[0].endEdgeSize = 1


def other_order(model):
    stack = layer(model, 'layer2x_br2_stack')
    stack.input[:] = [stack.input[i] for i in (0, 2, 1, 3)]


def pixel_shuffle(model):
    shuffle = layer(model, 'layer2x_br1_shuffle').reorganizeData
    shuffle.mode = shuffle.PIXEL_SHUFFLE


def leaky(model):
    layer(model, 'bn2a_branch2a_relu').activation.leakyReLU.alpha = 0.1


def average_pool(model):
    layer(model, 'pool1').pooling.type = 1


def other_shortcut(model):
    layer(model, 'bn2b_branch2c_add').input[1] = 'pool1'


def few_values(model):
    weights = layer(model, 'conv1').convolution.weights
    weights.float16Value = weights.float16Value[:-2]


def no_values(model):
    layer(model, 'conv1').convolution.weights.Clear()


def normalised_by_picture(model):
    layer(model, 'bn_conv1').batchnorm.computeMeanVar = True


def one_size(model):
    layer(model, 'pool1').pooling.kernelSize[:] = [3]
    layer(model, 'pool1').pooling.same.SetInParent()


def no_output(model):
    model.neuralNetwork.layers[3].output.pop()


def no_layer(model):
    model.neuralNetwork.layers.remove(layer(model, 'bn2a_branch2b_relu'))


@pytest.mark.parametrize(
    ('change', 'expected'),
    [
        (gray, 'input image must be an RGB or BGR image of 304x228, got 304x228 GRAYSCALE'),
        (other_size, 'got 320x228 RGB'),
        (other_output, 'features must be image -> depthmap, got .*depth'),
        (other_type, 'must be neuralNetwork, got glmClassifier'),
        (mean_image, r"must be one scaler for image, got \['meanImage'\]"),
        (no_scale, 'channelScale 0'),
        (set_convolution('conv1', stride=[1, 1]), r'stride of conv1 .* \(2, 2\), got \(1, 1\)'),
        (set_convolution('conv1', isDeconvolution=True), 'deconvolution of conv1'),
        (set_convolution('conv1', dilationFactor=[2, 2]), 'dilation of conv1'),
        (set_convolution('conv1', nGroups=3), 'groups of conv1'),
        (set_convolution('conv1', kernelChannels=1), 'shape of conv1'),
        (set_convolution('conv1', outputChannels=32), 'one convolution of 7x7 to 64 channels'),
        (few_values, r'conv1 \(convolution\) must be 9408 values, got 9407'),
        (no_values, 'conv1 .* must be float or float16 values'),
        (normalised_by_picture, r'bn_conv1 \(batchnorm\) must be a fixed normalisation'),
        (average_pool, r'pool1 \(pooling\) must be MAX.*, got AVERAGE'),
        (one_size, 'must be a consistent Core ML model, got: '),
        (no_output, 'must be a consistent Core ML model, got: '),
        (leaky, r'bn2a_branch2a_relu \(activation\) must be ReLU, got leakyReLU'),
        (no_layer, 'what reads bn2a_branch2b must be one activation layer, got nothing'),
        (other_shortcut, 'inputs of bn2b_branch2c_add'),
        (other_pads, r'pads of layer2x_br1_ConvB .* \(1, 1, 0, 1\), got \(1, 1, 1, 1\)'),
        (other_order, "inputs of layer2x_br2_stack .*'A', 'C', 'B', 'D'.*'A', 'B', 'C', 'D'"),
        (pixel_shuffle, 'DEPTH_TO_SPACE of 2, got PIXEL_SHUFFLE of 2'),
    ],
)
def test_another_network_is_refused(model, change, expected):
    change(model)
    with pytest.raises(ToolInputError, match=expected):
        interpret_coreml(model)


@pytest.mark.slow
def test_what_follows_the_depth_is_refused(model):
    layer(model, 'ConvPred_relu').output[:] = ['metres']
    last = model.neuralNetwork.layers.add(name='invert', input=['metres'], output=['depthmap'])
    last.unary.SetInParent()
    with pytest.raises(ToolInputError, match=r'also invert \(unary\)'):
        interpret_coreml(model)


def test_a_file_cut_short(tmp_path, capsys):
    path = tmp_path / 'FCRN.mlmodel'
    path.write_bytes(b'\x08\x01\x12\x50abc')
    assert main(['import-weights', str(path), '--out', str(tmp_path / 'x.onnx')]) == 2
    assert 'must be a complete Core ML file' in capsys.readouterr().err


def test_reading_is_quiet(tmp_path):
    path = tmp_path / 'FCRN.mlmodel'
    path.write_bytes(b'')
    command = [sys.executable, '-m', 'fcrn_depth_ros', 'import-weights', str(path)]
    done = subprocess.run(
        [*command, '--out', str(tmp_path / 'x.onnx')], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count('\n') == 1 and 'got nothing' in done.stderr
