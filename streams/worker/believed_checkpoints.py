"""Checkpoints as they lie on their topic, where they are believed."""

from __future__ import annotations

from collections.abc import Mapping

from state import learner_checkpoints
from state.learner_checkpoints import CHECKPOINT_KEY, CheckpointError, Stored
from streams.kafka.signing import Belief, Signing
from streams.kafka.topic_inspector import TopicInspector


def stored_checkpoint(logs: TopicInspector, topic: str, partition: int, signing: Signing) -> Stored | None:
    """Return the newest checkpoint of a partition that is believed, None where there is none.

    Raises `CheckpointError` where it cannot be used, or there are none but such as are not believed.
    """
    belief = signing.belief("checkpoints", partition)
    newest = {key: one.value for key, one in logs.newest(topic, partition, belief).items()}
    refuse_unsigned(newest, belief)
    return learner_checkpoints.stored(newest)


def refuse_unsigned(newest: Mapping[bytes, bytes | None], belief: Belief) -> None:
    """Raise `CheckpointError` where all checkpoints of a partition are such as are not believed.

    Where an older one is believed, it is gone on from: what came since is learned again.
    """
    why = belief.why.get(CHECKPOINT_KEY)
    if why is not None and newest.get(CHECKPOINT_KEY) is None:
        raise CheckpointError(
            f"partition {belief.partition}: the checkpoint is not believed: {why} (signatures.public_key_files). Where "
            "signatures are new, let workers write checkpoints with signatures.private_key_file alone first. "
            f"{learner_checkpoints.RELEARN}"
        )
