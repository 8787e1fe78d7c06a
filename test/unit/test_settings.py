# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Settings: what is accepted, what is refused, and what the refusal says."""

from __future__ import annotations

from dataclasses import dataclass
import math
from typing import Any

from fcrn_depth_ros.errors import ConfigurationError
from fcrn_depth_ros.settings import describe_settings, misordered, setting, Settings
import pytest


@dataclass(frozen=True)
class Bell(Settings):
    """A configuration with one setting of each type, and a field that is none."""

    loudness: float = setting(0.5, 'How loud.', minimum=0.0, maximum=1.0)
    strokes: int = setting(3, 'How often.', minimum=1, maximum=12)
    tone: str = setting('high', 'Which tone.', choices=('high', 'low'))
    muted: bool = setting(False, 'Make no sound.', read_only=True)
    owners: tuple[str, ...] = setting((), 'Who may ring.')
    offset: float = setting(0.0, 'Any finite number.')
    size: int = setting(7, 'Size of the bell.', maximum=100)
    weight_kg: float = 1.0


@pytest.mark.parametrize(
    'values',
    [
        {},
        {'loudness': 0.0},
        {'loudness': 1.0},
        {'loudness': 1},
        {'strokes': 1},
        {'strokes': 12},
        {'tone': 'low'},
        {'muted': True},
        {'owners': ('ann',)},
        {'offset': -1e9},
        {'size': 100},
        {'size': -1000},
        {'offset': 1e9},
    ],
)
def test_values_inside_the_bounds_are_accepted(values: dict[str, Any]) -> None:
    bell = Bell(**values)
    assert {name: getattr(bell, name) for name in values} == values


@pytest.mark.parametrize(
    ('values', 'expected'),
    [
        ({'loudness': -1e-9}, 'loudness must be a finite number in [0, 1], got -1e-09'),
        ({'loudness': 1.0000001}, 'loudness must be a finite number in [0, 1]'),
        ({'loudness': math.nan}, 'loudness must be a finite number in [0, 1], got nan'),
        ({'loudness': 'loud'}, "loudness must be a finite number in [0, 1], got 'loud'"),
        ({'loudness': True}, 'loudness must be a finite number in [0, 1], got True'),
        ({'strokes': 0}, 'strokes must be an integer in [1, 12], got 0'),
        ({'strokes': 13}, 'strokes must be an integer in [1, 12], got 13'),
        ({'strokes': 3.0}, 'strokes must be an integer in [1, 12], got 3.0'),
        ({'strokes': True}, 'strokes must be an integer in [1, 12], got True'),
        ({'tone': 'middle'}, "tone must be one of 'high', 'low', got 'middle'"),
        ({'tone': ''}, "tone must be one of 'high', 'low', got ''"),
        ({'muted': 1}, 'muted must be true or false, got 1'),
        ({'tone': None}, "tone must be one of 'high', 'low', got no value"),
        ({'owners': 'ann'}, "owners must be a list of strings, got 'ann'"),
        ({'owners': ('ann', 1)}, "owners must be a list of strings, got ('ann', 1)"),
        ({'size': 101}, 'size must be an integer in [-inf, 100], got 101'),
        ({'size': 10**400}, 'size must be an integer in [-inf, 100], got 1'),
        ({'offset': math.inf}, 'offset must be a finite number, got inf'),
    ],
)
def test_other_values_are_refused_by_name(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Bell(**values)
    assert str(caught.value).startswith(expected)
    meaning = describe_settings(Bell)[next(iter(values))][1].description
    assert str(caught.value).endswith(f'; meaning: {meaning}')


def test_settings_are_described_in_order_without_other_fields() -> None:
    described = describe_settings(Bell)
    assert list(described) == ['loudness', 'strokes', 'tone', 'muted', 'owners', 'offset', 'size']
    default, description = described['strokes']
    assert (default, description.minimum, description.maximum) == (3, 1, 12)
    assert [name for name, (_, entry) in described.items() if entry.read_only] == ['muted']


def test_an_instance_is_described_like_its_class() -> None:
    assert describe_settings(Bell(strokes=5)) == describe_settings(Bell)


@dataclass(frozen=True)
class Doors(Settings):
    narrow_m: float = setting(0.7, 'Width of the narrow door.', minimum=0.0, maximum=2.0)
    wide_m: float = setting(0.9, 'Width of the wide door.', minimum=0.0, maximum=2.0)

    def contradiction(self) -> str:
        return misordered(self, ('narrow_m', 'wide_m')) or super().contradiction()


@dataclass(frozen=True)
class Floors(Settings):
    lowest: int = setting(-1, 'Lowest floor.', minimum=-9, maximum=99)
    highest: int = setting(5, 'Highest floor.', minimum=-9, maximum=99)

    def contradiction(self) -> str:
        return misordered(self, ('lowest', 'highest')) or super().contradiction()


@dataclass(frozen=True)
class House(Doors, Floors):
    """Has the rules of both bases."""


@pytest.mark.parametrize(
    ('values', 'reason'),
    [
        ({}, ''),
        ({'narrow_m': 0.9}, 'narrow_m must be below wide_m (0.9), got 0.9; raise wide_m or lower'),
        ({'narrow_m': 0.8999}, ''),
        ({'lowest': 5}, 'lowest must be below highest (5), got 5; raise highest or lower lowest'),
        ({'lowest': 4}, ''),
    ],
)
def test_values_that_contradict_each_other_can_be_held_but_not_checked(
    values: dict[str, Any], reason: str
) -> None:
    house = House(**values)
    assert house.contradiction().startswith(reason) and bool(house.contradiction()) == bool(reason)
    if reason:
        with pytest.raises(ConfigurationError, match='must be below'):
            house.checked()
    else:
        assert house.checked() is house


def test_a_configuration_without_rules_has_no_contradiction() -> None:
    assert Bell().contradiction() == ''


@pytest.mark.parametrize('values', [{'narrow_m': -0.1}, {'highest': 100}])
def test_a_value_is_checked_whichever_base_holds_it(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(values))):
        House(**values)
