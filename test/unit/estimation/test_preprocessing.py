# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Placing pictures in the network's input, and maps back on the picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import fcrn_depth_ros
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.picture_files import read_picture
from fcrn_depth_ros.errors import ImageFormatError
from fcrn_depth_ros.estimation.preprocessing import place_image, prepare_image
import numpy as np
import pytest
from tiny_models import CARD, tiny_card

CLIP = Path(fcrn_depth_ros.__file__).parent / 'demo_clip'
LETTERBOX = tiny_card(resize='letterbox')
RED = np.zeros((48, 64, 3), np.uint8)
RED[..., 0] = 200


@pytest.mark.parametrize('layout', ['NCHW', 'NHWC'])
@pytest.mark.parametrize('order', ['RGB', 'BGR'])
def test_layout_colour_order_and_normalisation(layout, order):
    card = tiny_card(
        input_layout=layout,
        color_order=order,
        input_mean=(10.0, 20.0, 30.0),
        input_scale=(0.1, 0.2, 0.3),
    )
    tensor = prepare_image(RED, card)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    assert tensor.shape == ((1, 3, 24, 32) if layout == 'NCHW' else (1, 24, 32, 3))
    channels = tensor[0, :, 5, 7] if layout == 'NCHW' else tensor[0, 5, 7]
    # Mean and scale are in the network's colour order.
    expected = (19.0, -4.0, -9.0) if order == 'RGB' else (-1.0, -4.0, 51.0)
    assert channels == pytest.approx(expected)


def test_shrinking_averages_so_that_fine_patterns_do_not_alias():
    image = np.zeros((96, 128, 3), np.uint8)
    image[:, ::2] = 200
    assert prepare_image(image, CARD) == pytest.approx(np.full((1, 3, 24, 32), 100.0), abs=1.0)


def clip_picture(width, height):
    """Return a picture of the clip with sensor noise."""
    picture = read_picture(CLIP / '105.000000.jpg')
    noise = np.random.default_rng(0).normal(0, 3, (height, width, 3))
    return (cv2.resize(picture, (width, height)) + noise).clip(0, 255).astype(np.uint8)


def checkers(width, height):
    """Return squares of 5x5 px, the worst that a picture can do to an average."""
    rows, columns = np.indices((height, width))
    is_white = (rows // 5 + columns // 5) % 2 == 1
    return np.repeat(np.where(is_white, 255, 0).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize('size', [(640, 480), (577, 449), (1280, 720), (1920, 1080), (1919, 1079)])
@pytest.mark.parametrize(
    # The noise of a camera is 1 to 3 levels.
    ('make', 'mean_level', 'most_levels'),
    [(clip_picture, 0.4, 6), (checkers, 8, 24)],
)
def test_shrinking_is_the_mean_over_the_area_of_each_pixel(size, make, mean_level, most_levels):
    card = tiny_card(input_width=288, input_height=224)
    picture = make(*size)
    exact = cv2.resize(picture, (288, 224), interpolation=cv2.INTER_AREA)
    off = np.abs(prepare_image(picture, card)[0].transpose(1, 2, 0) - exact)
    assert off.mean() <= mean_level
    assert off.max() <= most_levels


@pytest.mark.parametrize('size', [(400, 300), (288, 224), (480, 900), (1152, 896)])
def test_little_or_whole_shrinking_is_opencvs_own(size):
    card = tiny_card(input_width=288, input_height=224)
    picture = clip_picture(*size)
    exact = cv2.resize(picture, (288, 224), interpolation=cv2.INTER_AREA)
    assert (prepare_image(picture, card)[0].transpose(1, 2, 0) == exact).all()


@pytest.mark.parametrize('layout', ['NCHW', 'NHWC'])
@pytest.mark.parametrize('order', ['RGB', 'BGR'])
def test_normalisation_is_that_of_float32_to_the_last_bit(layout, order):
    card = tiny_card(
        input_layout=layout,
        color_order=order,
        input_mean=(123.675, 116.28, 103.53),
        input_scale=(0.0171, 0.0175, 0.0174),
    )
    picture = clip_picture(32, 24)
    mean, scale = (np.array(values, np.float32) for values in (card.input_mean, card.input_scale))
    expected = ((picture if order == 'RGB' else picture[..., ::-1]) - mean) * scale
    if layout == 'NCHW':
        expected = expected.transpose(2, 0, 1)
    assert (prepare_image(picture, card)[0] == expected).all()


def test_letterbox_pads_with_zero_and_keeps_the_aspect():
    wide = np.full((32, 128, 3), 100, np.uint8)
    place = place_image(128, 32, LETTERBOX)
    assert (place.left_px, place.top_px, place.width_px, place.height_px) == (0, 8, 32, 8)
    tensor = prepare_image(wide, LETTERBOX)[0, 0]
    assert not tensor[:8].any()
    assert not tensor[16:].any()
    assert (tensor[8:16] == 100.0).all()


@pytest.mark.parametrize('card', [CARD, LETTERBOX])
@pytest.mark.parametrize('size', [(64, 48), (64, 16), (20, 40), (128, 32)])
def test_intrinsics_of_the_input_see_the_same_ray(card, size):
    width, height = size
    camera = CameraIntrinsics(60.0, 70.0, 0.4 * width, 0.6 * height, width, height)
    place = place_image(width, height, card)
    network = place.to_network(camera)
    assert (network.width_px, network.height_px) == (32, 24)
    # A corner of the picture is a corner of its rectangle in the input.
    left = (-0.5 - camera.cx_px) / camera.fx_px
    top = (-0.5 - camera.cy_px) / camera.fy_px
    assert (place.left_px - 0.5 - network.cx_px) / network.fx_px == pytest.approx(left)
    assert (place.top_px - 0.5 - network.cy_px) / network.fy_px == pytest.approx(top)


def test_map_of_the_input_size_is_returned_as_it_is():
    values = np.random.default_rng(0).random((24, 32), np.float32)
    assert place_image(64, 48, CARD).to_picture(values, None) is values


@pytest.mark.parametrize('card', [CARD, LETTERBOX])
@pytest.mark.parametrize('map_size', [(12, 16), (24, 32)])
@pytest.mark.parametrize('size_hw', [None, (16, 64)])
def test_a_ramp_lands_where_the_picture_has_it(card, map_size, size_hw):
    height, width = map_size
    # The value is the x of the pixel centre in the input; bilinear keeps a ramp exact.
    ramp = (np.arange(width, dtype=np.float32) + 0.5) * 32 / width
    place = place_image(64, 16, card)
    result = place.to_picture(np.tile(ramp, (height, 1)), size_hw)
    step = 32 / result.shape[1]
    expected = np.clip((np.arange(result.shape[1]) + 0.5) * step, ramp[0], ramp[-1])
    # OpenCV interpolates in steps of 1/32 px.
    assert np.abs(result - expected).max() <= 32 / width / 32 + 1e-4


def test_letterbox_padding_is_cut_off():
    values = np.full((24, 32), 9.0, np.float32)
    values[8:16] = 2.0
    result = place_image(128, 32, LETTERBOX).to_picture(values, None)
    assert result.shape == (8, 32)
    assert (result == 2.0).all()


def test_unknown_pixels_do_not_smear():
    values = np.full((24, 32), 3.0, np.float32)
    values[:, 16:] = np.nan
    result = place_image(64, 48, CARD).to_picture(values, (48, 64))
    known = np.isfinite(result)
    assert result[known] == pytest.approx(3.0)
    assert known[:, :32].all()
    assert not known[:, 32:].any()


@pytest.mark.parametrize('resize', ['stretch', 'letterbox'])
def test_all_unknown_stays_unknown(resize):
    place = place_image(64, 16, tiny_card(resize=resize))
    assert np.isnan(place.to_picture(np.full((12, 16), np.nan, np.float32), (16, 64))).all()


@pytest.mark.parametrize(
    'image',
    [
        np.zeros((48, 64), np.uint8),
        np.zeros((48, 64, 4), np.uint8),
        np.zeros((48, 64, 3), np.float32),
        np.zeros((0, 64, 3), np.uint8),
        np.zeros((7, 64, 3), np.uint8),
    ],
    ids=['grey', 'RGBA', 'float', 'empty', 'too small'],
)
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(ImageFormatError, match='RGB uint8'):
        prepare_image(image, CARD)


def test_smallest_and_non_contiguous_pictures():
    assert prepare_image(np.zeros((8, 8, 3), np.uint8), CARD).shape == (1, 3, 24, 32)
    turned = prepare_image(RED[::-1, ::2], CARD)
    assert (turned[0, 0] == 200.0).all()
