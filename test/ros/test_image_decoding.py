# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from array import array
import sys

import cv2
from fcrn_depth_ros.errors import ImageFormatError
from fcrn_depth_ros.ros.image_decoding import compressed_image_decoder
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage


@pytest.fixture(params=['with cv_bridge', 'without'])
def has_bridge(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param == 'without':
        monkeypatch.setitem(sys.modules, 'cv_bridge', None)
        return False
    pytest.importorskip('cv_bridge')
    return True


def test_cv_bridge_is_used_where_it_is_and_not_needed(has_bridge: bool) -> None:
    decode = compressed_image_decoder()
    assert hasattr(decode, 'keywords') == has_bridge
    pixels = np.random.default_rng(0).integers(0, 255, (8, 12, 3), np.uint8)
    data = cv2.imencode('.png', pixels)[1].tobytes()
    rgb = decode(CompressedImage(format='png', data=array('B', data)))
    assert np.array_equal(rgb, pixels[:, :, ::-1])


@pytest.mark.parametrize('data', [b'', b'not a picture', b'\xff\xd8\xff'])
def test_nonsense_is_an_error(has_bridge: bool, data: bytes) -> None:
    with pytest.raises(ImageFormatError, match=f'got {len(data)} bytes'):
        compressed_image_decoder()(CompressedImage(format='jpeg', data=array('B', data)))
