# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from fcrn_depth_ros.tools.measure.quantization import float_nodes
from onnx import helper, TensorProto


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
