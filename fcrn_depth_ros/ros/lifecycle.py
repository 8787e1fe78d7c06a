# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a managed node here has beside rclpy's: a start of its own, failures that say why."""

from __future__ import annotations

from collections.abc import Callable
import functools
import traceback
from typing import Any, TypeVar

from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

Transition = TypeVar('Transition', bound=Callable[..., Any])


def says_why_it_fails(transition: Transition) -> Transition:
    """
    Log the traceback of an exception that leaves a transition callback.

    rclpy turns such an exception into the transition's result ERROR and drops it.

    Parameters
    ----------
    transition : callable
        A method such as `on_configure` of a lifecycle node.

    Returns
    -------
    callable
        The same, with the exception logged on its way.

    """

    @functools.wraps(transition)
    def logged(self: Any, *args: Any) -> Any:
        try:
            return transition(self, *args)
        except BaseException:
            self.get_logger().error(
                f'{transition.__name__} failed unexpectedly:\n{traceback.format_exc()}'
            )
            raise

    return logged  # type: ignore[return-value]


class SelfStartingNode(LifecycleNode):
    """A lifecycle node that can take itself to active, where no manager does."""

    def start(self) -> None:
        """Configure and activate; a failure is logged and shown in diagnostics."""
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()
