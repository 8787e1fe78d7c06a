# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Hypothesis strategies for whole ROS messages, made from the definitions of the messages."""

from __future__ import annotations

import importlib
import os
import re
from typing import Any

from hypothesis import strategies as st

# Messages in the suite; RANDOM_MESSAGES=100000 for a long run.
CASES = int(os.environ.get('RANDOM_MESSAGES', '2000'))
# Longest text, and most elements of a sequence without a bound of its own.
MAX_LENGTH = 20

# A text ends at its first NUL on the wire.
_CHARACTERS = st.characters(codec='utf-8', exclude_characters='\0')
_INTEGER = re.compile(r'(u?)int(8|16|32|64)')
_ARRAY = re.compile(r'(.+)\[(\d+)\]')
_SEQUENCE = re.compile(r'sequence<(.+?)(?:, (\d+))?>')
_TEXT = re.compile(r'w?string(?:<(\d+)>)?')


def messages(message_type: Any, **replaced: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """
    Make a strategy for messages of one type, every field of which is random.

    Parameters
    ----------
    message_type : type
        A message, or the request or response of a service.
    **replaced : strategy
        Taken for the field of that name instead, for example to make plausible values frequent.

    Returns
    -------
    strategy
        Gives instances of the type.

    """
    fields = {
        name: replaced[name] if name in replaced else values(type_name)
        for name, type_name in message_type.get_fields_and_field_types().items()
    }
    return st.fixed_dictionaries(fields).map(lambda drawn: message_type(**drawn))


def values(type_name: str) -> st.SearchStrategy[Any]:
    """Make a strategy for one field, from the name of its type as rosidl spells it."""
    if type_name == 'boolean':
        return st.booleans()
    if type_name in ('float', 'double'):
        return st.floats(width=32 if type_name == 'float' else 64)
    if type_name in ('octet', 'byte'):
        return st.binary(min_size=1, max_size=1)
    if integer := _INTEGER.fullmatch(type_name):
        bits = int(integer[2])
        low = 0 if integer[1] else -(2 ** (bits - 1))
        high = low + 2**bits - 1
        return st.one_of(st.integers(low, high), st.sampled_from([low, high, 0, 1]))
    if text := _TEXT.fullmatch(type_name):
        return st.text(_CHARACTERS, max_size=int(text[1] or MAX_LENGTH))
    if array := _ARRAY.fullmatch(type_name):
        size = int(array[2])
        return st.lists(values(array[1]), min_size=size, max_size=size)
    if sequence := _SEQUENCE.fullmatch(type_name):
        return st.lists(values(sequence[1]), max_size=int(sequence[2] or MAX_LENGTH))
    package, _, name = type_name.partition('/')
    return messages(getattr(importlib.import_module(f'{package}.msg'), name))
