# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What the C library does with freed memory: keep it for the next picture, or give it back."""

from __future__ import annotations

from collections.abc import Mapping
import ctypes
import gc
import os

# Keys of glibc's mallopt, and names of the variables that set the same.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_CHOICES = ('MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_THRESHOLD_', 'GLIBC_TUNABLES')
# Several colour pictures of 4096x2160, with the copies that rclpy makes of each.
_KEPT_BYTES = 256 * 2**20
# The greatest that glibc takes on 64 bits.
_BLOCK_BYTES = 32 * 2**20


def keep_free_memory(environment: Mapping[str, str] = os.environ) -> bool:
    """
    Let the next picture have the memory of the one before, where the C library can (glibc).

    By itself glibc returns freed blocks of a picture's size to the system, which has to clear
    every page of them anew for the next picture: three quarters of what a picture of 1920x1080
    costs on its way into a node of Python (docs/performance.md).

    Parameters
    ----------
    environment : mapping
        Of the process. Where it sets glibc's allocator, that stands.

    Returns
    -------
    bool
        Whether free memory is kept now.

    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None or any(environment.get(name) for name in _CHOICES):
        return False
    # Either alone changes little: large blocks would not be cut from the heap, or it would shrink.
    return bool(mallopt(_TRIM_THRESHOLD, _KEPT_BYTES) and mallopt(_MMAP_THRESHOLD, _BLOCK_BYTES))


def give_back_free_memory() -> None:
    """
    Return what is free to the system, where the C library can (glibc).

    The weights of a network are many blocks of a size that glibc keeps. A node that changes
    between model files would grow for many changes (case `model_change` of scripts/bench load).
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is not None:
        trim(0)
