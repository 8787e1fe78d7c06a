# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
