# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The last line of defence: what a callback raises reaches its node, and never the executor.

An exception that leaves a callback ends `spin`, and with it the process. A node whose callbacks
are guarded decides by itself what an unforeseen error means. One of them runs at a time, whichever
thread calls it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
import functools
import sys
import traceback
from typing import Any, Protocol


class Guarded(Protocol):
    """A node with guarded callbacks, which hold `callback_lock` while they run."""

    callback_lock: AbstractContextManager[Any]

    def on_internal_error(self, where: str, error: Exception) -> None:
        """Take an unforeseen exception of the callback `where`."""


def guarded(callback: Callable[..., None]) -> Callable[..., None]:
    """
    Hand what a subscription, timer or parameter callback raises to its node.

    Parameters
    ----------
    callback : callable
        A method of a `Guarded` node.

    Returns
    -------
    callable
        The same, which never raises an Exception.

    """

    @functools.wraps(callback)
    def safe(self: Guarded, *args: Any) -> None:
        with self.callback_lock:
            try:
                callback(self, *args)
            except Exception as error:
                _report(self, callback.__name__, error)

    return safe


def guarded_service(callback: Callable[..., Any]) -> Callable[..., Any]:
    """
    Hand what a service callback raises to its node; the caller is told of the failure.

    Parameters
    ----------
    callback : callable
        A method of a `Guarded` node whose response has `success` and `message`.

    Returns
    -------
    callable
        The same, which never raises an Exception.

    """

    @functools.wraps(callback)
    def safe(self: Guarded, request: Any, response: Any) -> Any:
        with self.callback_lock:
            try:
                return callback(self, request, response)
            except Exception as error:
                _report(self, callback.__name__, error)
                response.success, response.message = False, f'internal error: {error!r}'
                return response

    return safe


def _report(node: Guarded, where: str, error: Exception) -> None:
    try:
        node.on_internal_error(where, error)
    except Exception:
        traceback.print_exc(file=sys.stderr)
