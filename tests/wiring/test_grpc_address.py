"""Serve's gRPC server listens where it is told to, and takes no message larger than it is told."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import psutil
import pytest
from ray.serve._private import default_impl, grpc_util
from ray.serve.config import gRPCOptions

from remora.serving.rpc import recommender_pb2 as wire
from remora.serving.rpc import recommender_pb2_grpc
from remora.serving.rpc.service import SERVICER
from remora.wiring import grpc_address
from remora.wiring.ports import free_port


def handler(service_method: str, streaming_type: object) -> Any:
    """Answers any call with an empty message."""

    async def answer(request: object, context: object) -> bytes:
        return b""

    return answer


def test_on_loopback_with_a_limit_and_without_reflection(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((default_impl, "add_grpc_address"), (grpc_util, "DEFAULT_GRPC_SERVER_OPTIONS")):
        monkeypatch.setattr(module, name, getattr(module, name))  # put back when the test ends
    for name, value in grpc_address.environment("127.0.0.1", 1_000).items():
        monkeypatch.setenv(name, value)
    grpc_address.install()
    port = free_port(0)

    async def tried() -> tuple[set[str], list[grpc.StatusCode]]:
        options = gRPCOptions(port=port, grpc_servicer_functions=[SERVICER], enable_reflection=False)
        task, server = await grpc_util.start_grpc_server(handler, options, event_loop=asyncio.get_running_loop())
        listening = {
            c.laddr.ip.removeprefix("::ffff:")  # an IPv4 address of an IPv6 socket
            for c in psutil.Process().net_connections("tcp")
            if c.laddr.port == port and c.status == psutil.CONN_LISTEN
        }
        codes = []
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            recommender = recommender_pb2_grpc.RecommenderStub(channel)
            for user in ("u1", "u" * 2_000):
                try:
                    await recommender.Recommend(wire.RecommendRequest(user_id=user))
                    codes.append(grpc.StatusCode.OK)
                except grpc.aio.AioRpcError as error:
                    codes.append(error.code())
            reflect = channel.unary_unary("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
            try:
                await reflect(b"")
            except grpc.aio.AioRpcError as error:
                codes.append(error.code())
        await server.stop(None)
        await task
        return listening, codes

    listening, codes = asyncio.run(tried())
    assert listening == {"127.0.0.1"}
    assert codes == [grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNIMPLEMENTED]
