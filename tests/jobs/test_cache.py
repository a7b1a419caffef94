"""What jobs of one process share: examples are read once while their files stay, and one model is kept."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from fixtures.jobs import NUM_PAIRS, overrides

from study.certification import certify
from study.config import compose
from study.data.nli import NliFile
from study.engine import choose
from study.engine.cascade.classifiers import ClassifierDecider
from study.engine.cascade.engine import CascadeEngine
from study.engine.cascade.tangent import Tangent
from study.jobs import measuring
from study.jobs.cache import MOST_SETS, JobCache
from study.jobs.task import StudyTask
from study.record.errors import InputError
from study.record.examples import Examples
from study.subjects.huggingface.classifier_folder import ClassifierConfig
from study.subjects.subject import TokenRow


def pairs(path: Path, lines: int = 3) -> NliFile:
    path.write_text("id\tpremise\thypothesis\tlabel\n" + "".join(f"{i}\ta\tb\tneutral\n" for i in range(lines)))
    return NliFile(path=path, name="")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often examples were read, and the files of a model, by what is done with them."""
    counts: Counter[str] = Counter()

    def counted(owner: type, name: str) -> None:
        method = getattr(owner, name)

        def call(self: object) -> object:
            counts[name] += 1
            return method(self)

        monkeypatch.setattr(owner, name, call)

    counted(NliFile, "examples")
    counted(ClassifierConfig, "identity")
    digest = Examples.__dict__["digest"].func
    monkeypatch.setattr(Examples.__dict__["digest"], "func", lambda self: counts.update(["digest"]) or digest(self))
    return counts


def test_a_job_reads_and_digests_its_examples_once(place: Path, reads: Counter[str]) -> None:
    task, config = StudyTask(JobCache()), compose(*overrides(place, "measure=base"))
    for ask in (task.stage, task.check, task.missing, task.remaining, task.estimate, task.rehearse):
        ask(config)
    assert reads == {"examples": 1, "digest": 1, "identity": 1}
    assert task(config)["masks"] == 1
    assert reads == {"examples": 1, "digest": 1, "identity": 2}, "a run is of the model as it is when it starts"


def test_a_sweep_certifies_its_model_and_proves_its_engine_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counter[str] = Counter()

    def counted(module: ModuleType, name: str) -> None:
        function = getattr(module, name)

        def call(*given: object, **named: object) -> object:
            counts[name] += 1
            return function(*given, **named)

        monkeypatch.setattr(module, name, call)

    counted(certify, "certify")
    counted(choose, "choose_engine")
    task = StudyTask(JobCache())
    configs = [compose(*overrides(place, f"measure={name}")) for name in ("base", "no_head", "all_but_one", "ablation")]
    for config in configs:
        task.rehearse(config)
    assert all(task(config)["computed"] for config in configs[1:])
    assert counts == {"certify": 1, "choose_engine": 1}


def test_a_sweep_by_a_cascade_takes_the_gradients_of_an_example_once(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: Counter[str] = Counter()
    tangents, make = ClassifierDecider.tangents, Counter[str]()

    def counted(own: ClassifierDecider, rows: Sequence[TokenRow]) -> list[Tangent]:
        taken.update(row.example for row in rows)
        return tangents(own, rows)

    monkeypatch.setattr(ClassifierDecider, "tangents", counted)
    monkeypatch.setattr(CascadeEngine, "_first_order_pays", lambda *_: True)  # of so few masks it would not
    choose_engine = choose.choose_engine

    def chosen(subject: object, precision: str, *given: object, **named: object) -> object:
        make[precision] += 1
        return choose_engine(subject, precision, *given, **named)  # pyright: ignore[reportArgumentType, reportCallIssue]

    monkeypatch.setattr(choose, "choose_engine", chosen)
    task = StudyTask(JobCache())
    careful = ("precision=cascade", "cascade.sample=30", "cascade.bound=0.05", "cascade.purposive=0")
    for name in ("pairs", "all_but_one"):
        assert task(compose(*overrides(place, f"measure={name}", *careful)))["computed"]
    ids = {str(i) for i in range(NUM_PAIRS)}
    assert {taken[name] for name in ids} == {1}
    assert make == {"cascade": 1, "float32": 1}


def test_of_engines_that_learn_of_a_setting_one_is_kept() -> None:
    cache, subject, chosen = JobCache(), object(), list[str]()

    def choose(at: str) -> SimpleNamespace:
        chosen.append(at)
        return SimpleNamespace(subject=subject)

    for of in ("a", "a", "", "b", "", "a"):
        cache.engine(subject, "1", lambda at=of: choose(at), of=of)  # pyright: ignore[reportArgumentType]
    assert chosen == ["a", "", "b", "a"]


def test_engines_go_with_the_model_that_they_are_of() -> None:
    cache, chosen = JobCache(), list[str]()
    for model, engine in ("a1", "a1", "a2", "a1", "b1", "a1"):
        subject = cache.subject(model, object)  # pyright: ignore[reportArgumentType]
        assert engine_of(cache, subject, engine, lambda at=model + engine: chosen.append(at)).subject is subject
    assert chosen == ["a1", "a2", "b1", "a1"]


def test_a_job_gets_no_engine_of_a_model_that_another_has_loaded_since() -> None:
    cache, chosen = JobCache(), list[str]()
    mine = cache.subject("a", object)  # pyright: ignore[reportArgumentType]
    other = cache.subject("b", object)  # pyright: ignore[reportArgumentType]
    for subject in (mine, other, mine):
        assert engine_of(cache, subject, "1", lambda: chosen.append("")).subject is subject


def engine_of(cache: JobCache, subject: object, key: str, chosen: Callable[[], None]) -> SimpleNamespace:
    def choose() -> SimpleNamespace:
        chosen()
        return SimpleNamespace(subject=subject)

    return cache.engine(subject, key, choose)  # pyright: ignore[reportArgumentType, reportReturnType]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    cache = JobCache()
    first = cache.examples(pairs(tmp_path / "pairs.tsv"))
    assert cache.examples(pairs(tmp_path / "pairs.tsv")) is first
    assert len(cache.examples(pairs(tmp_path / "pairs.tsv", lines=4))) == 4


def test_few_sets_are_kept(tmp_path: Path) -> None:
    cache = JobCache()
    sets = [pairs(tmp_path / f"{i}.tsv", lines=i + 1) for i in range(MOST_SETS + 1)]
    found = [cache.examples(data) for data in sets]
    assert cache.examples(sets[1]) is found[1]
    assert cache.examples(sets[0]) is not found[0]


def test_a_file_that_is_not_there_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.tsv"):
        JobCache().examples(NliFile(path=tmp_path / "nowhere.tsv", name="x"))


def test_a_subject_is_let_go_before_another_is_loaded() -> None:
    cache, loaded = JobCache(), list[str]()

    def load(key: str) -> None:
        assert not cache._subjects, "two models would be in memory"
        loaded.append(key)

    for key in ("a", "a", "b", "a"):
        cache.subject(key, lambda key=key: load(key))  # pyright: ignore[reportArgumentType]
    assert loaded == ["a", "b", "a"]


def test_what_is_left_to_do_is_timed_once_for_jobs_that_need_the_same(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[object] = []
    measure = measuring.plan
    monkeypatch.setattr(measuring, "plan", lambda *given: planned.append(given) or measure(*given))
    task, job = StudyTask(JobCache()), overrides(place, "measure=no_head")
    plans = [task(compose(*job, "plan=true")), task(compose(*job, "plan=true", "memory_gb=1"))]
    assert len(planned) == 2, "another memory takes another time"
    assert task(compose(*job, "plan=true")) == plans[0]
    assert len(planned) == 2
    task(compose(*overrides(place, "measure=base")))
    assert task(compose(*job, "plan=true"))["missing"] == plans[0]["missing"] - NUM_PAIRS
    assert len(planned) == 3, "less is left"
