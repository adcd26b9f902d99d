"""Where in a TOML file a setting stands, however it is written."""

from __future__ import annotations

import pytest

from streams.declared_settings import Place, line_of

TEXT = """\
# before
level = 1

[join]   # of events
wait = 5
 grace  =  6

[models.feed]
definitely_negative = [
  "dislike",
  "report",
]
reward = { rule = "iclr", alpha = 0.1 }
bandit.learning_rate = 2
text = '''
[join]
idle = 7
'''

[models."my feed"]
"hash_bits" = 20

[[feedback]]
signal = "a"
[[feedback]]
signal = "b"
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("level",), 2),
        (("join",), 4),
        (("join", "wait"), 5),
        (("join", "grace"), 6),
        (("models", "feed"), 8),
        (("models", "feed", "definitely_negative"), 9),
        (("models", "feed", "definitely_negative", 1), 9),
        (("models", "feed", "reward", "alpha"), 13),
        (("models", "feed", "bandit", "learning_rate"), 14),
        (("models", "feed", "text"), 15),
        (("models", "my feed", "hash_bits"), 21),
        (("feedback", 0, "signal"), 24),
        (("feedback", 1, "signal"), 26),
        pytest.param(("join", "idle"), 4, id="what is not there: the table that it would be in"),
        pytest.param(("nothing",), None, id="not even that"),
        pytest.param((), None, id="the whole"),
    ],
)
def test_a_setting_is_found_on_the_line_on_which_it_begins(place: Place, line: int | None) -> None:
    assert line_of(TEXT, place) == line
