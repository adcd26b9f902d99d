"""The loop of an app in Python: decide by the newest policy, log what was shown, log what came back.

    from groundswell import Action
    from groundswell.client import EventLog, Policies

    with Policies("localhost:9092", "feed") as policies, EventLog("localhost:9092") as log:
        decision = policies.decide({"user": "ann"}, [Action("news"), Action("sport")])
        log.shown(decision)
        log.feedback(decision.impression_id, "click")

It reads and writes with kafka-python; nothing else of `groundswell` needs a Kafka client. Read `policies.py` first.
"""

from groundswell.client.decisions import Basis, Decision
from groundswell.client.event_log import EventLog, EventLogError, UnfitError
from groundswell.client.policies import Following, Matches, Policies
from groundswell.client.slots import Slot

__all__ = ["Basis", "Decision", "EventLog", "EventLogError", "Following", "Matches", "Policies", "Slot", "UnfitError"]
