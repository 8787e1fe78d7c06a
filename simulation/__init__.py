# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Rendered rooms: training images with true depth, the demo clip, and closed-loop driving.

MuJoCo reads MUJOCO_GL when it is first imported; without a screen it must be egl or osmesa.
"""

import ctypes.util
import os

os.environ.setdefault('MUJOCO_GL', 'egl' if ctypes.util.find_library('EGL') else 'osmesa')
