"""Segments: few, whatever producers send."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from groundswell.events import FeatureValue
from streams.observing.context_segments import MAX_LENGTH, MISSING, OTHER_SEGMENT, Segments
from streams.settings import SegmentSettings, Settings


def labels(settings: SegmentSettings, *values: FeatureValue) -> list[str]:
    segments = Segments(settings)
    return [segments.label({"country": value}) for value in values]


@pytest.mark.parametrize(
    ("settings", "values", "expected"),
    [
        ({"values": ("de", "fr")}, ["de", "fr", "it", "de"], ["de", "fr", OTHER_SEGMENT, "de"]),
        ({"most": 2}, ["it", "de", "fr", "it"], ["it", "de", OTHER_SEGMENT, "it"]),
        ({"most": 50}, [True, False, 3, "x" * 1000], ["true", "false", "3", "x" * MAX_LENGTH]),
    ],
    ids=["those that are named", "the first that come", "of any type, cut to size"],
)
def test_a_segment_is_a_value_of_the_feature(
    settings: dict[str, object], values: list[FeatureValue], expected: list[str]
) -> None:
    assert labels(SegmentSettings.model_validate({"feature": "country", **settings}), *values) == expected


def test_an_impression_without_the_feature_is_in_a_segment_of_its_own() -> None:
    assert Segments(SegmentSettings(feature="country")).label({"user": "ann"}) == MISSING


def test_a_producer_cannot_make_more_of_them() -> None:
    assert len(set(labels(SegmentSettings(feature="country", most=5), *range(1000)))) == 6


def test_segments_of_no_model_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"no \[models.mail\]"):
        Settings.model_validate({"segments": {"mail": {"feature": "country"}}})


@pytest.mark.parametrize(
    ("model", "setting"),
    [
        ({"definitely_negative": ["dislike"], "sharded_by": "user"}, "sharded_by"),
        (
            {
                "inverse_kinematics": {"form": "spectral", "user_feature": "user"},
                "reward": {"rule": "two-state", "extreme": "meaning"},
            },
            "user_feature",
        ),
    ],
    ids=["spread by person", "meaning by person"],
)
def test_people_are_no_segments(model: dict[str, object], setting: str) -> None:
    """Their first ten would be labels of a metric, e-mail addresses and all."""
    with pytest.raises(ValidationError, match=rf"counts by 'user', which .*{setting} of \[models.feed\] names"):
        Settings.model_validate({"models": {"feed": model}, "segments": {"feed": {"feature": "user"}}})
    assert Settings.model_validate({"models": {"feed": model}, "segments": {"feed": {"feature": "platform"}}}).segments
