"""What is not as it should be, each by its name: said once in the log, on the page, in a metric, with what to do.

The one list of kinds is `KINDS`: whoever has something to say declares it there and tells `Conditions.say` how it
stands, as often as it likes. The page has a strip of those that stand, `groundswell_condition` an alarm, and each kind
a section in docs/runbook.md, which is made from this file, and on the worker's own page `runbook`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from msgspec import Struct

from streams.observing.logs import get_log
from streams.observing.metrics import Metrics

LOG = get_log(__name__)
SILENCE = 3600.0
"""Seconds in which the log does not tell again of a condition that comes and goes."""


class Kind(NamedTuple):
    """A kind of condition. `name` is the metric's label and the place in the runbook."""

    name: str
    means: str
    """What it is, what comes of it."""
    do: str
    """What to look at and do."""
    grave: bool = True
    """Whether anything has to be done: it is logged as a warning, and alarms where it stays."""
    unready: bool = False
    """Whether `/readyz` answers 503 meanwhile."""


class Condition(Struct, frozen=True):
    """One that stands: since when (ms since 1970), what is the matter in words, and where it says what to do."""

    name: str
    since: int
    says: str
    runbook: str
    grave: bool
    subject: str = ""
    """The model or topic that it is about, where it is about one."""


KAFKA_AWAY: Final = Kind(
    "kafka_away",
    "No broker answers this worker, asked every two seconds. Nothing is read or written; nothing is lost by it.",
    "See whether Kafka runs and the network lets the worker reach it. Reading goes on by itself.",
    unready=True,
)
TOPIC_MISSING: Final = Kind(
    "topic_missing",
    "Topics that this worker reads or writes are gone: somebody deleted them, or Kafka was started on other data. "
    "Nothing is read or written meanwhile.",
    "Start Kafka on the old data again, and reading goes on by itself. Else make them again with `groundswell topics "
    "create`: the worker then ends and says what to do, as what it knows is of the old ones.",
    unready=True,
)
RESTORING: Final = Kind(
    "restoring",
    "Partitions are on their way to this worker, or are restored from what is durable. Nothing is read until then.",
    "Wait: a million pending impressions take some ten seconds. If it lasts, read the worker's log, and see whether "
    "other workers of the group come and go. Where there are more workers than partitions, some hold none.",
    grave=False,
    unready=True,
)
QUIET: Final = Kind(
    "quiet",
    "For ten seconds or more nothing has come on the partitions of impressions and feedback that this worker reads.",
    "Nothing, at night. Else see whether the apps run, and write to these topics of this Kafka (`groundswell doctor`).",
    grave=False,
)

SINGLE_ACTION: Final = Kind(
    "single_action",
    "Most of a model's impressions offer one action. There was no choice, so nothing can be learned from them: they "
    "are counted in `groundswell_skipped_total`.",
    "Log all actions that could have been shown, with the probability of the one that was. Where there is nothing to "
    "choose from, log no impression.",
)
PROPENSITY_ONE: Final = Kind(
    "propensity_one",
    "Every impression of a model says that what was shown was certain. Where apps decide by rules that is true, and "
    "only little can be learned: an action that a context never shows is never judged there. Where apps choose at "
    "random it is wrong, and so are the weights 1/(K p).",
    "Log the probability by which the shown action was drawn (docs/clients.md). Where rules decide, let a share of the "
    "impressions be drawn at random.",
)
PROPENSITY_FLOOR: Final = Kind(
    "propensity_floor",
    "Actions with a tiny propensity are shown more often than such a probability allows: a floor such as 1e-6 stands "
    "for one that was not computed. Each weighs as many times too much.",
    "Log the probability by which the shown action was drawn, exploration included (docs/clients.md).",
)
PROPENSITIES_OFF: Final = Kind(
    "propensities_off",
    "Over a model's impressions 1/(K p) does not average 1, as it does whenever p is the probability by which the "
    "shown one of K actions was drawn and each may be: above 1 propensities are too small; below they are too large, "
    "or some of the actions are never shown.",
    "See that `actions` are all that could be shown, and the propensity that of the one that was, of this list "
    "(docs/clients.md; see also ImportanceWeightsOff).",
)
UNKNOWN_MODEL: Final = Kind(
    "unknown_model",
    "Impressions of a model come that the configuration lacks, or interactions, which another worker of the group must "
    "have written that has it. They are refused, and wait on dead-letter.",
    "Give all workers of a group (`kafka.group`) the same `[models]`: each gets some of the partitions, whatever lies "
    "on them. Add a section `[models.NAME]` and start the workers again, or mend the app; `groundswell dead-letters` "
    "reads what was refused.",
)
MOSTLY_REFUSED: Final = Kind(
    "mostly_refused",
    "More than half of what comes on a topic is refused, and waits on dead-letter: an app writes what groundswell "
    "cannot read. Where it is feedback, the impressions that it answers are learned as if nobody had answered.",
    "`groundswell dead-letters` shows what was refused, with the reason and an example. Mend the app; what was refused "
    "can be produced again (DeadLettersUp).",
)
FEEDBACK_NOT_JOINED: Final = Kind(
    "feedback_not_joined",
    "Impressions close without feedback, and feedback goes to late-feedback: of the last thousand pieces more than "
    "half find no impression, be they of one app among several.",
    "See whether both carry the same `impression_id` and are keyed by it with murmur2, whether `occurred_at` are in "
    "milliseconds of one clock in UTC, and whether `join.wait` is long enough (FeedbackNotJoined).",
)
LOCAL_TIME: Final = Kind(
    "local_time",
    "Event times of what came late or too early are off by as many hours as a zone is from UTC: an app wrote local "
    "time for UTC. Its feedback joins nothing, or its impressions are set aside.",
    "Write `occurred_at` in milliseconds since 1970 in UTC. A date without its zone is taken for local time by most "
    "languages: in Python `time.time()` is right, and `datetime.utcnow().timestamp()` is off by the zone. `groundswell "
    "doctor` says which topic it is.",
)

ID_REUSED: Final = Kind(
    "id_reused",
    "Messages come under the id of another one. Of impressions with one `impression_id` the first counts: nothing is "
    "learned of the others, and feedback to any of them passes for feedback to the first. Of the feedback to one "
    "impression with one `feedback_id` the first piece counts.",
    "Log an impression with an `impression_id` of its own for each thing that is shown, and send feedback under the id "
    "of what it is about; `decision` ties together what was shown on one page (docs/clients.md, Several slots). Give "
    "each piece of feedback a `feedback_id` of its own. A retry sends the same bytes again. `groundswell doctor` shows "
    "where two of them lie.",
)
CHOSEN_FROM_ONE: Final = Kind(
    "chosen_from_one",
    "The `chosen` of a model's impressions seems to be counted from 1. Where the last action was shown it is out of "
    "range, and refused; everywhere else the action before the one that was shown gets the feedback.",
    "Count from 0: `chosen` is the index in `actions` of the one that was shown (docs/clients.md). What has been "
    "learned is of the wrong actions: go on under a new name of the model.",
)
NUMERIC_ID: Final = Kind(
    "numeric_id",
    "A number in the context of a model seems to be the id of somebody or something, or a time since 1970. A number is "
    "a quantity: one feature with one slope, so that all people become one, and who has the id 1002 is held to be much "
    "like who has 1001.",
    'Send an id as a text: `"user": "1001"`, in a mapping of `replay` `type = "category"`. Of a time, send what may '
    'matter of it, such as `"hour": "17"`. Where it is a quantity after all, call it by a name that says so.',
)

SIGNAL_TELLS_ACTION: Final = Kind(
    "signal_tells_action",
    "A signal of a model, or the value that comes with it, is foretold by which action was shown, and who saw it adds "
    "nothing: a video that plays by itself, the length of an answer. It says nothing of what people feel.",
    "See what sends this signal, the person or the app. Where the person does, name it in `trusted_signals`; where the "
    "app does and the configuration names it as definite, take it out (SignalTellsAction).",
)
SIGNAL_MISSPELT: Final = Kind(
    "signal_misspelt",
    "Feedback comes under a name that is nearly one of the configuration's: in other capitals, with other signs "
    "between words, or a letter off. Names count to the letter, so that it is not what the configuration says of it.",
    "Write it in the configuration as the app does (`groundswell redecode` learns what is there anew), or in the app "
    "as the configuration does. Where two signals are meant, give them names that are less alike.",
)
SIGNALS_NEVER_AGAIN: Final = Kind(
    "signals_never_again",
    "The names of a model's signals hold values, ids or texts, as `watched 83.21 s` does. Each name is a signal of its "
    "own, and nothing can be learned of one that does not come again; memory is bounded all the same.",
    'Give the signal a constant name, and the number as `value`: `"signal": "watched", "value": 83.21`. Leave ids and '
    "texts out.",
)
ASSUMPTION_VIOLATED: Final = Kind(
    "assumption_violated",
    "What the reward rule of a model takes for granted does not hold, after five thousand interactions. States that "
    "rest on it are unknown, and exploration stays up meanwhile.",
    "No definite signal: name one that comes in `definitely_negative` or `definitely_positive`; names are case "
    "sensitive. Feedback that tells nothing: see that it carries the id of its own impression. Nobody indifferent: "
    "name the signals of indifference in `indifferent`. Extremes not rare: leave `reward.rule` out (NoDefiniteSignal, "
    "FeedbackUninformative, NobodyIndifferent, ExtremesNotRare).",
)
SEGMENT_LATE: Final = Kind(
    "segment_late",
    "More than a tenth of the feedback of a segment came after the wait in the last half hour. It is not learned, so "
    "that people of that segment seem to enjoy nothing, while everybody else is learned as ever.",
    "Raise `join.wait` beyond `groundswell_feedback_lateness_seconds`, or see why apps of that segment send late "
    "(FeedbackLateInSegment).",
)

POLICY_GREW: Final = Kind(
    "policy_grew",
    "A model's policy has become several times as large from one to the next. Few impressions do that: each feature of "
    "a context is crossed with each action and its features, and each cross takes a place in policies, in checkpoints "
    "and in every app. `hash_bits` bounds it.",
    "Look at the impression that it names, on the topic of impressions: whether it means to log so many features, or "
    "ids and scores as names of features. Lower `hash_bits` (under a new name) where policies are too large for apps.",
)

DEATHS_AT_ONE_PLACE: Final = Kind(
    "deaths_at_one_place",
    "Workers ended without an error (out of memory, kill -9, a crash of the interpreter) while they worked on the same "
    "stretch of a log. Steps there are narrowed down to single records. A record is set aside when three workers in a "
    "row died while it alone was worked on; nothing is set aside before.",
    "See why they ended: `dmesg` and the supervisor tell of killed processes, and of memory limits. Where any record "
    "would do, give workers more memory, or none of them is to blame. Where one is, wait for some more restarts, and "
    "look at it with `groundswell dead-letters --reason poison` (RecordSetAside).",
)

KINDS: Final = (
    KAFKA_AWAY, TOPIC_MISSING, MOSTLY_REFUSED, FEEDBACK_NOT_JOINED, LOCAL_TIME, ID_REUSED, UNKNOWN_MODEL, SINGLE_ACTION,
    PROPENSITY_ONE, PROPENSITY_FLOOR, PROPENSITIES_OFF, CHOSEN_FROM_ONE, NUMERIC_ID, SIGNAL_TELLS_ACTION,
    SIGNAL_MISSPELT, SIGNALS_NEVER_AGAIN, ASSUMPTION_VIOLATED, SEGMENT_LATE, POLICY_GREW, DEATHS_AT_ONE_PLACE,
    RESTORING, QUIET,
)  # fmt: skip


class Conditions:
    """The conditions of one worker. `clock` is in seconds since 1970."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.time) -> None:
        self._metrics = metrics
        self._clock = clock
        self._standing: dict[tuple[str, str], Condition] = {}
        self._told: dict[tuple[str, str], float] = {}

    def say(self, kind: Kind, says: str | None, subject: str = "", since: float | None = None) -> None:
        """Say how it stands with a kind: what is the matter, or None while it is well.

        `subject` is a model or a topic, of which each has a condition of its own. `since` (seconds since 1970) is when
        it began where that is not now. The words may change while it stands; the log tells it when it begins.
        """
        key, now = (kind.name, subject), self._clock()
        stands = self._standing.get(key)
        if says is None:
            if stands is not None:
                del self._standing[key]
                self._metrics.drop_condition(*key)
                (LOG.info if kind.grave else LOG.debug)("well again", condition=kind.name, subject=subject)
            return
        if stands is None:
            self._metrics.condition.labels(*key, "warning" if kind.grave else "note").set(1)
            if now - self._told.get(key, -SILENCE) >= SILENCE:
                self._told[key] = now
                (LOG.warning if kind.grave else LOG.debug)(says, condition=kind.name, subject=subject)
        began = stands.since if stands else round(1000 * (now if since is None else since))
        self._standing[key] = Condition(kind.name, began, says, f"runbook#{kind.name}", kind.grave, subject)

    def forget(self, subject: str) -> None:
        """Withdraw all that was said of a model or a topic: somebody else has it now."""
        for kind in KINDS:
            self.say(kind, None, subject)

    def not_ready(self) -> str | None:
        """Return why nothing can be read or written, or None."""
        unready = {kind.name for kind in KINDS if kind.unready}
        return next((one.says for one in self.standing() if one.name in unready), None)

    def standing(self) -> list[Condition]:
        """Return those that stand, grave ones first, and of these the oldest."""
        return sorted(self._standing.values(), key=lambda one: (not one.grave, one.since, one.name, one.subject))
