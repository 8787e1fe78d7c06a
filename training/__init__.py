# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How the embedded model `fcrn_lite` was made: data, network, training, export."""
