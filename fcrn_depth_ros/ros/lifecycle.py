# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
What a managed node here has beside rclpy's: a start of its own, and transitions that are seen.

rclpy turns an exception that leaves a transition callback into the result ERROR and drops it, logs
no transition, and waits for ever where the middleware does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
import functools
import traceback
from typing import Any, TypeVar

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from .hang_guard import must_end

# Callback -> the state that its success leads to.
_GOALS = {
    'on_configure': 'inactive',
    'on_activate': 'active',
    'on_deactivate': 'inactive',
    'on_cleanup': 'unconfigured',
    'on_shutdown': 'finalized',
    'on_error': 'unconfigured',
}
# These make publishers and subscriptions. The others do not wait for a guard to start: they stop
# a robot.
_GUARDED = ('on_configure', 'on_activate')

Callback = Callable[[Any, LifecycleState], TransitionCallbackReturn]
Transition = TypeVar('Transition')


def says_why_it_fails(transition: Transition) -> Transition:
    """Give the callback back as it is: SelfStartingNode sees to every transition by itself."""
    return transition


class SelfStartingNode(LifecycleNode):
    """
    A lifecycle node that can take itself to active, where no manager does.

    The transition callbacks of every subclass are logged, with the traceback of an exception,
    and a process whose configuration or activation hangs is aborted.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in _GOALS:
            if name in vars(cls):
                setattr(cls, name, _observed(name, vars(cls)[name]))

    def start(self) -> None:
        """Configure and activate; a failure is logged and shown in diagnostics."""
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()


def _observed(name: str, callback: Callback) -> Callback:
    transition = name.removeprefix('on_')

    @functools.wraps(callback)
    def observed(self: Any, state: LifecycleState) -> TransitionCallbackReturn:
        log = self.get_logger()
        guard = must_end(f'{transition} of the node') if name in _GUARDED else nullcontext()
        try:
            with guard:
                result = callback(self, state)
        except BaseException:
            log.error(f'{transition} failed unexpectedly:\n{traceback.format_exc()}')
            raise
        if result == TransitionCallbackReturn.SUCCESS:
            log.info(f'{state.label} -> {_GOALS[name]}')
        else:
            log.error(f'{transition} failed: {state.label} as before, the reason is logged above')
        return result

    return observed
