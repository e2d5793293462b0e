"""How the output of the official validator is read: its exit code is always 0."""

from __future__ import annotations

from focus_check.validator import verdict

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


def test_failed_rules_are_reported_except_composite_rules() -> None:
    found = verdict(OUTPUT, {"InvoiceId-C-000-C"})
    assert (found.passed, found.skipped) == (2, 1)
    assert found.failed == {"InvoiceId-C-005-C", "EffectiveCost-C-005-C", "SkuMeter-C-004-C"}


def test_only_two_failures_are_expected() -> None:
    assert verdict(OUTPUT, {"InvoiceId-C-000-C"}).unexpected == ["SkuMeter-C-004-C"]
    others = OUTPUT.replace("[FAIL] SkuMeter-C-004-C: FAIL", "[PASS] SkuMeter-C-004-C: PASS")
    assert verdict(others, {"InvoiceId-C-000-C"}).unexpected == []


def test_an_output_without_results_has_no_passed_rules() -> None:
    assert verdict("", set()).passed == 0
