"""What is sent as if it happened now."""

from __future__ import annotations

import msgspec

from experiments.chaos.input_logs import Moved


def test_copies_of_a_message_are_moved_alike_and_others_by_when_they_are_sent() -> None:
    moved = Moved()
    one = msgspec.json.encode({"impression_id": "a", "feedback_id": "a-like", "occurred_at": 5})
    other = msgspec.json.encode({"impression_id": "a", "occurred_at": 5})
    assert moved(one, 10) == moved(one, 20)
    assert [msgspec.json.decode(moved(each, 30))["occurred_at"] for each in (one, other)] == [15, 35]
    assert msgspec.json.decode(moved(b'{"watermark":1}', 40)) == {"watermark": 41}
