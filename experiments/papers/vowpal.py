"""VowpalWabbit's own IGL (`--experimental_igl`) as a peer, fed with its DSJSON format. Needs the extra `bench`.

Its K is fixed at 4 and its alpha at .5, and it takes its own current probabilities for the logged ones, as its
source (`interaction_ground.cc`) has it; nothing is patched here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from vowpalwabbit import LabelType, Workspace

ARGUMENTS = "--experimental_igl --coin --cb_explore_adf --epsilon 0.2 -q UA --noconstant --dsjson --quiet"


def question(user: str, actions: Sequence[str]) -> str:
    """Return a round to be decided."""
    return json.dumps({"a": _numbers(actions), "p": _uniform(actions), "c": _context(user, actions)})


def lesson(user: str, actions: Sequence[str], *, chosen: int, propensity: float, signal: str, bad: bool) -> str:
    """Return a round with what was shown and what came back."""
    return json.dumps(
        {
            "_label_cost": 0,
            "_label_probability": propensity,
            "_label_Action": chosen + 1,
            "_labelIndex": chosen,
            "o": [{"v": {f"v={signal}": 1}, "_definitely_bad": bad}],
            "a": _numbers(actions),
            "p": _uniform(actions),
            "c": _context(user, actions),
        }
    )


class Vowpal:
    """A VowpalWabbit process in this process."""

    def __init__(self) -> None:
        self._workspace = Workspace(ARGUMENTS)

    def probabilities(self, round_to_decide: str) -> list[float]:
        """Return the probability of each action of a `question`."""
        examples = self._parse(round_to_decide)
        result = list(self._workspace.predict(examples))
        self._workspace.finish_example(examples)
        return result

    def learn(self, round_seen: str) -> None:
        """Learn from a `lesson`."""
        examples = self._parse(round_seen)
        self._workspace.learn(examples)
        self._workspace.finish_example(examples)

    def close(self) -> None:
        """Free what it holds."""
        self._workspace.finish()

    def _parse(self, text: str) -> object:
        # It cannot say which labels its IGL takes; they are laid out as contextual bandit ones.
        return self._workspace.parse(text, LabelType.CONTEXTUAL_BANDIT)


def _numbers(actions: Sequence[str]) -> list[int]:
    return list(range(1, len(actions) + 1))


def _uniform(actions: Sequence[str]) -> list[float]:
    return [1 / len(actions)] * len(actions)


def _context(user: str, actions: Sequence[str]) -> dict[str, object]:
    return {"User": {"id": user}, "_multi": [{"Action": {"id": action}} for action in actions]}
