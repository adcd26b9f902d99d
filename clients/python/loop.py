"""An app with a feed: each line of standard input is the visit of a user.

It shows one of three articles by the newest policy and logs what it did, and a click where the user gave one:

    pip install groundswell
    echo "ann click" | KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 python loop.py
"""

import os
import sys

from groundswell import Action
from groundswell.client import EventLog, Policies

SERVERS = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
ACTIONS = [Action("news"), Action("sport", {"length": 3}), Action("music")]

with Policies(SERVERS, "feed") as policies, EventLog(SERVERS) as log:
    policies.wait(10)  # an app need not: without a policy, it chooses uniformly at random
    for line in sys.stdin:
        user, *signals = line.split()
        decision = policies.decide({"user": user, "returning": True, "hour": 9}, ACTIONS)
        log.shown(decision)
        for signal in signals:
            log.feedback(decision.impression_id, signal)
