# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a released network leaves in the heap goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# A block that stays, above those that are released: the heap cannot shrink by itself.
SCRIPT = """
import ctypes
from fcrn_depth_ros.ros.free_memory import give_back_free_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
def resident_mb():
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * 4096 / 1e6
blocks = [libc.malloc(65536) for _ in range(1000)]
for block in blocks:
    ctypes.memset(block, 1, 65536)
last = libc.malloc(65536)
for block in blocks:
    libc.free(block)
before = resident_mb()
give_back_free_memory()
print(before - resident_mb())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='needs glibc')
def test_what_is_free_inside_the_heap_goes_back() -> None:
    result = subprocess.run(
        [sys.executable, '-c', SCRIPT], check=True, capture_output=True, text=True
    )
    assert float(result.stdout) > 50


def test_another_c_library_is_left_alone() -> None:
    script = (
        'import ctypes\n'
        'ctypes.CDLL = lambda name: object()\n'
        'from fcrn_depth_ros.ros.free_memory import give_back_free_memory\n'
        'give_back_free_memory()\n'
    )
    subprocess.run([sys.executable, '-c', script], check=True)
