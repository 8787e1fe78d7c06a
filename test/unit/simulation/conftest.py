# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Choose the software renderer before any test imports mujoco."""

import simulation  # noqa: F401
