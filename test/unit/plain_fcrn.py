# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""FCRN ResNet-50 as its authors' release computes it, step by step in NumPy, unarranged."""

from __future__ import annotations

import numpy as np

ENCODER = {'2': 'abc', '3': 'abcd', '4': 'abcdef', '5': 'abc'}
# top, bottom, left, right
PADS = {'A': (1, 1, 1, 1), 'B': (1, 0, 1, 1), 'C': (1, 1, 1, 0), 'D': (1, 0, 1, 0)}


def plain_fcrn(weights, picture):
    """
    Return the depth in metres, shape (128, 160).

    Parameters
    ----------
    weights : dict
        Layer -> parameter -> array, as published.
    picture : ndarray of uint8, shape (228, 304, 3)
        RGB.

    """

    def convolution(x, layer, pads=(0, 0, 0, 0), stride=1):
        top, bottom, left, right = pads
        kernel = weights[layer]['weights']
        x = np.pad(x, ((top, bottom), (left, right), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(0, 1))
        windows = windows[::stride, ::stride]
        rows = windows.transpose(0, 1, 3, 4, 2).reshape(-1, kernel[..., 0].size)
        y = rows @ kernel.reshape(-1, kernel.shape[-1])
        return y.reshape(*windows.shape[:2], -1) + weights[layer].get('biases', 0.0)

    def normalised(x, layer):
        p = weights[layer]
        return (x - p['mean']) / np.sqrt(p['variance'] + 1e-4) * p['scale'] + p['offset']

    def block(x, name, stride):
        def branch(x, suffix, pads=(0, 0, 0, 0), stride=1):
            x = convolution(x, f'res{name}_branch{suffix}', pads, stride)
            return normalised(x, f'bn{name}_branch{suffix}')

        shortcut = branch(x, '1', stride=stride) if name.endswith('a') else x
        x = relu(branch(x, '2a', stride=stride))
        x = relu(branch(x, '2b', (1, 1, 1, 1)))
        return relu(branch(x, '2c') + shortcut)

    def up_projection(x, name):
        def unpooled(branch):
            maps = {k: convolution(x, f'{name}_{branch}_Conv{k}', PADS[k]) for k in 'ABCD'}
            height, width, channels = maps['A'].shape
            y = np.empty((2 * height, 2 * width, channels), np.float32)
            y[0::2, 0::2], y[1::2, 0::2] = maps['A'], maps['B']
            y[0::2, 1::2], y[1::2, 1::2] = maps['C'], maps['D']
            return normalised(y, f'{name}_{branch}_BN')

        main = convolution(relu(unpooled('br1')), f'{name}_Conv', (1, 1, 1, 1))
        return relu(normalised(main, f'{name}_BN') + unpooled('br2'))

    x = picture.astype(np.float32)
    x = relu(normalised(convolution(x, 'conv1', (3, 3, 3, 3), stride=2), 'bn_conv1'))
    x = np.pad(x, ((0, 1), (0, 1), (0, 0)))
    x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(0, 1))[::2, ::2].max((3, 4))
    for stage, blocks in ENCODER.items():
        for letter in blocks:
            x = block(x, f'{stage}{letter}', 2 if letter == 'a' and stage != '2' else 1)
    x = normalised(convolution(x, 'layer1'), 'layer1_BN')
    for name in ('layer2x', 'layer4x', 'layer8x', 'layer16x'):
        x = up_projection(x, name)
    return relu(convolution(x, 'ConvPred', (1, 1, 1, 1)))[:, :, 0]


def relu(x):
    """Cut off what is below zero."""
    return np.maximum(x, 0.0)
