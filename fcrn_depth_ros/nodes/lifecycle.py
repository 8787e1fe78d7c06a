"""What every managed node here needs beside rclpy's own: a failed transition that says why."""

from __future__ import annotations

from collections.abc import Callable
import functools
import traceback
from typing import Any, TypeVar

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
                f'{transition.__name__} failed unexpectedly:\n{traceback.format_exc()}')
            raise
    return logged  # type: ignore[return-value]
