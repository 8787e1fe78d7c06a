# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""When a second publisher of one topic is a fault."""

from __future__ import annotations

from fcrn_depth_ros.ros.publisher_count import PublisherCount
import pytest


@pytest.mark.parametrize(('for_s', 'is_fault'), [(24.9, False), (25.1, True)])
def test_one_that_has_just_ended_is_no_fault(for_s: float, is_fault: bool) -> None:
    watch = PublisherCount()
    assert watch.look('/image', 1, 99.0) == ''
    assert watch.look('/image', 2, 100.0) == ''
    said = watch.look('/image', 2, 99.0 + for_s)
    assert bool(said) is is_fault


@pytest.mark.parametrize('between', [('/image', 1), ('/image', 0), ('/other', 2)])
def test_one_alone_or_another_topic_begins_anew(between: tuple[str, int]) -> None:
    watch = PublisherCount()
    watch.look('/image', 2, 0.0)
    watch.look(*between, 20.0)
    assert watch.look('/image', 2, 40.0) == ''
    assert watch.look('/image', 2, 70.0)


def test_it_names_how_many_and_what_to_do() -> None:
    watch = PublisherCount()
    watch.look('/image', 3, 0.0)
    assert watch.look('/image', 3, 60.0) == (
        '3 publishers of /image, expected one: what they publish arrives by turns; '
        'end all but one, or give each its own topic'
    )
