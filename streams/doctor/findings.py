"""What `groundswell doctor` makes of what it saw: each a finding with what to do. Pure; `examination.py` looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from enum import StrEnum
from ipaddress import ip_address
from statistics import median
from typing import Any

import msgspec
from msgspec import Struct
from rich.text import Text

from groundswell.controls import Control, how_to_write
from processors.admission.local_times import common_hours
from processors.admission.local_times import in_words as in_words_of_zone
from processors.join.config import JoinConfig
from streams.kafka.topics import ADOPT, TopicLayout, partition_remedy
from streams.observing.conditions import CHOSEN_FROM_ONE, Kind
from streams.settings import KafkaSettings
from streams.words import counted, span

DAY_MS = 86_400_000
SKEW_MS = 1_000
"""How far ahead of the broker a producer's clock may be without a word."""
OLD_MS = 60_000
"""How old the freshest of a producer's messages may be when it is logged, and an unread record, without a word."""
ALIKE = 0.9
"""How much alike the name of a topic and one of ours must be to be taken for misspelt (`difflib`)."""
MANY = 0.05
"""A share of refused messages that is more than accidents."""

ZONE_SPREAD_MS = 900_000
"""How long sending may take for a difference of hours to be seen beneath."""
WRITE_UTC = (
    "write `occurred_at` in milliseconds since 1970 in UTC; a date without its zone is local time to most languages "
    "(in Python `time.time()` is right, `datetime.utcnow().timestamp()` is not)"
)


class Status(StrEnum):
    """How a check ended."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


STYLES = {Status.PASS: "green", Status.WARN: "bold yellow", Status.FAIL: "bold red"}


class Finding(Struct, frozen=True):
    """One line: what was checked, how it ended, what was seen, and what to do about it."""

    check: str
    status: Status
    seen: str
    remedy: str = ""


def passed(check: str, seen: str) -> Finding:
    """Return the finding of a check with nothing to do."""
    return Finding(check, Status.PASS, seen)


def warned(check: str, seen: str, remedy: str) -> Finding:
    """Return the finding of something that works and may not go on to."""
    return Finding(check, Status.WARN, seen, remedy)


def failed(check: str, seen: str, remedy: str) -> Finding:
    """Return the finding of something that keeps groundswell from working."""
    return Finding(check, Status.FAIL, seen, remedy)


def is_well(found: Sequence[Finding]) -> bool:
    """Say whether nothing failed."""
    return all(one.status is not Status.FAIL for one in found)


def in_words(finding: Finding) -> Text:
    """Return a finding for a terminal."""
    text = Text(f"{finding.status:<5}", STYLES[finding.status]).append(f"{finding.check}: {finding.seen}", "default")
    return text.append(f"\n      -> {finding.remedy}", "italic default") if finding.remedy else text


def in_json(found: Sequence[Finding]) -> str:
    """Return findings for scripts."""
    return msgspec.json.encode({"well": is_well(found), "findings": found}).decode()


def of_security(kafka: KafkaSettings) -> Finding:
    """Say whether others can listen."""
    protocol = kafka.security_protocol
    if kafka.tls and not kafka.check_hostname:
        return warned("security", f"{protocol}, without looking at the broker's name", "set kafka.check_hostname")
    if kafka.tls or all(_is_loopback(server) for server in kafka.bootstrap_servers.split(",")):
        return passed("security", protocol if kafka.tls else f"{protocol}, on this machine only")
    return warned(
        "security",
        f"{protocol}: whoever reaches the network can read everything on the way, and alter it",
        "set kafka.security_protocol to SASL_SSL or SSL (docs/security.md)",
    )


def _is_loopback(server: str) -> bool:
    host = server.strip().rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def of_topic(layout: TopicLayout, described: Mapping[str, Any], replication: int) -> Finding:
    """Compare a topic, as Kafka describes it, with what it should be."""
    check, partitions = f"topic {layout.name}", described.get("partitions") or []
    if not partitions:
        return failed(check, "is missing", "run `groundswell topics create`")
    if len(partitions) != layout.partitions:
        return failed(
            check,
            f"has {counted(len(partitions), 'partition')}, expected {layout.partitions}",
            f"{partition_remedy([layout], {layout.name: len(partitions)})}"
            + ("; impressions, feedback and the changelog must have the same number" if layout.setting else ""),
        )
    if any(one["leader_id"] < 0 for one in partitions):
        return failed(check, "has a partition without a leader", "see why its brokers are down")
    copies = min(len(one["replica_nodes"]) for one in partitions)
    if any(len(one["isr_nodes"]) < len(one["replica_nodes"]) for one in partitions):
        return warned(check, "has copies that are behind", "see whether a broker is down or slow")
    if copies < replication:
        return warned(
            check,
            f"has {counted(copies, 'copy', 'copies')}, kafka.replication is {replication}",
            "move it with kafka-reassign-partitions",
        )
    return passed(check, f"{counted(len(partitions), 'partition')}, {counted(copies, 'copy', 'copies')}")


def misspelt_topics(names: Sequence[str], ours: Sequence[str], logged: Sequence[str]) -> Iterator[Finding]:
    """Yield which topics have all but the name of one that apps log to: brokers make what a producer misspells.

    Where others of `ours`, which apps do not write, have such a neighbour too, it is of another installation.
    """
    others = [name for name in names if name not in ours]
    if any(_is_near(name, one) for name in others for one in ours if one not in logged):
        return
    for name in others:
        if (meant := next((one for one in logged if _is_near(name, one)), None)) is not None:
            yield warned(
                f"topic {name}",
                f"is there beside {meant}, and is not read by this configuration",
                f"if a producer misspells {meant}, mend its name there; if it is another installation's, all is well",
            )


def _is_near(name: str, meant: str) -> bool:
    lower, alike = name.lower().replace("_", "-"), meant.lower()
    near = abs(len(name) - len(meant)) <= 1 and SequenceMatcher(None, lower, alike).ratio() >= ALIKE
    return near and not name[-1].isdigit()


def of_layout(layout: TopicLayout, config: Mapping[str, str]) -> Finding:
    """Compare how Kafka cleans and stamps a topic with how it should; `config` as Kafka has it."""
    check = f"layout of {layout.name}"
    if policy := layout.wrong_cleanup(config):
        wanted = layout.config["cleanup.policy"]
        lost = (
            "old policies and checkpoints pile up, or are deleted by age"
            if wanted == "compact"
            else "messages of one key replace another"
        )
        return failed(check, f"cleanup.policy is {policy}: {lost}", layout.mending("cleanup.policy"))
    if stamp := layout.wrong_stamp(config):
        return warned(
            check,
            f"message.timestamp.type is {stamp}: retention and the check against the future go by producers' clocks",
            layout.mending("message.timestamp.type"),
        )
    if (kept := layout.wrong_retention(config)) is not None:
        return warned(
            check,
            f"is kept for {span(kept)}, topics.retention_hours says {span(int(layout.config['retention.ms']))}: what "
            "nobody has read by then is gone",
            f"{layout.mending('retention.ms')}, or set topics.retention_hours to what is meant",
        )
    if (most := layout.too_small(config)) is not None:
        return warned(
            check,
            f"max.message.bytes is {most:,}: policies, checkpoints and interactions may be larger",
            layout.mending("max.message.bytes"),
        )
    return passed(check, ", ".join(f"{key} {config[key]}" for key in layout.config if key in config))


def of_retention(topic: str, config: Mapping[str, str], join: JoinConfig) -> Finding:
    """Say whether a log keeps its records for as long as the join may need them, and a worker may be away."""
    check = f"retention of {topic}"
    needed = round(1000 * (join.wait + join.grace + join.backward + join.activation))
    kept = int(config.get("retention.ms", 7 * DAY_MS))
    if int(config.get("retention.bytes", -1)) >= 0:
        return warned(
            check,
            f"retention.bytes is {config['retention.bytes']}: how long records are kept depends on the traffic",
            "set it to -1, or see that it is many times what comes in while the join waits",
        )
    if kept < 0:
        return passed(check, "for ever")
    if kept < needed:
        return failed(
            check,
            f"{span(kept)}, the join waits up to {span(needed)}: feedback can be deleted before it is read",
            f"set retention.ms to {needed + DAY_MS} or more",
        )
    if kept < needed + DAY_MS:
        return warned(
            check,
            f"{span(kept)}: a worker that is away for {span(kept - needed)} loses records",
            f"set retention.ms to {needed + DAY_MS} or more",
        )
    return passed(check, span(kept))


def of_sample(topic: str, refusals: Sequence[str | None], misplaced: int, example: str = "") -> Finding:
    """Judge a sample of messages: for each why it would be refused, or None; how many lie on a wrong partition.

    `example` is one that is refused, where it lies and why. A single wrong message is no more than that.
    """
    check, count = f"messages of {topic}", len(refusals)
    refused = Counter(reason for reason in refusals if reason is not None)
    if not count:
        return warned(check, "there are none", "see that the apps write to this topic (docs/clients.md)")
    few = max(1, MANY * count)
    if misplaced:
        return (failed if misplaced > few else warned)(
            check,
            f"of {count}, {counted(misplaced, 'lies', 'lie')} on another partition than the key's: the join misses it",
            "set the producers' partitioner to murmur2 (librdkafka: murmur2_random) and key by impression_id",
        )
    if not refused:
        return passed(check, f"the last {count} are valid")
    reasons = ", ".join(f"{reason} {number}" for reason, number in refused.most_common(5))
    make = failed if refused.total() > few or refused.total() == count else warned
    return make(
        check,
        f"{refused.total()} of the last {count} {'is' if refused.total() == 1 else 'are'} refused: {reasons}"
        + (f". For example {example}" if example else ""),
        "mend what writes them (docs/schemas says what is expected); `groundswell dead-letters` shows more",
    )


def of_clocks(topic: str, delays: Sequence[int], max_ahead_ms: int, *, broker_stamps: bool) -> Finding:
    """Judge producers' clocks by how long after its event time each message was logged, in ms; at least one."""
    check = f"clocks of producers of {topic}"
    if not broker_stamps:
        return warned(
            check,
            "records are stamped by the producers, so that nothing can be said of their clocks",
            "set message.timestamp.type of the topic to LogAppendTime",
        )
    hours = common_hours(delays, ZONE_SPREAD_MS)
    zone = "" if hours is None else f", {in_words_of_zone(-hours)}"
    beyond = [-delay for delay in delays if -delay > max_ahead_ms]
    if beyond:
        return (failed if len(beyond) > max(1, MANY * len(delays)) or len(beyond) == len(delays) else warned)(
            check,
            f"{len(beyond):,} of {counted(len(delays), 'message')} up to {span(max(beyond))} ahead of the broker's "
            f"clock, and refused for it{zone}",
            WRITE_UTC if zone else "set the clocks of the machines that run the apps (NTP), and of the brokers",
        )
    if hours is not None and hours > 0:
        many = sum(delay >= 1000 * 3600 * (hours - 0.1) for delay in delays)
        return warned(
            check,
            f"{many:,} of {counted(len(delays), 'message')} were logged long after their event time{zone}",
            f"nothing, if a log is being replayed; otherwise {WRITE_UTC}",
        )
    ahead = -min(delays)
    if ahead > SKEW_MS:
        remedy = WRITE_UTC if zone else "set the clocks of the apps (NTP)"
        return warned(check, f"up to {span(ahead)} ahead of the broker's{zone}", remedy)
    if ahead < -OLD_MS:
        return warned(
            check,
            f"the freshest message was logged {span(-ahead)} after its event time",
            "nothing, if a log is being replayed; otherwise look for clocks that are behind, or what holds messages up",
        )
    return passed(check, f"messages are logged {span(max(0, round(median(delays))))} after their event time (median)")


class Unread(Struct, frozen=True):
    """One partition as its group reads it: offsets, and the age in ms of the oldest record that is not read."""

    partition: int
    first: int
    committed: int | None
    end: int
    age: int = 0

    @property
    def count(self) -> int:
        """How many records are not read: all of them, where what was committed is of another log (`of_log`)."""
        elsewhere = self.committed is None or self.committed > self.end
        return self.end - (self.first if elsewhere else self.committed or 0)


def of_lag(topic: str, partitions: Sequence[Unread], retention_ms: int) -> Finding:
    """Judge how far behind the group is; a negative retention means for ever."""
    check = f"lag on {topic}"
    lost = [one for one in partitions if one.committed is not None and one.committed < one.first]
    if lost:
        count = sum(one.first - (one.committed or 0) for one in lost)
        return failed(
            check,
            f"{counted(count, 'record was', 'records were')} deleted before they were read (partition {_list(lost)})",
            "start more workers, or keep records for longer; what was deleted is lost",
        )
    count = sum(one.count for one in partitions)
    if not count:
        return passed(check, "everything is read")
    oldest = max((one.age for one in partitions if one.count), default=0)
    seen = f"{counted(count, 'record is', 'records are')} not read, the oldest for {span(oldest)}"
    if 0 <= retention_ms < 2 * oldest:
        return failed(check, f"{seen}: soon they will be deleted", "start workers now, or raise retention.ms")
    if oldest > OLD_MS:
        return warned(check, seen, "see whether a worker runs, and whether it keeps up (its log, and its page at /)")
    return passed(check, seen)


def of_log(topic: str, others: Mapping[int, str]) -> Finding:
    """Say whether a topic is the one that is known; `others` says of partitions that are of another log why."""
    check = f"log of {topic}"
    if not others:
        return passed(check, "is the one that is known")
    partition, why = next(iter(others.items()))
    more = f" (and {len(others) - 1} other partitions)" if len(others) > 1 else ""
    return failed(check, f"{topic}[{partition}] {why}{more}: its offsets mean other records now", ADOPT)


def of_propensities(model: str, count: int, wrong: Sequence[tuple[Kind, str | None]]) -> Finding:
    """Say whether the propensities of the last impressions of a model can be right."""
    check = f"propensities of {model}"
    if not wrong:
        return passed(check, f"of the last {counted(count, 'impression')} nothing speaks against them")
    return warned(check, "; ".join(says or "" for _, says in wrong), " ".join(kind.do for kind, _ in wrong))


def of_indices(model: str, says: str | None) -> Finding:
    """Say whether a model's last impressions count from 0 which action was chosen, as far as that shows."""
    check = f"chosen of {model}"
    if says is None:
        return passed(check, "nothing speaks against a count from 0")
    return failed(check, says, CHOSEN_FROM_ONE.do)


def without_controls(topic: str) -> Finding:
    """Say that there is no topic of controls, which workers do without and apps take for none."""
    return warned(
        f"topic {topic}",
        "is missing, or this client may not see it: apps act by the newest policy, and cannot be told otherwise",
        "run `groundswell topics create`, or look with a client that may read it",
    )


def of_control(model: str, control: Control | None, pinned: int | None, refused: int) -> Finding:
    """Say by what the apps of a model act; `pinned` is the version of the snapshot beside its control."""
    check = f"control of {model}"
    if control is None:
        seen = "none: the newest policy decides"
    else:
        seen = f"{control.mode} since version {control.version}, by {control.by}: {control.why}"
        if control.policy_version not in {None, pinned}:
            return failed(
                check,
                f"{seen}; policy version {control.policy_version} is not beside it, so that no policy decides",
                "set it anew with `groundswell control set`",
            )
    if refused:
        return warned(
            check,
            f"{seen}; {counted(refused, 'record is', 'records are')} passed over",
            f"write it by {how_to_write(model)}; update groundswell here if a newer one wrote it; see who else writes "
            "the topic, and whether keys and signatures fit",
        )
    return passed(check, seen)


def of_group(group: str, members: int) -> Finding:
    """Say whether any worker runs."""
    if not members:
        return warned(f"group {group}", "no worker runs", "start one: `groundswell worker`")
    return passed(f"group {group}", counted(members, "worker runs", "workers run"))


def of_age(check: str, seen: str, age_ms: int | None, unread_ms: int, patience_ms: int) -> Finding:
    """Judge a checkpoint or a policy that can be used: old is bad where there is something newer to learn.

    `age_ms` is None where there is none.
    `unread_ms` is the age of the oldest interaction that it does not include, 0 where it includes all.
    """
    if unread_ms > patience_ms:
        return warned(
            check,
            f"{seen}, and leaves out interactions that are {span(unread_ms)} old",
            "see whether a worker runs, and what its log says",
        )
    return passed(check, f"{seen} yet" if age_ms is None else f"{seen}, {span(age_ms)} old")


def _list(partitions: Sequence[Unread]) -> str:
    return ", ".join(str(one.partition) for one in partitions)
