"""The sandboxed Act! database: sign-in, OData, entities and their quirks, as its contract and switches say."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.act_support import OWNER
from ghl_payments_tests.running_sandbox import RunningSandbox, loopback_client

STRANGER = {"isPrivate": True, "recordManagerID": "someone-else"}


@pytest.fixture
def act(sandbox: SandboxFactory) -> RunningSandbox:
    running = sandbox()
    state = running.state()
    state["act"] = {
        "contacts": [dict(OWNER)],
        "opportunities": [
            {"id": f"o{n}", "name": name, "sourceId": f"S'{n}", "created": f"2026-01-0{n}T00:00:00Z",
             "edited": f"2026-02-0{n}T00:00:00.123456Z", "customFields": {"opportunity_field_1": f"v{n}"}}
            for n, name in enumerate(("Alpha", "beta", "Gamma"), 1)
        ] + [{"id": "hidden", "name": "Hidden", **STRANGER}],
    }  # fmt: skip
    running.put_state(state)
    return running


@pytest.fixture
def api(act: RunningSandbox) -> Iterator[httpx.Client]:
    with signed_in(act) as client:
        yield client


def basic(act: RunningSandbox, **changed: str) -> dict[str, str]:
    login = act.ready["systems"]["act"] | changed
    pair = base64.b64encode(f"{login['user']}:{login['password']}".encode()).decode()
    return {"Authorization": f"Basic {pair}", "Act-Database-Name": login["database"]}


def signed_in(act: RunningSandbox) -> httpx.Client:
    token = act.http.get("/act/act.web.api/authorize", headers=basic(act)).text
    return loopback_client(f"{act.base_url}/act/act.web.api/api", {"Authorization": f"Bearer {token}"})


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["name"] for row in answer.json()]


def ask(api: httpx.Client, **options: Any) -> httpx.Response:
    return api.get("/opportunities", params={f"${name}": value for name, value in options.items()})


def test_a_token_is_bare_text_that_says_when_it_ends(act: RunningSandbox) -> None:
    answer = act.http.get("/act/authorize", headers=basic(act))
    assert answer.headers["content-type"].startswith("text/html")
    payload = answer.text.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["exp"] > 0
    act.switches(act_token_quoted=True)
    assert act.http.get("/act/authorize", headers=basic(act)).text.startswith('"')


@pytest.mark.parametrize("changed", [{"password": "no"}, {"user": "no"}, {"database": "no"}])
def test_a_wrong_user_password_or_database_is_refused(act: RunningSandbox, changed: dict[str, str]) -> None:
    assert act.http.get("/act/authorize", headers=basic(act, **changed)).status_code == 401


def test_a_user_without_the_right_to_the_api_learns_a_sub_code(act: RunningSandbox) -> None:
    act.switches(act_access="no_api_access")
    answer = act.http.get("/act/authorize", headers=basic(act))
    assert (answer.status_code, answer.json()["subCode"]) == (403, 4032)


def test_without_a_token_the_server_falls_over_and_with_a_wrong_one_it_refuses(act: RunningSandbox) -> None:
    bare = act.http.get("/act/api/contacts")
    assert (bare.status_code, bare.json()["exceptionType"]) == (500, "System.NullReferenceException")
    assert act.http.get("/act/api/contacts", headers=basic(act)).status_code == 401
    assert act.http.get("/act/api/contacts", headers={"Authorization": "Bearer x.y.z"}).status_code == 401
    with signed_in(act) as client:
        assert client.get("/contacts").status_code == 200
        act.fault("expire_tokens", system="act")
        assert client.get("/contacts").status_code == 401


def test_paths_have_no_case_and_other_users_private_records_do_not_exist(api: httpx.Client) -> None:
    assert names(api.get("/OPPORTUNITIES")) == ["Alpha", "beta", "Gamma"]
    assert api.get("/opportunities/hidden").status_code == 404


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("name eq 'BETA'", ["beta"]),
        ("sourceId eq 'S''2'", ["beta"]),
        ("startswith(name,'a') or endswith(name,'ma')", ["Alpha", "Gamma"]),
        ("contains(name,'et') and (status eq 0)", ["beta"]),
        ("edited ge 2026-02-02T00:00:00Z and edited lt 2026-02-03T01:00:00+01:00", ["beta"]),
        ("customFields/opportunity_field_1 ne 'v1'", ["beta", "Gamma"]),
        ("actualCloseDate eq null and name ne 'Alpha'", ["beta", "Gamma"]),
    ],
)
def test_filters_are_read_as_odata(api: httpx.Client, where: str, found: list[str]) -> None:
    assert names(ask(api, filter=where)) == found


@pytest.mark.parametrize(
    "options",
    [{"filter": "nothing eq 1"}, {"filter": "name like 'x'"}, {"filter": "name eq 'x"}, {"filter": "name eq"},
     {"orderby": "nothing"}, {"orderby": "name up"}, {"top": "many"}, {"count": "true"}, {"select": "nothing"}],
)  # fmt: skip
@pytest.mark.parametrize("status", [400, 500])
def test_what_is_not_understood_is_an_error(
    act: RunningSandbox, api: httpx.Client, options: dict[str, str], status: int
) -> None:
    act.switches(act_odata_error=status)
    answer = ask(api, **options)
    assert (answer.status_code, answer.json()["exceptionType"]) == (status, "Microsoft.Data.OData.ODataException")


def test_pages_are_ordered_cut_and_capped(act: RunningSandbox, api: httpx.Client) -> None:
    assert names(ask(api, orderby="status desc,name desc")) == ["Gamma", "beta", "Alpha"]
    assert names(ask(api, orderby="edited asc", top=1, skip=1)) == ["beta"]
    act.switches(act_top_cap=2)
    assert names(ask(api, orderby="name", top=100)) == ["Alpha", "beta"]
    assert ask(api, select="id,name", top=1).json() == [{"id": "o1", "name": "Alpha"}]


@pytest.mark.parametrize(
    ("switch", "where"),
    [({"act_source_id": "not_filterable"}, "sourceId eq 'x'"), ({"act_filter_edited": False}, "edited ge 2026-01-01T00:00:00Z"),
     ({"act_custom_field_filter": False}, "customFields/opportunity_field_1 eq 'x'")],
)  # fmt: skip
def test_properties_that_a_database_cannot_filter(
    act: RunningSandbox, api: httpx.Client, switch: dict[str, Any], where: str
) -> None:
    assert ask(api, filter=where).status_code == 200
    act.switches(**switch)
    assert ask(api, filter=where).status_code == 400


def test_a_status_goes_in_as_number_or_name_and_comes_out_as_number(act: RunningSandbox, api: httpx.Client) -> None:
    made = api.post(
        "/opportunities", json={"name": "N", "status": "Lost", "productTotal": 7, "customFields": {"no": 1}}
    )
    body = made.json()
    assert (made.status_code, body["status"], body["statusName"], body["productTotal"]) == (201, 2, "Lost", 0)
    assert "no" not in body["customFields"]
    assert api.post("/opportunities", json={"name": "N", "status": "Gone"}).status_code == 400
    act.switches(act_status_names=True)
    assert api.get(f"/opportunities/{body['id']}").json()["status"] == "Lost"


@pytest.mark.parametrize(("mode", "source"), [("blanks", None), ("merges", "Web")])
def test_put_blanks_or_merges_what_is_left_out(
    act: RunningSandbox, api: httpx.Client, mode: str, source: str | None
) -> None:
    act.switches(act_put=mode)
    made = api.post("/opportunities", json={"name": "N", "source": "Web", "customFields": {"opportunity_field_1": "a"}})
    put = api.put(f"/opportunities/{made.json()['id']}", json={"name": "M"}).json()
    assert (put["name"], put.get("source")) == ("M", source)
    assert put["customFields"]["opportunity_field_1"] == (None if source is None else "a")


def test_patch_may_accept_a_field_and_ignore_it(act: RunningSandbox, api: httpx.Client) -> None:
    act.switches(act_patch_ignores=["source"])
    answer = api.patch("/opportunities/o1", json={"name": "New", "source": "Web"})
    assert (answer.status_code, answer.json()["name"], answer.json().get("source")) == (200, "New", None)


def test_a_source_id_may_be_dropped_on_write(act: RunningSandbox, api: httpx.Client) -> None:
    act.switches(act_source_id="dropped")
    assert "sourceId" not in api.post("/opportunities", json={"name": "N", "sourceId": "x"}).json()


@pytest.mark.parametrize("bumps", [True, False])
def test_products_make_the_total_in_doubles(act: RunningSandbox, api: httpx.Client, bumps: bool) -> None:
    act.switches(act_product_bumps_edited=bumps)
    path = "/opportunities/o1/products"
    first = api.post(path, json={"name": "A", "price": 0.1, "quantity": 3, "itemNumber": "x", "type": "T"}).json()
    api.post(path, json={"name": "B", "price": 1, "quantity": 1})
    opportunity = api.get("/opportunities/o1").json()
    assert opportunity["productTotal"] == 0.1 * 3 + 1
    assert (opportunity["edited"] == "2026-02-01T00:00:00.123456Z") is not bumps
    api.put(f"{path}/{first['id']}", json=first | {"price": 2, "discount": 1})
    assert api.get("/opportunities/o1").json()["productTotal"] == 7
    assert api.delete(f"{path}/{first['id']}").status_code == 204
    assert [product["name"] for product in api.get(path).json()] == ["B"]


def test_custom_tables_are_defined_and_filled(act: RunningSandbox, api: httpx.Client) -> None:
    table = {"name": "GHL_X", "displayName": "X", "parentEntities": ["Contacts"]}
    assert api.post("/metadata/entities", json=table).status_code == 201
    assert api.post("/metadata/entities", json=table).status_code == 409
    for column in (
        {"name": "GHL_ID", "type": "Character", "length": 10},
        {"name": "AMOUNT", "type": "Decimal", "scale": 4},
    ):
        assert api.post("/metadata/GHL_X/fields", json=column).status_code == 201
        assert api.post("/metadata/GHL_X/fields", json=column).status_code == 409
    row = {"GHL_ID": "k", "amount": 1.23456, "nothing": 1, "contacts": [{"id": OWNER["id"]}]}
    made = api.post("/custom/entities/ghl_x", json=row).json()
    assert (made["ghl_id"], made["amount"], made["contacts"][0]["displayName"]) == ("k", 1.2346, "Ada Native")
    assert "nothing" not in made
    assert api.post("/custom/entities/GHL_X", json={"ghl_id": "longer than ten"}).status_code == 400
    found = api.get("/custom/entities/GHL_X", params={"$filter": "ghl_id eq 'k'"})
    assert [row["id"] for row in found.json()] == [made["id"]]
    act.switches(act_column_filter=False)
    assert api.get("/custom/entities/GHL_X", params={"$filter": "ghl_id eq 'k'"}).status_code == 400
    assert api.delete(f"/custom/entities/GHL_X/{made['id']}").status_code == 204


def test_a_licence_may_lack_custom_tables(act: RunningSandbox, api: httpx.Client) -> None:
    act.switches(act_custom_tables=False)
    refused = api.post("/metadata/entities", json={"name": "X", "displayName": "X"})
    assert (refused.status_code, refused.json()["subCode"]) == (403, 4031)
    assert not any(entity["isCustom"] for entity in api.get("/metadata/entities").json())


def test_history_without_a_type_is_a_call(act: RunningSandbox, api: httpx.Client) -> None:
    made = api.post("/History", json={"regarding": "R", "details": '{"a":1}', "contacts": [{"id": OWNER["id"]}]}).json()
    assert (made["historyTypeID"], made["details"]) == (0, '{"a":1}')
    act.switches(act_history_html=True)
    assert api.get(f"/history/{made['id']}").json()["details"] == "<html><body><p>{&quot;a&quot;:1}</p></body></html>"


def test_a_dynamic_list_finds_by_a_column(act: RunningSandbox, api: httpx.Client) -> None:
    [entity] = api.get("/dynamic-list/metadata").json()
    column = next(field for field in entity["fields"] if field["name"] == "opportunity_field_1")
    criterion = {"tableName": column["table"], "columnName": column["column"], "operator": "EqualTo",
                 "values": [{"type": "String", "dataItem": "V2"}], "logicalOperator": "End"}  # fmt: skip
    assert names(api.post("/dynamic-list/opportunity-preview", json=[criterion])) == ["beta"]
    act.switches(act_dynamic_list=False)
    assert api.post("/dynamic-list/opportunity-preview", json=[criterion]).status_code == 404


def test_answers_announce_the_limit_and_a_reset_takes_everything_back(act: RunningSandbox, api: httpx.Client) -> None:
    before = act.state()["act"]
    answer = api.post("/opportunities", json={"name": "N"})
    assert int(answer.headers["x-ratelimit-limit"]) == 6000
    assert int(answer.headers["x-ratelimit-remaining"]) < 6000
    assert [(e["record_type"], e["key"]) for e in act.effects()] == [("opportunity", None)]
    assert act.state()["act"] != before
    act.reset()
    assert act.state()["act"]["opportunities"] == []
