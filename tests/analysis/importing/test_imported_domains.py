import json

import numpy as np
import polars as pl
import pytest

from analysis import DomainEffects, correlate
from analysis.correlation import CorrelationOptions
from analysis.effects.head_effects import effects
from analysis.importing.domains import read_domains
from analysis.importing.table_forms import ImportOptions
from analysis.results.read import read_results
from study.record.errors import InputError
from study.record.units import AttentionKind, Head

QUICK = CorrelationOptions(resamples=99, largest=2)
VALUES = np.random.default_rng(0).normal(size=(2, 3, 4)).round(4)
"""Of two domains, three layers and four heads."""

DOMAINS = ("mnli", "snli")


def long(values=VALUES, name="effect") -> str:
    rows = [
        f"{domain},{layer},{head},{values[d, layer, head]}"
        for d, domain in enumerate(DOMAINS)
        for layer in range(3)
        for head in range(4)
    ]
    return "\n".join([f"domain,layer,head,{name}", *rows]) + "\n"


def written(folder, name: str, text: str):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def matrix(d: int) -> str:
    rows = [",".join(map(str, [layer, *VALUES[d, layer]])) for layer in range(3)]
    return "\n".join(["layer,0,1,2,3", *rows]) + "\n"


def by_head(d: int) -> dict[str, float]:
    return {f"L{layer}H{head}": VALUES[d, layer, head] for layer in range(3) for head in range(4)}


def forms(folder) -> dict[str, list]:
    """The same numbers in every form that is read."""
    addresses = "\n".join(
        [
            "domain\thead\teffect",
            *(f"{name}\t{at}\t{v}" for d, name in enumerate(DOMAINS) for at, v in by_head(d).items()),
        ]
    )
    heads = ",".join(by_head(0))
    wide = "\n".join(
        ["domain," + heads, *(f"{n}," + ",".join(map(str, by_head(d).values())) for d, n in enumerate(DOMAINS))]
    )
    records = [
        {"domain": name, "layer": layer, "head": head, "effect": VALUES[d, layer, head]}
        for d, name in enumerate(DOMAINS)
        for layer in range(3)
        for head in range(4)
    ]
    own = {
        "long.csv": long(),
        "addresses.tsv": addresses,
        "wide.csv": wide,
        "records.json": json.dumps(records),
        "lines.jsonl": "\n".join(map(json.dumps, records)),
        "by_head.json": json.dumps({name: by_head(d) for d, name in enumerate(DOMAINS)}),
        "nested.json": json.dumps({name: VALUES[d].tolist() for d, name in enumerate(DOMAINS)}),
    }
    files = {name: [written(folder, name, text)] for name, text in own.items()}
    files["a matrix a file"] = [written(folder, f"{name}.csv", matrix(d)) for d, name in enumerate(DOMAINS)]
    return files


def test_every_form_gives_the_same_domains(tmp_path):
    for form, files in forms(tmp_path).items():
        found = read_domains(files, ImportOptions())
        assert [domain.domain for domain in found] == list(DOMAINS), form
        for d, domain in enumerate(found):
            assert domain.heads[5] == Head(AttentionKind.ENCODER_SELF, 1, 1), form
            assert domain.effects == pytest.approx(VALUES[d].ravel()), form


def test_this_projects_own_table_comes_back_as_it_was(make, results, tmp_path):
    for seed, data in enumerate(("home", "away")):
        make(data=data, seed=seed)
    domains = read_results(results).domains
    path = tmp_path / "effects.csv"
    pl.concat([effects(domain) for domain in domains]).write_csv(path)
    ours, theirs = (
        correlate(own, QUICK).correlation
        for own in ([DomainEffects.of(domain) for domain in domains], read_domains([path], ImportOptions()))
    )
    for name in ("pearson", "spearman", "kendall"):
        assert theirs[name].to_list() == pytest.approx(ours[name].to_list(), abs=1e-9)


def test_scores_need_their_base(tmp_path):
    scores = (
        long(80 + VALUES, "score")
        .replace("score", "score,base_score")
        .replace("\n", ",80\n")
        .replace("base_score,80", "base_score")
    )
    found = read_domains([written(tmp_path, "scores.csv", scores)], ImportOptions())
    assert found[0].effects == pytest.approx(VALUES[0].ravel())
    with pytest.raises(InputError, match="a score needs the column base_score"):
        read_domains([written(tmp_path, "alone.csv", long(name="score"))], ImportOptions())


def test_importances_are_led_by_the_largest(tmp_path):
    both = [
        written(tmp_path, f"{sign}.csv", long(sign * VALUES, name))
        for sign, name in ((1, "effect"), (-1, "importance"))
    ]
    lowest = correlate(read_domains([both[0]], ImportOptions()), QUICK)
    largest = correlate(read_domains([both[1]], ImportOptions(value="importance")), QUICK)
    assert largest.overlap["shared"].to_list() == lowest.overlap["shared"].to_list()
    assert largest.correlation["pearson"][0] == pytest.approx(lowest.correlation["pearson"][0])
    assert largest.influence["effect_a"].to_list() == pytest.approx((-VALUES[0]).ravel())


def test_subjects_are_kept_apart(tmp_path):
    rows = "\n".join(
        f"{task},{seed},{h // 4},{h % 4},{h * seed % 7}" for task in "ab" for seed in (1, 2, 3) for h in range(12)
    )
    path = written(tmp_path, "heads.csv", f"task,seed,layer,head,importance\n{rows}\n")
    options = ImportOptions(value="importance", domain=("seed",), by=("task",))
    found = correlate(read_domains([path], options), QUICK).correlation
    assert found.select("subject", "domain_a", "domain_b").rows() == [
        (task, *pair) for task in "ab" for pair in (("1", "2"), ("1", "3"), ("2", "3"))
    ]
    together = ImportOptions(value="importance", domain=("task", "seed"))
    assert correlate(read_domains([path], together), QUICK).correlation.height == 15


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (
            lambda t: t.replace("mnli,1,2,", "mnli,1,9,"),
            {"shape": (3, 4)},
            "unknown heads encoder_self.1.9: of 3 layers with 4",
        ),
        (
            lambda t: t + "mnli,0,0,0.5\n",
            {},
            "mnli: more than one number of encoder_self.0.0. If a column tells them apart",
        ),
        (
            lambda t: "".join(line for line in t.splitlines(True) if "snli,2," not in line),
            {},
            "snli: no number of encoder_self.2.0, enc",
        ),
        (
            lambda t: t,
            {"shape": (3, 5)},
            "mnli: no number of encoder_self.0.4, encoder_self.1.4 and encoder_self.2.4, which other",
        ),
        (
            lambda t: t.replace(str(VALUES[0, 0, 1]), "nan"),
            {},
            "table.csv, row 2: effect is 'nan', which is no finite number",
        ),
        (lambda t: t.replace(str(VALUES[0, 0, 1]), ""), {}, "row 2: effect is '', which is no number"),
        (lambda t: t.replace("mnli,0,1,", "mnli,0,x,"), {}, "row 2: head 'x' is no whole number of 0 or more"),
        (
            lambda t: (
                "measure,"
                + "".join(f"no_head,{t}" for t in t.splitlines(True)[:2]).replace("no_head,", "", 1)
                + "ablation,mnli,0,x,1\n"
            ),
            {},
            "table.csv, row 2: head 'x' is no whole number",
        ),
        (lambda t: t.replace("domain", "kind"), {}, "row 1: 'mnli' is no attention kind"),
        (
            lambda t: t,
            {"value": "efect"},
            "table.csv: no column 'efect' among domain, layer, head, effect; did you mean",
        ),
        (lambda t: t, {"by": ("seed",)}, "no column 'seed' among"),
        (
            lambda t: t.replace("effect", "delta"),
            {},
            "no column 'effect' among domain, layer, head, delta; or name one with --value",
        ),
        (
            lambda t: t.replace("layer,head", "depth,place"),
            {},
            "no heads among the columns domain, depth, place, effect: expected",
        ),
        (lambda t: t.replace("mnli,0,1,", "mnli,0,"), {}, "3 cells, but the header has 4"),
        (lambda t: t.replace("layer,head", "layer,layer"), {}, "column 'layer' stands more than once"),
        (lambda t: t.splitlines(keepends=True)[0], {}, "has no rows"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(tmp_path, change, options, message):
    with pytest.raises(InputError) as error:
        read_domains([written(tmp_path, "table.csv", change(long()))], ImportOptions(**options))
    assert message in str(error.value)


def test_whether_numbers_start_at_one_is_not_guessed(tmp_path):
    one = long().replace("layer,head", "l,h")
    rows = [line.split(",") for line in one.splitlines()[1:]]
    shifted = "\n".join(["domain,layer,head,effect", *(f"{d},{int(a) + 1},{int(b) + 1},{v}" for d, a, b, v in rows)])
    path = written(tmp_path, "one.csv", shifted)
    with pytest.raises(InputError, match="say --first 1"):
        read_domains([path], ImportOptions())
    assert read_domains([path], ImportOptions(first=1))[0].heads[0] == Head(AttentionKind.ENCODER_SELF, 0, 0)
    assert read_domains([path], ImportOptions(first=0))[0].heads[0] == Head(AttentionKind.ENCODER_SELF, 1, 1)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("table.xlsx", "x", r"expected a file named .csv, .tsv, .json, .jsonl or .npy"),
        ("table.json", "{", "table.json: not JSON"),
        ("table.json", "3", "expected an object of texts and numbers, found 3"),
        ("lines.jsonl", '{"layer": 0, "head": 0, "effect": 1}\n{', "lines.jsonl:2: not JSON"),
        ("table.csv", "", "table.csv is empty"),
        ("table.json", "[]", "has no rows"),
    ],
)
def test_files_that_are_not_what_they_say(tmp_path, name, text, message):
    with pytest.raises(InputError, match=message):
        read_domains([written(tmp_path, name, text)], ImportOptions())


@pytest.mark.parametrize("lacks", ["domain", "head", "effect"])
def test_rows_of_json_have_what_the_first_one_has(tmp_path, lacks):
    first = {"layer": 0, "head": 0, "effect": 1, "domain": "a"}
    rows = [first, {name: value for name, value in first.items() if name != lacks}]
    with pytest.raises(InputError, match=f"t.json, row 2: no '{lacks}', which the first row has"):
        read_domains([written(tmp_path, "t.json", json.dumps(rows))], ImportOptions())


def test_layers_of_a_matrix_may_have_fewer_heads(tmp_path):
    files = [
        written(tmp_path, f"{name}.csv", f"layer,h0,h1,h2\n0,1,2,{last}\n1,4,5,\n")
        for name, last in (("a", 3), ("b", 9))
    ]
    found = read_domains(files, ImportOptions())
    assert [str(head) for head in found[0].heads] == [
        f"encoder_self.{at}" for at in ("0.0", "0.1", "0.2", "1.0", "1.1")
    ]
