"""Landing files keep what was answered, byte for byte, and only complete ones have their name."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ghl_payments.transport.jsontext import decode, encode
from ghl_payments.transport.landing import LandingWriter


def lines_of(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read().splitlines()


def test_a_body_is_stored_as_it_came(tmp_path: Path) -> None:
    path = tmp_path / "new" / "orders.ndjson.zst"
    with LandingWriter(path) as landing:
        landing.append({"offset": 0}, b'{"amount": 150.10, "name": "\\n"}')
        landing.append({"offset": 99}, b"null", checked=True)
    assert lines_of(path) == [
        b'{"envelope":{"offset":0},"body":{"amount": 150.10, "name": "\\n"}}',
        b'{"envelope":{"offset":99},"body":null}',
    ]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@settings(max_examples=50, deadline=None)
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
))  # fmt: skip
def test_line_breaks_between_tokens_do_not_break_the_line_format(
    tmp_path_factory: pytest.TempPathFactory, document: object
) -> None:
    path = tmp_path_factory.mktemp("landing") / "x.zst"
    with LandingWriter(path) as landing:
        landing.append({}, json.dumps(document, indent=2).replace("\n", "\r\n").encode())
    (line,) = lines_of(path)
    assert decode(line)["body"] == document


@pytest.mark.parametrize("body", [b"<html>\n</html>", b"", b'{"a":', b'{"a": "\xff"}'])
def test_what_is_not_json_is_kept_as_text(tmp_path: Path, body: bytes) -> None:
    with LandingWriter(tmp_path / "x.zst") as landing:
        landing.append({"status": 502}, body)
    (line,) = lines_of(tmp_path / "x.zst")
    assert decode(line) == {"envelope": {"status": 502}, "text": body.decode(errors="replace")}


def test_an_interrupted_file_never_takes_its_name_but_keeps_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "x.zst"
    path.write_bytes(b"the scan before")

    def interrupted() -> None:
        with LandingWriter(path) as landing:
            landing.append({}, b"1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert path.read_bytes() == b"the scan before"
    assert lines_of(tmp_path / "x.zst.partial") == [b'{"envelope":{},"body":1}']


def test_a_closed_file_takes_no_more_pages(tmp_path: Path) -> None:
    with LandingWriter(tmp_path / "x.zst") as landing:
        pass
    with pytest.raises(ValueError, match="not open"):
        landing.append({}, b"1")


def test_numbers_keep_every_digit_in_and_out() -> None:
    assert decode(b'{"a": 0.1, "b": 150.10}') == {"a": Decimal("0.1"), "b": Decimal("150.10")}
    assert encode({"a": Decimal("150.10"), "b": Decimal("1234567890123.45")}) == b'{"a":150.10,"b":1234567890123.45}'
