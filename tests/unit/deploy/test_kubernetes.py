"""The Kubernetes manifests: what Kubernetes takes, and what groundswell needs."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from experiments.servers.kafka_distribution import PROJECT
from streams.observing.metrics import Metrics
from streams.settings import load_settings

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


def the(kind: str) -> dict[str, Any]:
    (found,) = [one for _, one in manifests() if one["kind"] == kind]
    return found


def pods() -> list[dict[str, Any]]:
    return [the(kind)["spec"]["template"]["spec"] for kind in ("Deployment", "Job")]


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
    deployment = the("Deployment")
    assert scaler["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"], "applying it would undo what the autoscaler did"


def test_probes_ask_for_pages_that_exist() -> None:
    (worker,) = pods()[0]["containers"]
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


def test_probes_wait_for_a_worker_that_is_busy() -> None:
    """Kubernetes gives an answer one second, which a step of many records may take."""
    (worker,) = pods()[0]["containers"]
    for name in ("startup", "liveness", "readiness"):
        probe = worker[f"{name}Probe"]
        assert 5 <= probe.get("timeoutSeconds", 1) <= probe["periodSeconds"], name


@pytest.mark.parametrize("pod", pods(), ids=["worker", "topics"])
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


def test_services_find_the_workers() -> None:
    labels = the("Deployment")["spec"]["template"]["metadata"]["labels"]
    for kind, path in {"Service": "selector", "PodDisruptionBudget": "selector", "PodMonitor": "selector"}.items():
        selector = the(kind)["spec"][path]
        assert (selector.get("matchLabels") or selector).items() <= labels.items(), kind
    assert the("PodMonitor")["spec"]["jobLabel"] in labels
