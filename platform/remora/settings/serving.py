"""The settings of the HTTP and gRPC application: limits, deadlines, replicas, caches."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from remora.core.section import Section
from remora.settings.bounds import MOST_ITEMS, MOST_SECONDS, MOST_TIMEOUT_MS


class ServingSettings(Section):
    """The HTTP application."""

    host: str = Field("127.0.0.1", pattern=r"^[A-Za-z0-9.:_-]+$", description="a name or an address, without a port")
    port: int = Field(8000, ge=1, le=65_535, description="of HTTP")
    proxy: Literal["haproxy", "python"] = Field("haproxy", description="what listens; read where a cluster is started")
    grpc_port: int = Field(0, ge=0, le=65_535, description="of gRPC; 0: none")
    topology: Literal["graph", "fused"] = Field(
        "fused",
        description="fused: all stages in each Gateway replica; graph: in deployments of their own",
    )
    min_replicas: int = Field(1, ge=1, le=10_000, description="replicas of each deployment when it is quiet")
    max_replicas: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="replicas of each deployment when it is busy; none: 4, on a machine by itself at most its cores",
    )
    max_replicas_per_node: int | None = Field(
        None,
        ge=1,
        le=100,
        description="of each deployment; 1: no node's loss takes two. More replicas wait for nodes; none: no limit",
    )
    downscale_delay_seconds: float = Field(
        60.0, ge=0, le=MOST_SECONDS, description="how long it must be quiet before replicas go"
    )
    cpus_per_replica: float = Field(0.5, gt=0, le=1_000, description="logical CPUs that a replica reserves")
    threads: int = Field(
        1, ge=1, le=1_000, description="threads of a replica that run stages; replicas are what scales"
    )
    max_items: int = Field(MOST_ITEMS, ge=1, le=MOST_ITEMS, description="largest n that a request may ask for")
    max_body_bytes: int = Field(262_144, ge=1, le=1 << 30, description="largest request body")
    max_connections_per_address: int = Field(
        1_024, ge=0, le=1_000_000, description="of one client's address at once; 0: no limit, as behind a load balancer"
    )
    allowed_hosts: list[str] = Field(
        [],
        max_length=100,
        description="names in Host that are answered; none: loopback's if host is loopback, else all",
    )
    timeout_ms: float = Field(
        150.0, gt=0, le=MOST_TIMEOUT_MS, description="a request's time where its caller says nothing of it"
    )
    max_timeout_ms: float = Field(
        3_000.0, gt=0, le=MOST_TIMEOUT_MS, description="longest time that a caller may ask for"
    )
    retrieval_deadline_fraction: float = Field(
        0.5, gt=0, le=1, description="of a request's time, after which no source is asked"
    )
    ranking_deadline_fraction: float = Field(0.8, gt=0, le=1, description="the same for the scorer and the rerankers")
    online_store_timeout_ms: float = Field(
        50.0, gt=0, le=MOST_TIMEOUT_MS, description="how long the online store may take, where it is a server"
    )
    breaker_failure_threshold: int = Field(
        5, ge=1, le=1_000_000, description="outages of the online store in a row before it is left alone"
    )
    breaker_reset_seconds: float = Field(
        2.0, ge=0, le=MOST_SECONDS, description="how long it is left alone, before one request tries"
    )
    health_check_interval_seconds: float = Field(
        1.0, gt=0, le=3_600, description="how often a replica is tried, and how long that may take"
    )
    traffic_poll_seconds: float = Field(
        1.0, gt=0, le=3_600, description="how often a replica looks which bundles it is to serve"
    )
    max_live_items: int = Field(
        10_000,
        ge=0,
        le=1_000_000,
        description="items that were sent since the bundle and that it does not have; of more the last ones are served",
    )
    slate_cache_size: int = Field(
        20_000, ge=1, le=100_000_000, description="slates that a replica keeps for the fallback chain"
    )
    user_cache_size: int = Field(
        10_000, ge=1, le=100_000_000, description="users whose features a replica keeps for a moment"
    )
    user_cache_ttl_seconds: float = Field(
        5.0, ge=0, le=MOST_SECONDS, description="how long; 0 asks the online store every time"
    )

    @model_validator(mode="after")
    def _times_are_in_order(self) -> ServingSettings:
        if self.timeout_ms > self.max_timeout_ms:
            raise ValueError(f"timeout_ms {self.timeout_ms:g} is longer than max_timeout_ms {self.max_timeout_ms:g}")
        if self.retrieval_deadline_fraction > self.ranking_deadline_fraction:
            raise ValueError(
                f"retrieval_deadline_fraction {self.retrieval_deadline_fraction} is more than "
                f"ranking_deadline_fraction {self.ranking_deadline_fraction}"
            )
        if self.grpc_port == self.port:
            raise ValueError(f"port and grpc_port are both {self.port}: two listeners need two ports")
        return self
