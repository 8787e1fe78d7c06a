# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Give memory back that the C library keeps after a network was released."""

from __future__ import annotations

import ctypes
import gc


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
