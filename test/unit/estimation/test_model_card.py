# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The model card: round trip, overrides, and every way it can be wrong."""

from __future__ import annotations

import dataclasses
from pathlib import Path
import re

from fcrn_depth_ros.errors import ModelCardError
from fcrn_depth_ros.estimation.model_card import ModelCard
import pytest
from tiny_models import CARD, tiny_card

RELATIVE = tiny_card(
    output_kind='inverse_relative',
    training_fx_px=0.0,
    training_width_px=0.0,
    valid_min_m=0.0,
    valid_max_m=0.0,
)


@pytest.mark.parametrize(
    'card',
    [
        CARD,
        RELATIVE,
        tiny_card(
            mounting_input='floor',
            input_layout='NHWC',
            color_order='BGR',
            resize='letterbox',
            output_kind='log_depth',
            input_mean=(123.675, 116.28, 103.53),
            input_scale=(1 / 58.395, 1 / 57.12, 1 / 57.375),
            metrics='AbsRel 0.1',
        ),
    ],
)
def test_round_trip_through_text(card):
    metadata = card.to_metadata()
    assert all(isinstance(text, str) and text for text in metadata.values())
    assert ModelCard.from_metadata({**metadata, 'someone_elses_key': 'x'}) == card


def test_focal_length_at_the_network_width():
    card = tiny_card(input_width=256, training_fx_px=520.0, training_width_px=640.0)
    assert card.network_fx_px == pytest.approx(208.0)


REQUIRED = sorted(set(CARD.to_metadata()) - {'mounting_input', 'metrics', 'source', 'precision'})


@pytest.mark.parametrize('key', REQUIRED)
def test_a_missing_key_is_named_and_can_be_given(key):
    metadata = CARD.to_metadata()
    value = metadata.pop(key)
    with pytest.raises(ModelCardError, match=f'without {key};'):
        ModelCard.from_metadata(metadata)
    assert ModelCard.from_metadata(metadata, {key: value}) == CARD


def test_an_override_may_repeat_but_not_contradict():
    metadata = {**CARD.to_metadata(), 'valid_max_m': '10.0'}
    assert ModelCard.from_metadata(metadata, {'valid_max_m': '10'}) == CARD
    with pytest.raises(ModelCardError, match=r"valid_max_m must be '10.0'.*'8'"):
        ModelCard.from_metadata(metadata, {'valid_max_m': '8'})


def test_an_unknown_override_is_refused():
    with pytest.raises(ModelCardError, match='valid_maximum'):
        ModelCard.from_metadata(CARD.to_metadata(), {'valid_maximum': '8'})


@pytest.mark.parametrize(
    ('key', 'text'),
    [
        ('contract_version', '2'),
        ('name', ' '),
        ('input_layout', 'CHW'),
        ('color_order', 'rgb'),
        ('resize', 'crop'),
        ('output_kind', 'disparity'),
        ('input_height', '7'),
        ('input_width', '8193'),
        ('input_width', '32.5'),
        ('input_mean', '1,2'),
        ('input_mean', '1,2,nan'),
        ('input_mean', 'a,b,c'),
        ('input_scale', '1,0,1'),
        ('training_fx_px', '0'),
        ('training_fx_px', '3'),
        ('training_fx_px', '641'),
        ('training_width_px', 'inf'),
        ('valid_min_m', '-1'),
        ('valid_min_m', '10'),
        ('valid_max_m', 'far'),
    ],
)
def test_bad_values_are_refused_by_name(key, text):
    with pytest.raises(ModelCardError, match=key):
        ModelCard.from_metadata({**CARD.to_metadata(), key: text})


@pytest.mark.parametrize(
    ('key', 'text'), [('input_height', '8'), ('training_fx_px', '3.2'), ('valid_min_m', '9.9')]
)
def test_bounds_themselves_are_allowed(key, text):
    ModelCard.from_metadata({**CARD.to_metadata(), key: text})


def test_every_key_is_documented():
    text = (Path(__file__).parents[3] / 'docs' / 'model_contract.md').read_text()
    table = text.split('## Keys')[1].split('## Tensors')[0]
    documented = set(
        re.findall(r'`([a-z_]+)`', '\n'.join(re.findall(r'^\| (`.*?) \|', table, re.M)))
    )
    assert documented == {field.name for field in dataclasses.fields(ModelCard)}
