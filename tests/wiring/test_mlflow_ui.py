"""MLflow's page as `remora run --serve` starts it: its views are read, and nobody writes through it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mlflow import MlflowClient

from remora.registry.tracking import artifact_root, tracking_uri
from remora.settings import DataSettings, EventTypeSettings, Settings, SourceSettings
from remora.wiring import child_processes
from remora.wiring.mlflow_ui import start_mlflow, stop_mlflow
from remora.wiring.read_only import allowed

API = ("/api/2.0/mlflow", "/ajax-api/2.0/mlflow")
TRIES = 10
"""To connect: half a second, one, two, four and so on between them, four minutes in all."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    source = SourceSettings(path="events.csv", format="csv", columns={}, event_type="like")
    data = DataSettings(events=(source,), event_types={"like": EventTypeSettings()})
    return Settings(name="shop", home=str(tmp_path_factory.mktemp("home")), data=data)


@pytest.fixture(scope="module")
def client(settings: Settings) -> MlflowClient:
    """Remora itself, which writes to the database and not through the page."""
    return MlflowClient(tracking_uri(settings))


@pytest.fixture(scope="module")
def run(settings: Settings, client: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run with a metric and a file, and a registered model with an alias."""
    experiment = client.create_experiment("shop", artifact_location=artifact_root(settings))
    id = client.create_run(experiment).info.run_id
    client.log_metric(id, "ndcg", 0.25)
    note = tmp_path_factory.mktemp("files") / "note.txt"
    note.write_text("kept")
    client.log_artifact(id, str(note))
    client.create_registered_model("shop")
    for bundle in ("one", "two"):
        client.create_model_version("shop", source="file:///bundle", tags={"bundle": bundle})
    client.set_registered_model_alias("shop", "production", "1")
    return id


@pytest.fixture(scope="module")
def page(settings: Settings, run: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("checkout"))
        url = start_mlflow(settings)
        try:
            # It listens once it is ready; who waits for that longer each time leaves it the CPU to start.
            waiting = httpx.HTTPTransport(retries=TRIES)
            with httpx.Client(base_url=url, timeout=60, transport=waiting) as http:
                assert _answers(http), child_processes.log_tail("mlflow")
                yield http
        finally:
            stop_mlflow()


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def state(client: MlflowClient) -> tuple[Any, ...]:
    model, experiments = client.get_registered_model("shop"), client.search_experiments()
    runs = client.search_runs([e.experiment_id for e in experiments])
    return (
        model.aliases,
        model.description,
        sorted(e.name for e in experiments),
        [(r.info.status, r.info.lifecycle_stage, r.data.metrics, r.data.tags) for r in runs],
        len(client.search_model_versions("name = 'shop'")),
    )


@pytest.mark.parametrize("prefix", API)
def test_its_views_are_read(page: httpx.Client, run: str, prefix: str) -> None:
    front = page.get("/")
    assert "<div id=" in front.text
    script = re.search(r'static-files/static/js/main[^"]+\.js', front.text)
    assert script is not None
    assert page.get(f"/{script.group()}").status_code == 200
    experiments = page.post(f"{prefix}/experiments/search", json={"max_results": 10}).json()["experiments"]
    shop = next(e["experiment_id"] for e in experiments if e["name"] == "shop")
    runs = page.post(f"{prefix}/runs/search", json={"experiment_ids": [shop]}).json()["runs"]
    assert [r["info"]["run_id"] for r in runs] == [run]
    assert page.get(f"{prefix}/runs/get", params={"run_id": run}).json()["run"]["data"]["metrics"][0]["value"] == 0.25
    assert page.get(f"{prefix}/metrics/get-history", params={"run_id": run, "metric_key": "ndcg"}).json()["metrics"]
    files = page.get(f"{prefix}/artifacts/list", params={"run_id": run}).json()["files"]
    assert [file["path"] for file in files] == ["note.txt"]
    assert page.get("/get-artifact", params={"run_uuid": run, "path": "note.txt"}).text == "kept"
    models = page.get(f"{prefix}/registered-models/search").json()["registered_models"]
    assert [m["name"] for m in models] == ["shop"]
    model = page.get(f"{prefix}/registered-models/get", params={"name": "shop"}).json()["registered_model"]
    assert model["aliases"] == [{"alias": "production", "version": "1"}]
    versions = page.get(f"{prefix}/model-versions/search", params={"filter": "name = 'shop'"}).json()["model_versions"]
    assert {v["version"] for v in versions} == {"1", "2"}
    question = {"query": "query Q($i: MlflowGetRunInput!) { mlflowGetRun(input: $i) { run { info { runId } } } }"}
    answer = page.post("/graphql", json=question | {"operationName": "Q", "variables": {"i": {"runId": run}}}).json()
    assert answer["data"]["mlflowGetRun"]["run"]["info"]["runId"] == run


def writes(run: str) -> list[tuple[str, str, dict[str, Any]]]:
    under = [
        ("POST", "/registered-models/alias", {"name": "shop", "alias": "production", "version": "2"}),
        ("DELETE", "/registered-models/alias", {"name": "shop", "alias": "production"}),
        ("DELETE", "/registered-models/delete", {"name": "shop"}),
        ("POST", "/registered-models/create", {"name": "other"}),
        ("PATCH", "/registered-models/update", {"name": "shop", "description": "changed"}),
        ("POST", "/model-versions/create", {"name": "shop", "source": "file:///etc"}),
        ("DELETE", "/model-versions/delete", {"name": "shop", "version": "1"}),
        ("POST", "/runs/create", {"experiment_id": "0"}),
        ("POST", "/runs/delete", {"run_id": run}),
        ("POST", "/runs/log-metric", {"run_id": run, "key": "ndcg", "value": 1.0, "timestamp": 1}),
        ("POST", "/runs/set-tag", {"run_id": run, "key": "k", "value": "v"}),
        ("POST", "/experiments/create", {"name": "mine"}),
        ("POST", "/experiments/delete", {"experiment_id": "0"}),
        ("POST", "/upload-artifact", {}),
        ("GET", "/gateway-proxy", {}),
        ("POST", "/gateway-proxy", {}),
        ("POST", "/webhooks", {"name": "w", "url": "http://127.0.0.1:1"}),
        ("GET", "/webhooks", {}),
    ]
    elsewhere = [
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/note.txt", {}),
        ("DELETE", "/ajax-api/2.0/mlflow-artifacts/artifacts/note.txt", {}),
        ("POST", "/ajax-api/3.0/mlflow/gateway/secrets/create", {}),
        ("GET", "/ajax-api/3.0/mlflow/gateway/secrets/list", {}),
        ("POST", "/gateway/chat/mlflow/invocations", {}),
        ("POST", "/ajax-api/3.0/mlflow/assistant/message", {}),
        ("GET", "/ajax-api/3.0/mlflow/assistant/config", {}),
        ("POST", "/ajax-api/3.0/jobs", {}),
        ("POST", "/ajax-api/3.0/mlflow/scorers/register", {}),
        ("POST", "/v1/traces", {}),
        ("POST", "//api/2.0/mlflow/registered-models/alias", {"name": "shop", "alias": "production", "version": "2"}),
        ("POST", "/api/2.0/mlflow/runs/search/../delete", {"run_id": run}),
        ("POST", "/api/2.0/mlflow/runs/search%2f..%2fdelete", {"run_id": run}),
    ]
    return [(method, prefix + path, body) for prefix in API for method, path, body in under] + elsewhere


def test_no_write_passes_through_it(page: httpx.Client, client: MlflowClient, run: str) -> None:
    before = state(client)
    for method, path, body in writes(run):
        answer = page.request(method, path, json=body)
        assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED"), (method, path)
    assert state(client) == before


def test_a_method_in_a_header_does_not_help(page: httpx.Client, client: MlflowClient) -> None:
    body = {"name": "shop", "alias": "production", "version": "2"}
    before = state(client)
    for header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        page.request("GET", f"{API[0]}/registered-models/alias", headers={header: "POST"}, json=body)
    assert state(client) == before


def test_another_host_name_is_refused(page: httpx.Client) -> None:
    answer = page.get(f"{API[1]}/experiments/search", headers={"Host": "attacker.example"})
    assert answer.status_code == 403


def test_it_is_found_again_and_its_record_names_no_database(settings: Settings, page: httpx.Client) -> None:
    assert start_mlflow(settings) == str(page.base_url).rstrip("/")
    assert "sqlite" not in Path(child_processes.FOLDER, "mlflow.json").read_text()


def test_a_server_of_the_settings_is_named_and_none_is_started(settings: Settings) -> None:
    remote = settings.model_copy(update={"tracking_uri": "http://ann:sesame@mlflow.example:5000"})
    assert start_mlflow(remote) == "http://***@mlflow.example:5000"


def test_every_route_of_mlflow_that_is_open_only_reads() -> None:
    """Of all routes that this MLflow has, the open ones are gets, and the searches that are posts."""
    from mlflow.server import app

    routes = {(method, str(rule)) for rule in app.url_map.iter_rules() for method in rule.methods or ()}
    posts = {rule for method, rule in routes if method == "POST" and allowed("POST", rule)}
    assert {re.sub(r"^/(ajax-)?api/[23]\.0/mlflow/", "", rule) for rule in posts} == {
        "/graphql",
        "datasets/search",
        "experiments/search",
        "experiments/search-datasets",
        "logged-models/search",
        "registered-models/get-latest-versions",
        "runs/search",
        "traces/batchGetInfos",
        "traces/calculate-filter-correlation",
        "traces/metrics",
        "traces/search",
    }
    assert {method for method, rule in routes if allowed(method, rule)} == {"GET", "HEAD", "POST"}
    assert not any(allowed(m, "/ajax-api/2.0/mlflow/runs/delete") for m in METHODS if m not in ("GET", "HEAD"))


def test_mutations_of_its_graphql_are_searches() -> None:
    from mlflow.server.graphql.graphql_schema_extensions import schema

    mutation = schema.graphql_schema.mutation_type
    assert mutation is not None
    assert set(mutation.fields) == {"mlflowSearchRuns", "mlflowSearchDatasets", "testMutation"}  # the last one echoes


def test_what_is_not_known_is_refused() -> None:
    unknown = ("/new-in-4.0", "/api/4.0/mlflow/runs/search", "/ajax-api/2.0/mlflow/new/search", "/static-filesx", "")
    assert not any(allowed(method, path) for method, path in itertools.product(METHODS, unknown))
