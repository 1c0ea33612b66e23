"""Commerce orders of ActiveTrail: looked at before they are written, whole when changed, and never somebody else's."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ghl_payments.connectors.base import DesiredRecord, WriteAnswer
from ghl_payments.transport import errors
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.activetrail_support import (
    BEST,
    OTHER_PLACE,
    PLACE,
    Doc,
    account,
    hold,
    native,
    order,
    own_group,
    sent,
    with_activetrail,
)
from ghl_payments_tests.connectors.support import landed
from ghl_payments_tests.running_sandbox import RunningSandbox


@pytest.fixture
def box(sandbox: SandboxFactory) -> RunningSandbox:
    running = sandbox()
    hold(running, contacts=[native(first_name="Anna"), native(2, email="bob@example.com")], **own_group(1, 2))
    return running


def create(box: RunningSandbox, record: DesiredRecord, **more: Any) -> WriteAnswer:
    return with_activetrail(box, lambda connector: connector.create(record), **more)


def update(box: RunningSandbox, record: DesiredRecord) -> WriteAnswer:
    return with_activetrail(box, lambda connector: connector.update("O1", record, ["total"]))


def held(box: RunningSandbox) -> Doc:
    (doc,) = account(box)["orders"]
    return {name: value for name, value in doc.items() if value not in (None, "")}


def test_a_new_order_has_ghls_id_exact_amounts_and_the_address_of_activetrails_contact(box: RunningSandbox) -> None:
    assert create(box, order()).native_id == "O1"
    doc = held(box)
    digest = doc.pop("ext10")
    assert len(digest) == 16
    assert doc == {
        "orderId": "O1", "orderName": "Shop O1", "externalId": "C1", "externalName": "ghl", "firstName": "Anna",
        "lastName": "Older", "email": "ann@example.com", "netAmount": Decimal("21.00"), "tax": Decimal("0.99"),
        "totalAmount": Decimal("21.99"), "quantity": 2, "purchaseDate": "2026-10-01T12:00:00",
        "lastUpdate": "2026-10-02T12:00:00", "purchaseType": "funnel", "ext1": "completed", "ext2": "USD",
        "ext3": "paid", "ext4": "unfulfilled", "ext6": "pi_1", "ext9": PLACE, "num1": 2199, "num2": 0,
    }  # fmt: skip
    assert sent(box, "GET")[-2:] == ["/api/commerce/Order/O1", "/api/contacts/1"]


@pytest.mark.parametrize(
    ("currency", "minor", "major"), [("JPY", "500", Decimal(500)), ("KWD", "1234", Decimal("1.234"))]
)
def test_amounts_have_the_decimals_of_their_currency(
    box: RunningSandbox, currency: str, minor: str, major: Decimal
) -> None:
    create(box, order(currency=currency, total=minor, net=None, tax=None))
    doc = held(box)
    assert doc["totalAmount"] == major
    assert "netAmount" not in doc


@pytest.mark.parametrize("answer", ["document", "empty", "no_content"])
def test_a_put_sends_every_field_and_keeps_what_others_wrote(box: RunningSandbox, answer: str) -> None:
    create(box, order())
    box.switches(activetrail_write_answer=answer)
    part = account(box)
    part["orders"][0] |= {"coupon": "SUMMER", "city": "Paris", "num5": 9}
    hold(box, **part)
    update(box, order(total="1500", status=None))
    doc = held(box)
    assert (doc["totalAmount"], doc.get("ext1")) == (Decimal("15.00"), None)
    assert (doc["coupon"], doc["city"], doc["num5"]) == ("SUMMER", "Paris", 9)
    assert (doc["email"], doc["ext9"], doc["num1"]) == ("ann@example.com", PLACE, 2199)
    (effect,) = box.effects()
    assert {"firstname", "externalid", "totalamount", "purchasedate"} <= effect["body"].keys()


def test_an_order_of_another_contact_gets_that_contacts_address(box: RunningSandbox) -> None:
    create(box, order())
    update(box, order(parent="2", contact_id="C2"))
    assert (held(box)["externalId"], held(box)["email"]) == ("C2", "bob@example.com")


def test_an_order_whose_contact_is_not_at_hand_can_still_be_corrected(box: RunningSandbox) -> None:
    create(box, order())
    update(box, order(parent=None, total="1500"))
    assert (held(box)["totalAmount"], held(box)["email"]) == (Decimal("15.00"), "ann@example.com")
    update(box, order(parent=None, contact_id="C2"))
    assert (held(box)["externalId"], held(box)["email"]) == ("C2", "ann@example.com")
    hold(box, orders=[], contacts=[native()], **own_group(1))
    with pytest.raises(errors.Rejected, match="needs a contact"):
        create(box, order(parent=None))


def test_an_order_that_is_ours_already_is_written_over_and_not_twice(box: RunningSandbox) -> None:
    create(box, order())
    create(box, order(status="refunded"))
    assert held(box)["ext1"] == "refunded"
    assert [row["method"] for row in box.effects()] == ["POST", "PUT"]


@pytest.mark.parametrize(("place", "words"), [(OTHER_PLACE, "names location location2"), (None, "names no location")])
@pytest.mark.parametrize("write", [create, update])
def test_an_order_of_another_location_is_refused_and_left_as_it_is(
    box: RunningSandbox, place: str | None, words: str, write: Any
) -> None:
    before = {"orderId": "O1", "totalAmount": 5, "ext9": place}
    hold(box, orders=[before], contacts=[native()], **own_group(1))
    with pytest.raises(errors.Rejected, match=words):
        write(box, order())
    assert box.effects() == []
    assert held(box)["totalAmount"] == 5


def test_an_order_that_is_gone_is_not_made_again_by_an_update(box: RunningSandbox) -> None:
    with pytest.raises(errors.NotFound):
        update(box, order())


@pytest.mark.parametrize("switch", ["overwrite", "error"])
def test_a_lost_answer_is_resolved_by_asking_for_the_order(box: RunningSandbox, tmp_path: Path, switch: str) -> None:
    box.switches(activetrail_duplicate_order=switch)
    box.fault("lost_reply", system="activetrail", method="POST", path="/api/commerce/.*", times=1)
    with pytest.raises(errors.OutcomeUnknown):
        create(box, order())
    hits = with_activetrail(
        box, lambda connector: connector.find("commerce_order", "ghl:order:O1", PLACE, tmp_path / "a")
    )
    assert hits == ["O1"]
    create(box, order())
    assert len(account(box)["orders"]) == 1


def test_an_order_of_another_location_is_no_hit(box: RunningSandbox, tmp_path: Path) -> None:
    create(box, order())

    async def look(connector: Any) -> list[str]:
        hits: list[str] = await connector.find("commerce_order", "ghl:order:O1", OTHER_PLACE, tmp_path / "a.zst")
        return hits

    assert with_activetrail(box, look) == []


@pytest.mark.parametrize(("switch", "level"), [("not_found", "not_found"), ("empty", "empty"), ("not_found", "empty")])
def test_an_order_that_is_not_there_is_a_404_however_the_account_says_it(
    box: RunningSandbox, tmp_path: Path, switch: str, level: str
) -> None:
    create(box, order())
    box.switches(activetrail_unknown_order=switch)
    levels = BEST | {"unknown_order": level}
    path = tmp_path / "a.zst"
    answers = with_activetrail(box, lambda c: c.read_details("commerce_order", ["O1", "O2"], path), levels=levels)
    assert answers == {"O1": 200, "O2": 404}
    first, second = landed(path)
    assert (first["body"]["orderId"], second["body"]) == ("O1", None)
    assert [line["envelope"]["status"] for line in (first, second)] == [200, 404]


def test_an_empty_answer_is_no_proof_where_the_account_says_404(box: RunningSandbox, tmp_path: Path) -> None:
    box.switches(activetrail_unknown_order="empty")
    answers = with_activetrail(box, lambda c: c.read_details("commerce_order", ["O2"], tmp_path / "a.zst"))
    assert answers == {"O2": 0}


@pytest.mark.parametrize("switch", ["missing", "forbidden"])
def test_an_account_that_lost_its_commerce_area_has_not_deleted_its_orders(
    box: RunningSandbox, tmp_path: Path, switch: str
) -> None:
    create(box, order())
    box.switches(activetrail_commerce=switch)
    with pytest.raises(errors.Forbidden, match="commerce area does not answer"):
        with_activetrail(box, lambda c: c.read_details("commerce_order", ["O1"], tmp_path / "a.zst"))
    with pytest.raises(errors.Forbidden):
        create(box, order())


def test_a_value_that_activetrail_does_not_take_is_refused_with_nothing_written(box: RunningSandbox) -> None:
    with pytest.raises(errors.Rejected) as caught:
        create(box, order(purchase_date="soon"))
    assert caught.value.status == 400
    assert account(box)["orders"] == []
    with pytest.raises(errors.Rejected, match="cannot be written exactly"):
        create(box, order(currency="XXZ"))
