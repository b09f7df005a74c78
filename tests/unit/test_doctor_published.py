"""What the portal's page is left of the doctor's verdicts: of each item the last word, and when it was said."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

TEMPLATE = "{{ found | doctor_published(before=before, when=when) }}"


def verdict(item: str, severity: str = "ok", view: str = "leecher1") -> dict[str, Any]:
    said = {"item": item, "severity": severity, "verdict": f"is_{severity}", "cause": f"as {view} sees it"}
    return {**said, "from": view, "info_hash": item * 40, "remedy": "", "remarks": []}


@pytest.fixture
def publish(render: Callable[..., Any]) -> Callable[..., list[dict[str, Any]]]:
    def published(found: dict[str, Any], when: int, before: str = "") -> list[dict[str, Any]]:
        text = render(TEMPLATE, found=found, before=before, when=when)
        return json.loads(text if isinstance(text, str) else json.dumps(text))["verdicts"]

    return published


def test_the_worst_of_the_leechers_counts(publish: Callable[..., list[dict[str, Any]]]) -> None:
    views = {"leecher1": [verdict("a"), verdict("b")], "leecher2": [verdict("a", "fault", "leecher2"), verdict("b")]}
    views["localhost"] = [verdict("b", "fault", "controller")]
    assert [(each["item"], each["severity"], each["when"]) for each in publish(views, 7)] == [
        ("a", "fault", 7),
        ("b", "ok", 7),
    ]


def test_the_controllers_word_counts_where_there_is_no_other(publish: Callable[..., list[dict[str, Any]]]) -> None:
    assert [each["severity"] for each in publish({"localhost": [verdict("a", "fault", "controller")]}, 7)] == ["fault"]


def test_what_was_not_looked_at_stays_as_it_was(publish: Callable[..., list[dict[str, Any]]]) -> None:
    first = publish({"leecher1": [verdict("a"), verdict("b")]}, 7)
    before = base64.b64encode(json.dumps({"schema_version": 1, "verdicts": first}).encode()).decode()
    after = publish({"leecher1": [verdict("a", "warning")]}, 9, before)
    assert [(each["item"], each["severity"], each["when"]) for each in after] == [("b", "ok", 7), ("a", "warning", 9)]


@pytest.mark.parametrize("before", ["", "bm90IEpTT04=", base64.b64encode(b'{"verdicts": [{"x": 1}]}').decode()])
def test_what_is_no_such_file_is_begun_anew(publish: Callable[..., list[dict[str, Any]]], before: str) -> None:
    assert len(publish({"leecher1": [verdict("a")]}, 7, before)) == 1
