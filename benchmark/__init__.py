# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from fcrn_depth_ros.threads import limit_numpy_threads

limit_numpy_threads()
