"""Kinds of diff: each is explained, and only the two that a write can close are pushable."""

from __future__ import annotations

from ghl_payments.domain.diff_kinds import DIFF_KINDS, FIELD_CLASSES, KIND_BY_NAME, PUSHABLE_KINDS
from ghl_payments.sandbox.oracle import CLASSES


def test_every_kind_says_what_it_means_and_what_to_do() -> None:
    assert all(kind.meaning.endswith(".") and kind.remedy.endswith(".") for kind in DIFF_KINDS)


def test_no_kind_is_listed_twice() -> None:
    assert len(KIND_BY_NAME) == len(DIFF_KINDS)


def test_only_missing_records_and_differing_fields_can_be_pushed() -> None:
    assert PUSHABLE_KINDS == ("missing_in_target", "field_differs")


def test_classes_of_fields_cover_those_of_the_answer_key() -> None:
    assert set(CLASSES.values()) <= set(FIELD_CLASSES)
