from datetime import UTC, date, datetime

from analysis.results.provenance import provenance


def test_distinct_values_of_all_parts_and_sums_of_amounts(make):
    before = datetime.now(UTC).date()
    store = make()
    rows = store.read().rows
    store.write(rows, {"device": "cuda:0", "versions": {"torch": "2.1"}, "seconds": 1.6, "rows": 1000})
    store.write(rows, {"device": "cpu", "versions": {"torch": "2.0"}, "seconds": 2.0, "rows": 500, "revision": None})
    found = provenance(store.folder)
    assert found["device"] == ("cpu", "cuda:0")
    assert found["torch"] == ("2.0", "2.1")
    assert found["seconds"] == ("4",)
    assert found["rows"] == ("1,500",)
    assert "revision" not in found
    assert before <= date.fromisoformat(found["written"][0]) <= datetime.now(UTC).date()


def test_a_setting_without_parts_has_none(tmp_path):
    assert provenance(tmp_path) == {"written": ()}
