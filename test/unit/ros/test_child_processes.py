# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from fcrn_depth_ros.ros.child_processes import RestartPolicy
import pytest


def test_the_delay_doubles_up_to_half_a_minute_and_then_the_child_is_given_up() -> None:
    policy = RestartPolicy(most_in_a_row=7)
    delays_s = [policy.delay_after(-9, 0.1) for _ in range(8)]
    assert delays_s == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, None]


@pytest.mark.parametrize(('ran_s', 'delay_s'), [(59.9, 2.0), (60.0, 1.0)])
def test_a_child_that_ran_for_a_minute_is_counted_anew(ran_s: float, delay_s: float) -> None:
    policy = RestartPolicy(most_in_a_row=5)
    policy.delay_after(1, 0.0)
    assert policy.delay_after(1, ran_s) == delay_s


@pytest.mark.parametrize('status', [0, 1, 3, -6, -9])
def test_every_unasked_end_is_followed_by_a_restart(status: int) -> None:
    assert RestartPolicy(most_in_a_row=1).delay_after(status, 0.0) == 1.0


def test_refused_settings_are_not_tried_again() -> None:
    assert RestartPolicy(most_in_a_row=5).delay_after(2, 1000.0) is None


def test_no_restarts() -> None:
    assert RestartPolicy(most_in_a_row=0).delay_after(-9, 1000.0) is None
