# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from fcrn_depth_ros.tools.measure.quantization import float_nodes, quantize_file
import numpy as np
from onnx import helper, load, numpy_helper, save, TensorProto


def conv(name, source):
    return helper.make_node('Conv', [source, f'{name}.weight'], [name], name=name)


def graph(*nodes):
    image = helper.make_tensor_value_info('image', TensorProto.FLOAT, [1, 3, 8, 8])
    output = helper.make_tensor_value_info('depth', TensorProto.FLOAT, [1, 1, 8, 8])
    return helper.make_graph(list(nodes), 'test', [image], [output])


def test_the_last_convolution_and_what_follows_stay_float():
    nodes = (
        conv('stem', 'image'),
        conv('head', 'stem'),
        helper.make_node('Relu', ['head'], ['depth'], name='relu'),
    )
    assert float_nodes(graph(*nodes), 'image') == ['head', 'relu']


def test_every_network_of_a_mean_keeps_its_last_convolution_float():
    nodes = (
        conv('stem', 'image'),
        conv('head_0', 'stem'),
        conv('deeper_1', 'stem'),
        conv('head_1', 'deeper_1'),
        helper.make_node('Add', ['head_0', 'head_1'], ['depth'], name='add'),
    )
    assert float_nodes(graph(*nodes), 'image') == ['head_0', 'head_1', 'add']


def test_what_does_not_come_from_the_picture_stays_float():
    nodes = (
        conv('geometry', 'mounting'),
        conv('stem', 'image'),
        helper.make_node('Add', ['stem', 'geometry'], ['sum'], name='sum'),
        conv('head', 'sum'),
    )
    made = graph(*nodes)
    made.input.append(helper.make_tensor_value_info('mounting', TensorProto.FLOAT, [1, 1, 8, 8]))
    assert float_nodes(made, 'image') == ['geometry', 'head']


def test_two_products_of_eight_bits_stay_within_sixteen(tmp_path):
    # x86 processors without VNNI add two of them in 16 bits: 255 x 64 + 255 x 64 < 2^15.
    rng = np.random.default_rng(0)
    weights = {
        'stem.weight': rng.normal(size=(8, 3, 3, 3)).astype(np.float32),
        'head.weight': rng.normal(size=(1, 8, 3, 3)).astype(np.float32),
    }
    made = helper.make_graph(
        [conv('stem', 'image'), conv('depth', 'stem')],
        'test',
        [helper.make_tensor_value_info('image', TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info('depth', TensorProto.FLOAT, [1, 1, 4, 4])],
        [
            numpy_helper.from_array(value, name.replace('head', 'depth'))
            for name, value in weights.items()
        ],
    )
    source, target = tmp_path / 'float.onnx', tmp_path / 'int8.onnx'
    opset = [helper.make_opsetid('', 17)]
    save(helper.make_model(made, opset_imports=opset, ir_version=10), str(source))
    pictures = [{'image': rng.normal(size=(1, 3, 8, 8)).astype(np.float32)} for _ in range(2)]
    quantize_file(source, target, pictures, 'image')
    stored = [
        numpy_helper.to_array(tensor)
        for tensor in load(str(target)).graph.initializer
        if tensor.data_type == TensorProto.INT8 and len(tensor.dims) == 4
    ]
    assert len(stored) == 1
    assert 60 <= np.abs(stored[0].astype(int)).max() <= 64
