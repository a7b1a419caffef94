"""Subjects of one name that are not compared say in which fields of their settings they differ."""

from dataclasses import replace

from analysis.__main__ import main
from analysis.results.namesakes import namesakes, subject_names
from analysis.results.read import read_results
from study.record.factors import Factors


def test_the_page_and_the_terminal_say_why_heads_are_not_compared(make, results, capsys) -> None:
    make(data="home", seed=1)
    make(data="away", seed=2, weights_file="another file of weights, whose name is long")
    assert main([str(results), "--splits", "10", "--resamples", "99"]) == 0
    said = 'toy on home with toy on away, as their settings differ in subject.weights ("w1", "another file of weigh …).'
    ordered = said.replace("on home with toy on away", "on away with toy on home").replace(
        '("w1", "another file of weigh …)', '("another file of weigh …, "w1")'
    )
    printed = " ".join(capsys.readouterr().out.split())
    assert f"Not compared: {said}" in printed or f"Not compared: {ordered}" in printed
    page = (results / "analysis" / "report" / "index.html").read_text()
    assert "Not compared:</b> toy on " in page
    assert "subject.weights" in page


def test_one_subject_and_other_models_are_no_namesakes(make, results, monkeypatch) -> None:
    make(data="home")
    make(data="away", seed=1)
    make(model="other", data="home", weights_file="w2")
    make("bleu", data="text", weights_file="w3")
    found = read_results(results)
    domains = found.domains
    assert namesakes(found.subjects.values()) == []
    others = [domain for domain in domains if domain.model == "other" or domain.data == "text"]
    away, home = (domain for domain in domains if domain not in others)
    fields = dict.fromkeys(("truncate", "lower", "strip", "pad"), True)
    subject = {away.folder: {"weights": "w1"}, home.folder: {"weights": "w1"} | fields}
    away, home = (
        replace(one, setting=replace(one.setting, subject=subject[one.folder], examples={"digest": str(one.folder)}))
        for one in (away, home)
    )
    (line,) = namesakes([[away], [home], *([other] for other in others)])
    assert "differ in subject.lower (null, true); subject.pad (null, true); subject.strip (null, true)" in line
    assert line.endswith(" and 1 more fields")


def test_seeds_of_one_training_are_told_apart_by_seed_and_how_they_are_compared_is_said(make, results) -> None:
    for seed in (3, 1):
        place = Factors("toy", "home", "float32", seed, 2.0)
        make(weights_file=f"w{seed}", factors=place)
        make(data="away", seed=1, weights_file=f"w{seed}", factors=replace(place, data="away"))
    found = read_results(results)
    assert namesakes(found.subjects.values()) == ["seed 1 and seed 3 of toy; --along seed compares their heads"]
    assert namesakes(found.subjects.values(), ["seed"]) == []
    assert sorted(subject_names(found.subjects).values()) == ["toy, seed 1", "toy, seed 3"]
    make(model="other", data="home", weights_file="w9")
    assert "other" in subject_names(read_results(results).subjects).values()


def test_precisions_of_one_model_are_told_apart_by_their_names_and_how_they_are_compared_is_said(make, results) -> None:
    make(weights_file="w")
    (home,) = read_results(results).domains

    def computed(*precisions: str) -> dict:
        own = [replace(home.setting, subject={**home.setting.subject, "precision": name}) for name in precisions]
        return {name: [replace(home, setting=one)] for name, one in zip(precisions, own, strict=True)}

    two = computed("cascade|sample:100|safety:2", "float32")
    said = ["precision cascade and precision float32 of toy; --along precision compares their heads"]
    assert namesakes(two.values()) == said
    assert namesakes(two.values(), ["precision"]) == []
    assert list(subject_names(two).values()) == ["toy, cascade", "toy, float32"]
    three = computed("cascade|sample:100", "cascade|sample:200", "float32")
    assert list(subject_names(three).values()) == ["toy, cascade|sample:100", "toy, cascade|sample:200", "toy, float32"]
