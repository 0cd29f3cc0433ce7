"""cluster.yaml, the Serve configuration and the Kubernetes manifests are what Ray and the app understand."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.serve.schema import ServeDeploySchema

from remora.serving import app, metrics
from remora.settings.serving import ServingSettings
from remora.wiring.cluster import SERVE_ENVIRONMENT

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = {d.name for d in (app.Gateway, app.RetrieverReplica, app.FilterReplica, app.RankerReplica)}


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def serve_configs() -> dict[str, dict[str, Any]]:
    service = read("deploy/kuberay/rayservice.yaml")
    return {
        "serve_apps/config.yaml": read("serve_apps/config.yaml"),
        "deploy/kuberay/rayservice.yaml": yaml.safe_load(service["spec"]["serveConfigV2"]),
    }


class TestTheClusterLauncher:
    @pytest.fixture(scope="class")
    def cluster(self) -> dict[str, Any]:
        return read("cluster.yaml")

    def test_accepts_the_file_by_rays_own_schema(self, cluster: dict[str, Any]) -> None:
        prepared = prepare_config(cluster)
        prepared["cluster_synced_files"] = []
        validate_config(prepared)

    def test_would_refuse_a_file_with_a_misspelt_key(self, cluster: dict[str, Any]) -> None:
        import jsonschema

        with pytest.raises(jsonschema.ValidationError, match="max_wokers"):
            validate_config(prepare_config(cluster | {"max_wokers": 3}))

    def test_starts_a_head_workers_that_scale_and_gpus_only_when_asked_for(self, cluster: dict[str, Any]) -> None:
        types = cluster["available_node_types"]
        assert types["cpu"]["max_workers"] > types["cpu"]["min_workers"] >= 1
        assert (types["gpu"]["min_workers"], types["gpu"]["resources"]["GPU"]) == (0, 1)
        assert sum(t["max_workers"] for t in types.values()) <= cluster["max_workers"]

    def test_gives_every_node_token_authentication_and_serves_environment(self, cluster: dict[str, Any]) -> None:
        for commands in (cluster["head_start_ray_commands"], cluster["worker_start_ray_commands"]):
            start = commands[-1]
            assert "RAY_AUTH_MODE=token" in start
            assert all(f"{name}={value}" in start for name, value in SERVE_ENVIRONMENT.items())

    def test_installs_what_is_mounted(self, cluster: dict[str, Any]) -> None:
        folder = next(target for target, source in cluster["file_mounts"].items() if source == ".")
        assert sum(folder in command for command in cluster["setup_commands"]) == 2


@pytest.mark.parametrize(("file", "config"), serve_configs().items())
class TestAServeConfiguration:
    def test_is_accepted_by_serves_own_schema(self, file: str, config: dict[str, Any]) -> None:
        ServeDeploySchema.model_validate(config)

    def test_names_an_app_arguments_and_deployments_that_exist(self, file: str, config: dict[str, Any]) -> None:
        for application in config["applications"]:
            module, name = application["import_path"].split(":")
            assert callable(getattr(importlib.import_module(module), name))
            app.AppArguments.model_validate(application["args"])
            for deployment in application["deployments"]:
                assert deployment["name"] in DEPLOYMENTS
                ServingSettings(**deployment.get("user_config", {}))


@pytest.mark.parametrize("path", ["deploy/kuberay/raycluster.yaml", "deploy/kuberay/rayservice.yaml"])
class TestAKubernetesManifest:
    @pytest.fixture
    def cluster(self, path: str) -> dict[str, Any]:
        spec = read(path)["spec"]
        return spec.get("rayClusterConfig", spec)

    def test_runs_the_ray_that_is_installed_with_tokens(self, cluster: dict[str, Any]) -> None:
        import ray

        assert cluster["rayVersion"] == ray.__version__
        assert cluster["authOptions"] == {"mode": "token"}

    def test_scales_worker_groups_within_their_bounds(self, cluster: dict[str, Any]) -> None:
        for group in cluster["workerGroupSpecs"]:
            assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]

    def test_gives_every_container_the_home(self, cluster: dict[str, Any]) -> None:
        groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
        for container in (c for g in groups for c in g["template"]["spec"]["containers"]):
            assert "REMORA_HOME" in {variable["name"] for variable in container["env"]}


def test_dashboards_and_alerts_ask_for_metrics_that_the_app_exports() -> None:
    exported = set(re.findall(r'"(remora_\w+)"', Path(str(metrics.__file__)).read_text()))
    dashboard = json.loads((ROOT / "deploy/grafana/remora.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [
        rule["expr"] for group in read("deploy/prometheus/remora_alerts.yml")["groups"] for rule in group["rules"]
    ]
    named = {name for expression in asked for name in re.findall(r"ray_(remora_\w+)", expression)}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in named} == exported


def test_prometheus_scrapes_ray_and_what_runs_leave_on_a_node() -> None:
    jobs = {job["job_name"] for job in read("deploy/prometheus/prometheus.yml")["scrape_configs"]}
    assert jobs == {"ray", "haproxy", "kuberay", "node"}


def test_prometheus_accepts_the_paths_of_files_that_it_discovers_targets_from() -> None:
    """By the pattern of its own `file_sd_configs`: a star in the last part of the path alone."""
    found = [
        path
        for job in read("deploy/prometheus/prometheus.yml")["scrape_configs"]
        for discovery in job.get("file_sd_configs", ())
        for path in discovery["files"]
    ]
    assert found
    assert all(re.fullmatch(r"[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)", path) for path in found)
