"""`docs/webhooks.md` in step with the receiver: addresses, variables and remedies that it names exist."""

from __future__ import annotations

import re

import yaml

from ghl_payments.connections import Connection
from ghl_payments.receiver.app import ANSWERS
from ghl_payments.receiver.notices import REASONS
from ghl_payments_tests.receiver.support import RunningReceiver
from ghl_payments_tests.running_sandbox import ROOT

PAGE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
VARIABLES = set(re.findall(r"^([A-Z_0-9]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), flags=re.MULTILINE))


def test_every_address_on_the_page_is_one(receiver: RunningReceiver) -> None:
    addresses = set(re.findall(r"(?:`|YOUR\.HOST)(/webhooks/[A-Za-z/]+)", PAGE))
    assert len(addresses) >= 6
    for address in addresses:
        path = address.replace("CONNECTION", "parcels")
        assert receiver.post(b"{}", path=path).status_code == 401, address


def test_every_variable_on_the_page_and_in_the_remedies_is_in_the_example() -> None:
    named = set(re.findall(r"GHL_PAYMENTS_[A-Z_]+", PAGE + "".join(REASONS.values())))
    named |= set(re.findall(r"webhook_secret: ([A-Z_]+)", PAGE))
    assert len(named) > 7
    assert named - {"GHL_PAYMENTS_HOME"} <= VARIABLES


def test_the_page_tells_every_answer_and_every_answer_has_a_remedy() -> None:
    assert ANSWERS.keys() == REASONS.keys()
    for reason, status in ANSWERS.items():
        assert REASONS[reason].startswith(f"{status}: ")
        assert re.search(rf"^\| .*\b{status}\b", PAGE, flags=re.MULTILINE)


def test_the_connection_on_the_page_is_valid() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    connection = Connection.model_validate(yaml.safe_load(example)["connections"]["ghl"])
    assert connection.credentials == {"webhook_secret": "GHL_WEBHOOK_SECRET"}
    assert len(PAGE.splitlines()) <= 200
