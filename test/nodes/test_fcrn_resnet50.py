# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The paper's network, imported by the command, runs in the node like any other model."""

from __future__ import annotations

from pathlib import Path

from benchmark.random_fcrn import random_weights
from diagnostic_msgs.msg import DiagnosticArray
from fcrn_depth_ros.__main__ import main
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.nodes.depth_node import DepthNode
from fcrn_depth_ros.ros.messages import camera_info_message, image_message
import numpy as np
import pytest
from running_node import parameters, RunningNode
from sensor_msgs.msg import Image
from std_msgs.msg import Header

CAMERA = CameraIntrinsics(518.86, 518.86, 319.5, 239.5, 640, 480)


@pytest.mark.slow
def test_an_imported_network_publishes_depth_and_says_what_it_is(tmp_path: Path) -> None:
    weights = random_weights()
    # Whatever the encoder sees is 2 m away.
    weights['ConvPred']['weights'][:] = 0.0
    weights['ConvPred']['biases'][:] = 2.0
    source, model = tmp_path / 'weights.npy', tmp_path / 'fcrn_resnet50.onnx'
    np.save(source, weights, allow_pickle=True)
    assert main(['import-weights', str(source), '--out', str(model)]) == 0

    node = RunningNode(
        lambda: DepthNode(parameter_overrides=parameters({'model_file': str(model)}))
    )
    try:
        images = node.listen(Image, 'depth/image_rect')
        diagnostics = node.listen(DiagnosticArray, '/diagnostics')
        node.publish('camera_info', camera_info_message(Header(), CAMERA))
        node.wait_for(lambda: node.node._camera_info is not None)
        pixels = np.random.default_rng(0).integers(60, 200, (12, 16, 3)).astype(np.uint8)
        pixels = np.kron(pixels, np.ones((40, 40, 1), np.uint8))
        node.publish('image', image_message(Header(), pixels, 'rgb8'))
        node.wait_for(lambda: images)
        assert (images[0].width, images[0].height, images[0].encoding) == (160, 128, '32FC1')
        assert np.frombuffer(images[0].data, np.float32) == pytest.approx(2.0, abs=1e-5)
        diagnostics.clear()
        node.wait_for(lambda: diagnostics)
        values = {pair.key: pair.value for pair in diagnostics[0].status[0].values}
        assert values['model'] == 'fcrn_resnet50 1 (fcrn_resnet50.onnx)'
        assert values['provider'] == 'CPU'
    finally:
        node.close()
