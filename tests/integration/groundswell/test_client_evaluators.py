"""The evaluators in clients/ by their own tests: on the golden corpus, and on decisions that are drawn beside it."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from groundswell import policy
from groundswell.exploration import draw
from groundswell.policy import Policy
from tests.golden_corpus import NUMBERS, clear
from tests.policy_decisions import drawn, probabilities

pytestmark = pytest.mark.clients

CLIENTS = Path(__file__).parents[3] / "clients"
TESTS = {
    "javascript": ["npm", "test", "--silent"],
    "java": ["mvn", "--quiet", "--batch-mode", "--projects", "policy", "test"],
    "go": ["go", "test", "."],
}
IN_A_PAGE = """async () => {
  const { wrongControls, wrongDecisions, wrongDraws, wrongRecords } = await import("/javascript/test/corpus.js");
  const read = async (name) => (await fetch(`/corpus/${name}.json`)).json();
  return [
    ...(await wrongDecisions(await read("decisions"))),
    ...wrongDraws(await read("draws")),
    ...(await wrongRecords(await read("records"))),
    ...(await wrongControls(await read("controls"))),
  ];
}"""


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of clients/ with more decisions in its corpus."""
    folder = tmp_path_factory.mktemp("apps") / "clients"
    shutil.copytree(CLIENTS, folder, ignore=shutil.ignore_patterns("node_modules", "target"))
    path = folder / "corpus" / "decisions.json"
    file = json.loads(path.read_text(encoding="utf-8"))
    for number, decision in enumerate(drawn(200)):
        snapshot, context, actions = decision
        name, shares = f"drawn {number}", probabilities(decision)
        file["policies"][name] = policy.encode(snapshot).decode()
        file["contexts"][name] = context
        file["actions"][name] = msgspec.to_builtins(actions)
        draws = [[u, draw(shares, u)] for u in NUMBERS if clear(shares, u)]
        scores = Policy(snapshot).scores(context, actions)
        one = {"policy": name, "context": name, "actions": name, "scores": scores, "probabilities": shares}
        file["decisions"].append({**one, "draws": draws})
    path.write_text(json.dumps(file), encoding="utf-8")
    return folder


def needed(program: str) -> None:
    """Skip what needs a program that is not installed; where everything is to be tested, fail."""
    if shutil.which(program) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {program} on the PATH")


def run(language: str, clients: Path) -> subprocess.CompletedProcess[str]:
    command = TESTS[language]
    needed(command[0])
    return subprocess.run(command, cwd=clients / language, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("language", TESTS)
def test_an_evaluator_does_what_groundswell_does(language: str, clients: Path) -> None:
    done = run(language, clients)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["decisions", "draws", "records", "controls"])
def test_javascript_is_told_what_is_otherwise_than_in_the_corpus(name: str, clients: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "clients"
    shutil.copytree(clients, wrong)
    path = wrong / "corpus" / f"{name}.json"
    file: Any = json.loads(path.read_text(encoding="utf-8"))
    match name:
        case "decisions":
            file["decisions"][0]["scores"][0] += 2**-52
        case "draws":
            file[1]["draws"][0][1] += 1
        case "records":
            file[1]["adopted"] = [False]
        case "controls":
            file["sequences"][0]["decisions"][0]["policy_version"] += 1
    path.write_text(json.dumps(file), encoding="utf-8")
    assert run("javascript", wrong).returncode == 1


@pytest.fixture(scope="module")
def address(clients: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *told: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(clients)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_evaluator_in_javascript_does_it_in_a_browser(address: str) -> None:
    needed("chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{address}/corpus/README.md")
        assert page.evaluate(IN_A_PAGE) == []
        browser.close()


def test_a_browser_needs_nothing_else() -> None:
    for path in (CLIENTS / "javascript").glob("*.js"):
        imported = [
            line for line in path.read_text().splitlines() if line.startswith(("import ", "export {", "} from"))
        ]
        assert all('from "./' in line for line in imported if "from" in line), path
