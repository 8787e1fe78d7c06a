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
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from .hang_guard import must_end

# Callback -> the state that its success leads to.
_GOALS = {
    'on_configure': 'inactive',
    'on_activate': 'active',
    'on_deactivate': 'inactive',
    'on_cleanup': 'unconfigured',
    'on_shutdown': 'finalized',
}
# These make and release publishers. The others do not wait for a guard to start: they stop a
# robot.
_GUARDED = ('on_configure', 'on_activate', 'on_cleanup')

Callback = Callable[[Any, LifecycleState], TransitionCallbackReturn]


class SelfStartingNode(LifecycleNode):
    """
    A lifecycle node that can take itself to active, where no manager does.

    The transition callbacks of every subclass are logged, with the traceback of an exception,
    and a process whose configuration, activation or cleanup hangs is aborted.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in (*_GOALS, 'on_error'):
            if name in vars(cls):
                setattr(cls, name, _observed(name, vars(cls)[name]))

    def shut_down(self) -> None:
        """Publish the last words, stop threads; called once more by `destroy_node`."""

    def destroy_node(self) -> None:
        """Shut down, where the owner of the node has not, and release what it holds."""
        try:
            self.shut_down()
        finally:
            super().destroy_node()

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
        succeeded = result == TransitionCallbackReturn.SUCCESS
        if name == 'on_error':
            end = 'unconfigured' if succeeded else 'finalized, start the process again'
            log.error(f'after the error: {end}')
        elif succeeded:
            log.info(f'{state.label} -> {_GOALS[name]}')
        else:
            log.error(f'{transition} failed: still {state.label}, the reason is logged above')
        return result

    return observed
