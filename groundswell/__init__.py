"""What apps import: the messages they write and the policy they decide by.

`groundswell.client` is the whole loop on Kafka. An app with a Kafka client of its own hands what it reads from the
topic `policies` to `NewestSnapshot`, decides by the `Policy` of its snapshot, and writes `Impression` and `Feedback` as
JSON (`msgspec.json.encode`); this much needs msgspec and NumPy, nothing else:

    newest = NewestSnapshot("feed")
    if newest.offer(record.key, record.value):
        policy = Policy(newest.snapshot)
    probabilities = policy.probabilities({"user": "ann"}, [Action("a"), Action("b")])
    chosen = draw(probabilities, random.random())

Public is what `__all__` names, and nothing else: it changes with a note under "Behaviour change" in the change log. The
modules below are the worker's as well, and change without.
"""

from importlib.metadata import PackageNotFoundError, version

from groundswell.controls import Control, ControlError, NewestControl
from groundswell.events import SCHEMA_VERSION, Action, Feedback, Impression, Watermark
from groundswell.exploration import draw
from groundswell.newest_snapshot import NewestSnapshot
from groundswell.policy import Policy, PolicyError, PolicySnapshot, decode
from groundswell.signatures import SignatureError, Verifier

__all__ = [
    "SCHEMA_VERSION",
    "Action",
    "Control",
    "ControlError",
    "Feedback",
    "Impression",
    "NewestControl",
    "NewestSnapshot",
    "Policy",
    "PolicyError",
    "PolicySnapshot",
    "SignatureError",
    "Verifier",
    "Watermark",
    "__version__",
    "decode",
    "draw",
]

try:
    __version__ = version("groundswell")
except PackageNotFoundError:  # run from its folder
    __version__ = "unknown"
