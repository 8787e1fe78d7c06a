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
