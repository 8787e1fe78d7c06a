# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The nodes, and how their processes are set before NumPy is loaded."""

import os

# NumPy's linear algebra gets one thread. The matrices here are small, and further threads of
# OpenBLAS wait for them at full load: half of what the witnesses of scale cost (scripts/bench
# witnesses). What the user sets stands.
if not {'OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS'} & set(os.environ):
    os.environ['OPENBLAS_NUM_THREADS'] = '1'
