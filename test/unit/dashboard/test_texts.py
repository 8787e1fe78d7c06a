# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The texts of the page: each language has all of them, and each is used."""

from __future__ import annotations

from pathlib import Path
import re

import pytest

WEB = Path(__file__).resolve().parents[3] / 'fcrn_depth_ros' / 'dashboard' / 'web'
TEXTS = WEB / 'texts'
LINE = re.compile(r"^ +(\w+): (?:'(.*)'|\[(.*)\]|\{)", re.MULTILINE)
# Their keys are put together: phone.js, main.js.
PUT_TOGETHER = ('place_', 'disable', 'reset')


def texts_of(path: Path) -> dict[str, str]:
    """Give the texts of a language by their keys; empty for a group."""
    return {key: one or many for key, one, many in LINE.findall(path.read_text('utf-8'))}


@pytest.mark.parametrize('path', sorted(TEXTS.glob('*.js')), ids=lambda path: path.stem)
def test_a_translation_is_whole(path: Path) -> None:
    english, texts = texts_of(TEXTS / 'en.js'), texts_of(path)
    assert list(texts) == list(english)
    for key, text in texts.items():
        for pattern in (r'\{\w+\}', "', '"):
            assert sorted(re.findall(pattern, text)) == sorted(re.findall(pattern, english[key]))


def test_each_text_is_used() -> None:
    page = ''.join(path.read_text('utf-8') for path in WEB.glob('*.*'))
    words = set(re.findall(r'\w+', page))
    unused = {key for key in texts_of(TEXTS / 'en.js') if key not in words}
    assert not {key for key in unused if not key.startswith(PUT_TOGETHER)}
