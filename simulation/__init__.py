# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Rendered rooms: training images with true depth, the demo clip, and closed-loop driving.

MuJoCo reads MUJOCO_GL when it is first imported. Without a screen it must be egl or osmesa; where
neither library is installed, MuJoCo can only be imported with its renderer disabled.
"""

import ctypes.util
import os

from fcrn_depth_ros.threads import limit_numpy_threads

limit_numpy_threads()

_LIBRARIES = {'egl': 'EGL', 'osmesa': 'OSMesa'}
_installed = [name for name, library in _LIBRARIES.items() if ctypes.util.find_library(library)]
os.environ.setdefault('MUJOCO_GL', next(iter(_installed), 'disable'))

CAN_RENDER = os.environ['MUJOCO_GL'] != 'disable'
