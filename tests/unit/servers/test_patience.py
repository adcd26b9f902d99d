"""How long something is waited for on a machine that is busy with other things."""

from __future__ import annotations

import os

import pytest

from experiments.servers.patience import Patience, waited_seconds

WORKER, BROKER = 1, 2


class Machine:
    """A clock, and for how long each process has waited for a processor."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waited = {WORKER: 5.0, BROKER: 0.0}

    def patience(self, seconds: float = 30, longest: float = 900) -> Patience:
        return Patience(
            seconds, list(self.waited), longest=longest, clock=lambda: self.now, waited=lambda pid: self.waited[pid]
        )

    def at_an_end_after(self, patience: Patience, share: float = 0.0, pid: int = WORKER) -> float:
        """Let time pass, of which a process waits for this share; return the seconds until patience is at an end."""
        began = self.now
        while not patience.is_at_an_end("as before"):
            self.now += 1
            self.waited[pid] += share
        return self.now - began


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_on_a_free_machine_it_is_at_an_end_as_said(machine: Machine) -> None:
    assert machine.at_an_end_after(machine.patience()) == 31


@pytest.mark.parametrize("pid", [WORKER, BROKER])
def test_seconds_in_which_one_of_the_processes_waits_for_a_processor_do_not_count(machine: Machine, pid: int) -> None:
    assert machine.at_an_end_after(machine.patience(), share=0.9, pid=pid) == pytest.approx(300, abs=11)


@pytest.mark.parametrize("share", [1.0, 8.0])
def test_it_is_at_an_end_some_time_whatever_is_waited_for(machine: Machine, share: float) -> None:
    assert machine.at_an_end_after(machine.patience(longest=600), share=share) == 601


def test_what_gets_on_begins_it_anew(machine: Machine) -> None:
    patience = machine.patience()
    for progress in range(100):
        machine.now += 29
        assert not patience.is_at_an_end(progress)
    assert machine.at_an_end_after(patience) == 31


def test_what_ended_meanwhile_waits_for_nothing(machine: Machine) -> None:
    patience = machine.patience()
    machine.waited[WORKER] = 0.0
    assert machine.at_an_end_after(patience) == 31


def test_a_process_that_nobody_knows_has_waited_for_nothing() -> None:
    assert waited_seconds(os.getpid()) >= 0.0
    assert waited_seconds(2**30) == 0.0
