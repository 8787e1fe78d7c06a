# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

import fcrn_depth_ros.nodes  # noqa: F401  NumPy has as many threads as in the nodes
