"""The measure `probe` as a job: what it asks for, trains, stores and takes over, and what it refuses before work."""

import json
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from fixtures.jobs import overrides
from fixtures.observing.treebanks import conllu, write_treebanks

from study.config import compose, to_study
from study.data.syntax.treebanks import read_treebanks
from study.engine.probes import keep_probe
from study.jobs.measuring import MeasuringJob
from study.jobs.task import StudyTask
from study.observing.probing import training
from study.observing.probing.scores import ProbeTensors, head_scores
from study.observing.probing.word_links import read_links
from study.record.errors import InputError
from study.record.store import read_parts
from study.record.syntax.probe import ProbeError, SyntaxProbe, probe_path, read_probe
from study.record.tables import ProbedHeads, stored_tables, table_of

TASK = StudyTask()
SENTENCES = 10


def job(place: Path, *more: str, data: str = "scored"):
    one, two, _ = write_treebanks(place)
    probe = ["measure=probe", f"measure.train=[{one},{two}]", "measure.epochs=2"]
    return compose(*overrides(place, *probe, "data=ud_file", f"data.path={place / data}.conllu", *more))


def stored(place: Path, data: str = "scored") -> tuple[Path, SyntaxProbe]:
    (folder,) = (path.parent for path in (place / "results").glob(f"*/{data}/*/setting.json"))
    (table,) = stored_tables(folder)
    assert isinstance(table, ProbedHeads)
    probe = read_probe(table.probe, folder)
    assert probe is not None
    return folder, probe


def test_a_probe_is_trained_once_and_its_heads_are_stored(place: Path) -> None:
    planned = TASK(job(place, "plan=true"))
    assert (planned["state"], planned["missing"]) == ("planned", SENTENCES)
    assert not list((place / "results").rglob("*.json")), "a plan stores nothing"
    found = TASK(job(place))
    assert (found["masks"], found["computed"]) == (1, SENTENCES)
    folder, probe = stored(place)
    assert (TASK.remaining(job(place)), TASK(job(place))["computed"]) == (0, 0)
    assert probe.training.files == ("one", "two")
    assert probe.training.sentences == 20
    assert (len(probe.heads), len(probe.course), probe.seen) == (8, 2, ())
    (run,) = (folder / "runs").glob("*.json")
    examples = MeasuringJob(to_study(job(place))).examples
    counted = np.array([relation != "punct" for tree in examples.trees or () for relation in tree.relations])
    rows = dict(read_parts(folder, ProbedHeads(probe.training.id)).rows.select("example", "head").iter_rows())
    heads = np.concatenate([rows[name] for name in examples.ids])
    gold = np.concatenate([tree.heads for tree in examples.trees or ()])
    summary = json.loads(run.read_text())["summary"]
    assert summary["words"] == counted.sum()
    assert summary["uas"] == pytest.approx(100 * (heads == gold)[counted].mean())


def test_stored_heads_are_those_that_its_weights_score_highest(place: Path) -> None:
    TASK(job(place))
    folder, probe = stored(place)
    evaluator = MeasuringJob(to_study(job(place))).evaluator
    rows = evaluator.encoded_for([ProbedHeads(probe.training.id)])
    found = read_parts(folder, ProbedHeads(probe.training.id)).rows
    stored_heads = dict(found.select("example", "head").iter_rows())
    for row, links in zip(rows, read_links(evaluator.engine.subject, rows), strict=True):
        assert links.has_ends
        assert links.maps.shape == (8, len(row.words) + 2, len(row.words) + 2)
        np.testing.assert_allclose(links.maps[:, : len(row.words)].sum(-1), 1, atol=2e-3)
        best = head_scores(ProbeTensors.of(probe.weights), links).topk(2)
        sure = (best.values[:, 0] - best.values[:, 1]) > 1e-2  # maps are kept in half precision here
        assert torch.equal(torch.tensor(stored_heads[row.example])[sure], best.indices[:, 0][sure])


def test_other_data_of_the_model_takes_the_probe_over_and_shards_share_it(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for shard in (0, 1):
        assert TASK(job(place, "shards=2", f"shard={shard}"))["computed"] == SENTENCES // 2
    _, first = stored(place)
    monkeypatch.setattr("study.observing.probing.training.train_probe", None)
    (place / "other.conllu").write_text(conllu(7, 8))
    assert TASK(job(place, data="other"))["computed"] == 8
    _, second = stored(place, "other")
    assert second == first


def test_a_job_on_other_data_waits_for_the_probe(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "other.conllu").write_text(conllu(7, 8))
    one, other = (MeasuringJob(to_study(job(place, data=data))) for data in ("scored", "other"))
    requests = [each.study.measure.request(each.evaluator).probe for each in (one, other)]
    assert other.evaluator.engine.subject is one.evaluator.engine.subject
    second = Thread(target=keep_probe, args=(other.evaluator, requests[1]))
    trained, train = [], training.train_probe

    def while_another_begins(*args):
        trained.append(args)
        if len(trained) == 1:
            second.start()
            second.join(1)
        return train(*args)

    monkeypatch.setattr(training, "train_probe", while_another_begins)
    keep_probe(one.evaluator, requests[0])
    second.join()
    assert len(trained) == 1
    kept, taken = (read_probe(requests[0].training.id, each.evaluator.store.folder) for each in (one, other))
    assert kept is not None
    assert kept == taken


def test_what_training_has_seen_is_told_and_refused_where_it_is_much(place: Path) -> None:
    job(place)
    one = (place / "one.conllu").read_text().split("\n\n")
    (place / "mixed.conllu").write_text(conllu(7, 24) + one[0].replace("sent_id = s0", "sent_id = again") + "\n\n")
    TASK(job(place, data="mixed"))
    _, probe = stored(place, "mixed")
    assert probe.seen == ("again",)
    with pytest.raises(InputError, match=r"12 of the 12 sentences of the data are in one.conllu and two.conllu too"):
        TASK.check(job(place, data="one"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["measure.train=[]"], r"measure.train=\[FILE,FILE\] names treebanks"),
        (["measure.train=[{place}/none.conllu]"], "there is no file .*none.conllu"),
        (["measure.train=[{place}/one.conllu,{place}/one.conllu]"], "one.conllu stands twice among the treebanks"),
        (["measure.train=[{place}/stanford.conllu]"], "dep are relations of .* the trees seem to follow different"),
        (["measure.train=[{place}/single.conllu]"], "whole documents, and measure.train has one: add a treebank"),
        (["measure.learning_rates=[]"], "measure.learning_rates must be at least one number, each above 0"),
        (["measure.epochs=0"], "measure.epochs must be at least 1"),
        (["measure.held_out=1"], "measure.held_out must be a share between 0 and 1"),
        (["data=nli_file", "data.path={place}/pairs.tsv"], "which this data has not: data=ud_file has them"),
    ],
)
def test_what_makes_no_sense_is_refused_before_work_starts(place: Path, more: list[str], words: str) -> None:
    (place / "stanford.conllu").write_text(conllu(4, 12, ["pobj", "punct"]))
    (place / "single.conllu").write_text(conllu(4, 2))
    with pytest.raises(InputError, match=words):
        TASK.check(job(place, *(option.format(place=place) for option in more)))


def test_a_damaged_probe_and_rows_of_no_probe_are_told(place: Path) -> None:
    TASK(job(place))
    folder, probe = stored(place)
    path = probe_path(probe.training.id, folder)
    path.write_text(path.read_text().replace('"epoch": ', '"epoch": 1'))
    with pytest.raises(ProbeError, match="is not a whole probe"):
        read_probe(probe.training.id, folder)
    assert table_of(Path("probe_nonsense-1.parquet")) is None
    assert read_probe("0" * 12, folder) is None


def test_treebanks_are_one_and_their_digest_is_of_what_they_hold(place: Path) -> None:
    one, two, scored = write_treebanks(place)
    whole, digest = read_treebanks([one, two])
    assert (len(whole), len(set(whole.columns["group"]))) == (20, 10)
    (place / "renamed.conllu").write_text(one.read_text())
    assert read_treebanks([place / "renamed.conllu", two])[1] == digest
    assert read_treebanks([one, scored])[1] != digest
