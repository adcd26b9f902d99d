"""What decisions are made by at one moment: a control, and the policies that it chooses among."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from groundswell.client.decisions import Basis
from groundswell.controls import Control, Mode, Side, side_of
from groundswell.events import FeatureValue
from groundswell.policy import Policy, PolicySnapshot

_NONE = Policy.uniform()


class Chosen(NamedTuple):
    """What decides in a context: a policy, or none (its version is 0); and a policy to compare it with."""

    policy: Policy
    basis: Basis
    mode: Mode | None
    side: Side | None = None
    beside: Policy | None = None


class Deciding(NamedTuple):
    """What decides at one moment; in a canary for those in it, and for the `rest`.

    `uniform` stands for no policy: the app's own rule decides where it is given, and otherwise chance.
    """

    basis: Basis
    rest: Basis | None = None
    pinned_version: int | None = None
    """Of the policy that the control names."""


class Acting(NamedTuple):
    """The newest policy, that of the snapshot which lies beside the control, and the control.

    While it is not `known` yet whether there is a control, no policy decides: it might be one that must not.
    """

    newest: Policy = _NONE
    pinned: Policy = _NONE
    control: Control | None = None
    known: bool = False

    @property
    def mode(self) -> Mode | None:
        """The mode of the control, `online` without one; None while it is not known whether there is one."""
        if not self.known:
            return None
        return "online" if self.control is None else self.control.mode

    def by(self, control: Control | None, beside: PolicySnapshot | None) -> Acting:
        """Return what decides when this control has been read, and this snapshot beside it; None changes nothing.

        A snapshot counts from when the control names it: it is written first, and until then the one before goes on.
        """
        acting = self._replace(control=control or self.control, known=True)
        if beside is not None and beside.version == acting.lacks():
            acting = acting._replace(pinned=Policy(beside))
        return acting

    def chosen(self, context: Mapping[str, FeatureValue], of_newest: Basis) -> Chosen:
        """Return what decides in a context, where a decision by the newest policy has the basis `of_newest`."""
        control, mode = self.control, self.mode
        if mode is None:
            return Chosen(_NONE, "uniform", None)
        if control is None or mode == "online":
            return Chosen(self.newest, of_newest, "online")
        if mode == "frozen":
            return Chosen(self._pinned(control), "pinned", mode)
        if control.canary is not None:
            side = side_of(control.model, control.canary, context)
            if side == "canary":
                return Chosen(self.newest, of_newest, mode, side)
            return Chosen(self._pinned(control), "pinned", mode, side)
        return Chosen(_NONE, "uniform", mode, beside=self.newest if mode == "apprentice" else None)

    def deciding(self, of_newest: Basis) -> Deciding:
        """Return what decides, where a decision by the newest policy has the basis `of_newest`."""
        control, mode = self.control, self.mode
        if control is None or mode in {None, "online"}:
            return Deciding("uniform" if mode is None else of_newest)
        pinned = control.policy_version
        others: Basis = "own" if pinned is None else "uniform" if self.lacks() is not None else "pinned"
        return Deciding(others, None, pinned) if control.canary is None else Deciding(of_newest, others, pinned)

    def lacks(self) -> int | None:
        """Return the version of the snapshot that the control names, where it is not there."""
        wanted = None if self.control is None else self.control.policy_version
        return None if wanted in {None, self.pinned.version} else wanted

    def _pinned(self, control: Control) -> Policy:
        return self.pinned if self.pinned.version == control.policy_version else _NONE
