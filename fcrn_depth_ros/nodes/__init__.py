# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The nodes, and how their processes are set before NumPy is loaded."""

from ..threads import limit_numpy_threads

limit_numpy_threads()
