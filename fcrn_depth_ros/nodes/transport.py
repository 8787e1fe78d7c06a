"""Fast DDS settings that carry pictures: its defaults lose most of them between processes."""

from __future__ import annotations

from collections.abc import MutableMapping
import os

TRANSPORT_VARIABLE = 'FASTDDS_BUILTIN_TRANSPORTS'
# Shared memory is kept for discovery, TCP carries data; 4 MB holds a 1280x960 colour picture.
# Fast DDS documentation, "Large Data mode and Fast DDS Builtin Transports".
LARGE_DATA = 'LARGE_DATA?max_msg_size=4MB&sockets_size=4MB'


def tune_fast_dds(environment: MutableMapping[str, str] = os.environ) -> bool:
    """
    Choose the large-data transport unless the user has chosen one.

    Parameters
    ----------
    environment : mutable mapping
        Of the process; to be set before rclpy.init.

    Returns
    -------
    bool
        True where the variable was set here.

    """
    if TRANSPORT_VARIABLE in environment:
        return False
    environment[TRANSPORT_VARIABLE] = LARGE_DATA
    return True
