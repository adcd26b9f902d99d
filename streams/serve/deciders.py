"""A follower of the newest policy and the control of each model, and what is too much to decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import quote

from groundswell.client import Basis, Following, Policies, Slot
from groundswell.client.acting import Deciding
from groundswell.client.decisions import Decision
from groundswell.client.told import Own
from groundswell.controls import Mode
from groundswell.events import Action, FeatureValue
from groundswell.policy import Policy
from groundswell.signatures import Verifier
from streams.serve.messages import Model, OfferedSlot, RankRequest
from streams.serve.refused import RefusedError
from streams.settings import Settings

T = TypeVar("T")


class Follower(Protocol):
    """What is needed of `Policies`."""

    @property
    def basis(self) -> Basis: ...

    @property
    def deciding(self) -> Deciding: ...

    @property
    def policy(self) -> Policy: ...

    @property
    def mode(self) -> Mode | None: ...

    @property
    def following(self) -> Following: ...

    def decide(
        self,
        context: Mapping[str, FeatureValue],
        actions: Sequence[Action],
        impression_id: str | None = None,
        *,
        own: Own | None = None,
    ) -> Decision: ...

    def decide_slots(
        self,
        context: Mapping[str, FeatureValue],
        actions: Sequence[Action],
        slots: Sequence[Slot | str],
        decision_id: str | None = None,
        *,
        own: Sequence[str | Action] | None = None,
        repeats: bool = False,
    ) -> list[Decision]: ...

    def wait(self, seconds: float) -> bool: ...

    def close(self) -> None: ...


class Deciders:
    """Decides for each model that is configured, by what follows its newest policy and its control."""

    def __init__(self, settings: Settings, policies: Mapping[str, Follower]) -> None:
        self._settings, self._policies = settings, policies
        self.unreached: str | None = None
        """Why Kafka could not be reached at the start, in more words than the clients have."""

    @classmethod
    def following(cls, settings: Settings, verifier: Verifier | None, kafka: Mapping[str, Any]) -> Self:
        """Return what follows the policies and controls of all models; `kafka` are arguments of clients."""
        folder = settings.serve.keep_folder
        return cls(
            settings,
            {
                name: Policies(
                    model=name,
                    topic=settings.topics.policies,
                    controls=settings.topics.controls,
                    keep=None if folder is None else folder / f"{quote(name, safe='')}.json",
                    verifier=verifier,
                    **kafka,
                )
                for name in settings.models
            },
        )

    def decide(self, asked: RankRequest) -> Decision:
        """Return a decision. Raises `RefusedError` where there is no such model, or nothing that could be decided."""
        own: Any = asked.own  # looked at by what decides
        if asked.repeats:
            raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "repeats is for slots: leave it out, or give slots")
        return self._decided(
            asked, 1, lambda policies: policies.decide(asked.context, asked.actions, asked.impression_id, own=own)
        )

    def decide_slots(self, asked: RankRequest, slots: Sequence[OfferedSlot]) -> list[Decision]:
        """Return a decision for each slot. Raises `RefusedError` as `decide` does."""
        own: Any = asked.own
        places = [Slot(one.id, one.features) for one in slots]
        return self._decided(
            asked,
            len(slots),
            lambda policies: policies.decide_slots(
                asked.context, asked.actions, places, asked.impression_id, own=own, repeats=asked.repeats
            ),
        )

    def _decided(self, asked: RankRequest, slots: int, decide: Callable[[Follower], T]) -> T:
        policies = self._policies.get(asked.model)
        if policies is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, self._settings.no_such_model(asked.model))
        crosses = self._settings.models[asked.model].context_crosses
        of_slots = max((1 + len(one.features) for one in asked.slots or ()), default=0)
        terms = slots * terms_of(len(asked.context) + of_slots, asked.actions, crosses=crosses)
        most = self._settings.serve.max_terms
        if terms > most:
            raise RefusedError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"{terms:,} terms to add up are more than {most:,}: send fewer actions, features or slots, or raise "
                "serve.max_terms",
            )
        try:
            return decide(policies)
        except (TypeError, ValueError) as error:
            raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error

    def known(self, model: str) -> None:
        """Raise `RefusedError` where there is no such model."""
        if model not in self._policies:
            raise RefusedError(HTTPStatus.NOT_FOUND, self._settings.no_such_model(model))

    def models(self) -> list[Model]:
        """Return all models as they are at this moment."""
        return [
            Model(
                model=name,
                mode=policies.mode,
                basis=deciding.basis,
                rest=deciding.rest,
                policy_version=policies.policy.version or None,
                pinned_version=deciding.pinned_version,
                problem=self._problem(policies),
            )
            for name, policies in self._policies.items()
            for deciding in (policies.deciding,)
        ]

    def newest_known(self) -> dict[str, bool]:
        """Return of each model whether its policy is known to be the newest, whatever decides."""
        return {name: policies.basis == "policy" for name, policies in self._policies.items()}

    def not_ready(self) -> str | None:
        """Return why not to ask yet: of a model it is not known whether there is a policy. None where all is well."""
        for name, policies in self._policies.items():
            if policies.basis == "uniform" and not policies.wait(0):
                return f"the policies of {name} are not read yet: {self._problem(policies) or 'it has just begun'}"
        return None

    def _problem(self, policies: Follower) -> str | None:
        return self.unreached if self.unreached and not policies.wait(0) else policies.following.problem

    def close(self) -> None:
        """Stop following, all at the same time: each may wait for a broker that is away."""
        with ThreadPoolExecutor(max(1, len(self._policies))) as closing:
            for policies in self._policies.values():
                closing.submit(policies.close)


def terms_of(singles: int, actions: Sequence[Action], *, crosses: bool) -> int:
    """Return how many terms the scores of these actions have in a context of so many features, at the most."""
    features = 1 + singles + (singles * (singles - 1) // 2 if crosses else 0)
    return features * len(actions) * (1 + max(len(action.features) for action in actions))
