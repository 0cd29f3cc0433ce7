"""Where Serve's gRPC servers listen, and how large a message they take.

Ray 2.60 has no setting for either: ``start_grpc_server`` calls ``add_grpc_address(server, "[::]:PORT")`` of
``ray.serve._private.default_impl``, all interfaces, and takes messages of 2 GiB. Both are replaced in the processes
that have such servers, proxies and replicas, before they start one.
"""

from __future__ import annotations

import os
from typing import Any

HOST, MAX_BYTES = "REMORA_GRPC_HOST", "REMORA_GRPC_MAX_MESSAGE_BYTES"


def environment(host: str, max_message_bytes: int) -> dict[str, str]:
    """What a cluster is started with."""
    return {HOST: host, MAX_BYTES: str(max_message_bytes)}


def install() -> None:
    """Make this process's gRPC servers listen on the host of the environment, loopback where it names none."""
    # Private names of Ray 2.60, which has no setting for either; the test starts Ray's own server on them.
    from ray.serve._private import default_impl, grpc_util

    host = os.environ.get(HOST, "127.0.0.1")
    most = int(os.environ.get(MAX_BYTES, str(1 << 20)))

    def add_address(grpc_server: Any, server_address: str) -> None:
        port = server_address.rpartition(":")[2]
        grpc_server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")

    default_impl.add_grpc_address = add_address
    # Answers are the server's own, and as long as they are.
    options = [one for one in grpc_util.DEFAULT_GRPC_SERVER_OPTIONS if one[0] != "grpc.max_receive_message_length"]
    grpc_util.DEFAULT_GRPC_SERVER_OPTIONS = [*options, ("grpc.max_receive_message_length", most)]
