# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How many threads NumPy has in a process that follows the scale of pictures."""

import os


def limit_numpy_threads() -> None:
    """
    Give NumPy's linear algebra one thread; to be called before NumPy is loaded.

    The matrices of the witnesses of scale are small, and further threads of OpenBLAS wait for them
    at full load: half of what the witnesses cost (scripts/bench witnesses). What the user sets in
    OPENBLAS_NUM_THREADS or OMP_NUM_THREADS stands.
    """
    if not {'OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS'} & set(os.environ):
        os.environ['OPENBLAS_NUM_THREADS'] = '1'
