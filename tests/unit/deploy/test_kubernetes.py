"""The Kubernetes manifests: what Kubernetes takes, and what groundswell needs."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from experiments.servers.kafka_distribution import PROJECT
from streams.declared_settings import DeclarationError
from streams.host_names import is_allowed
from streams.observing.metrics import Metrics
from streams.settings import ServeSettings, Settings, load_settings

FOLDER = PROJECT / "deploy" / "kubernetes"
KUBERNETES = "1.34"
OPERATORS = ("kafka.strimzi.io/", "monitoring.coreos.com/", "kustomize.config.k8s.io/")
"""API groups whose schemas are not Kubernetes's."""


def manifests() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{path.name}: {one['kind']}", one)
        for path in sorted(FOLDER.glob("*.yaml"))
        for one in yaml.safe_load_all(path.read_text())
    ]


WORKER, SERVE = "groundswell-worker", "groundswell-serve"


def the(kind: str, name: str | None = None) -> dict[str, Any]:
    (found,) = [
        one for _, one in manifests() if one["kind"] == kind and (name is None or one["metadata"]["name"] == name)
    ]
    return found


def pods() -> list[dict[str, Any]]:
    """Return those of workers, of the Job that makes topics, and of servers."""
    every = the("Deployment", WORKER), the("Job"), the("Deployment", SERVE)
    return [one["spec"]["template"]["spec"] for one in every]


@pytest.mark.parametrize(
    "manifest", [pytest.param(one, id=name) for name, one in manifests() if not one["apiVersion"].startswith(OPERATORS)]
)
def test_kubernetes_takes_it(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_every_file_is_applied_or_offered() -> None:
    text = (FOLDER / "kustomization.yaml").read_text()
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(yaml.safe_load(text)["resources"]) <= files
    assert all(name in text for name in files)


def test_the_configuration_is_one_that_a_worker_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "groundswell.toml"
    path.write_text(the("ConfigMap")["data"]["groundswell.toml"])
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", the("ConfigMap")["data"]["KAFKA_BOOTSTRAP_SERVERS"])
    settings = load_settings(path)
    assert settings.models
    assert settings.http.host == "0.0.0.0"
    assert settings.http.port == pods()[0]["containers"][0]["ports"][0]["containerPort"]


def test_there_are_never_more_workers_than_partitions() -> None:
    topics = tomllib.loads(the("ConfigMap")["data"]["groundswell.toml"])["topics"]
    assert the("HorizontalPodAutoscaler")["spec"]["maxReplicas"] == max(topics.values())


def test_workers_are_scaled_by_a_metric_that_they_have() -> None:
    scaler = the("HorizontalPodAutoscaler")["spec"]
    (metric,) = scaler["metrics"]
    assert metric["external"]["metric"]["name"] in {one.name for one in Metrics().declared()}
    deployment = the("Deployment", WORKER)
    assert scaler["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"], "applying it would undo what the autoscaler did"


@pytest.mark.parametrize("pod", [pods()[0], pods()[2]], ids=["worker", "serve"])
def test_probes_ask_for_pages_that_exist(pod: dict[str, Any]) -> None:
    (worker,) = pod["containers"]
    asked = {name: worker[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: one["path"] for name, one in asked.items()} == {
        "startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"
    }  # fmt: skip
    assert {one["port"] for one in asked.values()} == {worker["ports"][0]["name"]}


BUSY_SECONDS = 120
"""How long an event loop may not turn: three times what a million pending impressions took to restore on busy cores."""


@pytest.mark.parametrize("name", ["startup", "liveness"])
def test_no_worker_is_killed_while_it_restores_what_was_pending(name: str) -> None:
    (worker,) = pods()[0]["containers"]
    probe = worker[f"{name}Probe"]
    assert (probe["failureThreshold"] - 1) * probe["periodSeconds"] >= BUSY_SECONDS


@pytest.mark.parametrize("pod", [pods()[0], pods()[2]], ids=["worker", "serve"])
def test_probes_wait_for_one_that_is_busy(pod: dict[str, Any]) -> None:
    """Kubernetes gives an answer one second, which a step of many records may take."""
    (worker,) = pod["containers"]
    for name in ("startup", "liveness", "readiness"):
        probe = worker[f"{name}Probe"]
        assert 5 <= probe.get("timeoutSeconds", 1) <= probe["periodSeconds"], name


@pytest.mark.parametrize("pod", pods(), ids=["worker", "topics", "serve"])
def test_no_pod_can_do_more_than_it_has_to(pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    (container,) = pod["containers"]
    allowed = container["securityContext"]
    assert not allowed["allowPrivilegeEscalation"]
    assert allowed["readOnlyRootFilesystem"]
    assert allowed["capabilities"] == {"drop": ["ALL"]}
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize(("name", "monitor"), [(WORKER, "groundswell"), (SERVE, SERVE)])
def test_services_find_their_pods(name: str, monitor: str) -> None:
    labels = the("Deployment", name)["spec"]["template"]["metadata"]["labels"]
    for kind, called in {"Service": name, "PodDisruptionBudget": name, "PodMonitor": monitor}.items():
        selector = the(kind, called)["spec"]["selector"]
        assert (selector.get("matchLabels") or selector).items() <= labels.items(), kind
    job = labels[the("PodMonitor", monitor)["spec"]["jobLabel"]]
    assert job == monitor, "the rules look for it"
    (ports,) = the("Service", name)["spec"]["ports"]
    assert ports["targetPort"] == pods()[(WORKER, "", SERVE).index(name)]["containers"][0]["ports"][0]["name"]


def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Settings:
    """Return the settings of a server, with this configuration, and a folder of the test in the place of its volume."""
    path = tmp_path / "groundswell.toml"
    path.write_text(text)
    (server,) = pods()[2]["containers"]
    for one in server["env"]:
        if "value" in one:
            monkeypatch.setenv(one["name"], one["value"])
    (kept,) = [one["mountPath"] for one in server["volumeMounts"] if one["name"] == "kept"]
    assert kept == next(one["value"] for one in server["env"] if one["name"].endswith("KEEP_FOLDER"))
    monkeypatch.setenv("GROUNDSWELL_SERVE__KEEP_FOLDER", str(tmp_path))
    return load_settings(path)


def test_a_server_takes_the_configuration_once_it_has_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = the("ConfigMap")["data"]["groundswell.toml"]
    with pytest.raises(DeclarationError, match="hash-token"):
        served(tmp_path, monkeypatch, text)
    offered = [line.removeprefix("#").removeprefix(" ") for line in text.splitlines() if line.startswith("#")]
    tokens = "\n".join(line for line in offered if line.startswith(("[", "sha256", "models")))
    settings = served(tmp_path, monkeypatch, text + tokens.replace("…", "0" * 64, 1).replace("…", "1" * 64, 1))
    assert settings.serve.tokens.keys() == {"apps", "prometheus"}
    assert settings.serve.port == pods()[2]["containers"][0]["ports"][0]["containerPort"]
    short = f"{SERVE}.{the('Namespace')['metadata']['name']}"
    assert all(is_allowed(host, frozenset(settings.serve.allowed_hosts)) for host in (SERVE, short, f"{short}.svc"))


def test_a_server_has_time_to_end_what_is_under_way() -> None:
    pod = pods()[2]
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > pause + 2 * ServeSettings().drain_seconds
