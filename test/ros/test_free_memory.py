# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What is freed for a picture is kept; what a released network leaves goes back."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

NEEDS_GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='needs glibc')
# How often a page had to be made for copies of a picture of 1920x1080 that live side by side.
PICTURES = """
import ctypes, resource, sys
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
kept = False
if 'keep' in sys.argv:
    from fcrn_depth_ros.ros.free_memory import keep_free_memory
    kept = keep_free_memory()
for count in range(30):
    if count == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    copies = [libc.malloc(1920 * 1080 * 3) for _ in range(4)]
    for copy in copies:
        ctypes.memset(copy, 1, 1920 * 1080 * 3)
    for copy in copies:
        libc.free(copy)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
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


def made_pages(*arguments: str, **environment: str) -> tuple[bool, int]:
    result = subprocess.run(
        [sys.executable, '-c', PICTURES, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    kept, pages = result.stdout.split()
    return kept == 'True', int(pages)


@NEEDS_GLIBC
def test_the_next_picture_has_the_memory_of_the_one_before() -> None:
    kept, pages = made_pages('keep')
    assert kept
    assert pages < 100
    assert made_pages()[1] > 100 * 100  # the reason for all this


@NEEDS_GLIBC
@pytest.mark.parametrize(
    ('variable', 'value'),
    [
        ('MALLOC_TRIM_THRESHOLD_', '131072'),
        ('MALLOC_MMAP_THRESHOLD_', '131072'),
        ('GLIBC_TUNABLES', 'glibc.malloc.trim_threshold=131072'),
    ],
)
def test_what_the_user_chose_for_the_allocator_stands(variable: str, value: str) -> None:
    kept, pages = made_pages('keep', **{variable: value})
    assert not kept
    assert pages > 100 * 100


@NEEDS_GLIBC
def test_what_is_free_inside_the_heap_goes_back() -> None:
    result = subprocess.run(
        [sys.executable, '-c', SCRIPT], check=True, capture_output=True, text=True
    )
    assert float(result.stdout) > 50


def test_another_c_library_is_left_alone() -> None:
    script = (
        'import ctypes\n'
        'ctypes.CDLL = lambda name: object()\n'
        'from fcrn_depth_ros.ros.free_memory import give_back_free_memory, keep_free_memory\n'
        'give_back_free_memory()\n'
        'assert not keep_free_memory()\n'
    )
    subprocess.run([sys.executable, '-c', script], check=True)
