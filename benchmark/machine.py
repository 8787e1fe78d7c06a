# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What the times of a benchmark were measured on."""

from __future__ import annotations

from pathlib import Path
import platform
import sys

import onnxruntime


def processor() -> str:
    """Name the processor."""
    try:
        text = Path('/proc/cpuinfo').read_text(encoding='utf-8')
    except OSError:
        return platform.processor()
    names = [line.partition(':')[2].strip() for line in text.splitlines() if 'model name' in line]
    return names[0] if names else platform.machine()


def versions() -> dict[str, str]:
    """Return the versions of what the times depend on."""
    versions = {'Python': platform.python_version(), 'onnxruntime': onnxruntime.__version__}
    for package in ('torch', 'openvino'):
        if package in sys.modules:
            versions[package] = str(sys.modules[package].__version__)
    return versions


def integer_instructions() -> str:
    """Name what this processor has for products of 8-bit integers, the best first."""
    try:
        text = Path('/proc/cpuinfo').read_text(encoding='utf-8')
    except OSError:
        return 'unknown'
    flags = next(
        (set(line.partition(':')[2].split()) for line in text.splitlines()
         if line.startswith(('flags', 'Features'))),
        set(),
    )  # fmt: skip
    known = {
        'amx_int8': 'AMX',
        'avx512_vnni': 'AVX-512 VNNI',
        'avx_vnni': 'AVX VNNI',
        'i8mm': 'I8MM',
        'asimddp': 'dot product',
        'avx2': 'AVX2, no VNNI',
    }
    return next((name for flag, name in known.items() if flag in flags), 'none')
