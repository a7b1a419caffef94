"""Tests of a second domain for a translator: what moves, what is still to the bit, and each domain as a subject."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.fairseq.tuning import TOY, make_start, tuning
from safetensors.torch import load_file

from study.certification.certify import certify
from study.config import StudyConfig
from study.gates.options import HardConcrete
from study.jobs.cache import JobCache
from study.jobs.measuring import MeasuringJob
from study.jobs.second_task.job import SecondTaskJob
from study.measures.ablation import Base
from study.measures.orders import ImportanceOrder
from study.measures.orders.random import RandomOrder
from study.measures.second_task import SecondTask
from study.record.errors import InputError, Interruption
from study.record.training.history import read_history
from study.record.training.tasks import (
    FREE_FILE,
    FreeHeadsRecord,
    TaskChain,
    first_chain,
    read_results,
    read_tasks,
    write_free,
)
from study.reuse.options import AllWeights, BiasesAndNorms, FreeHeads, LaterTask, LowRank, OutputLayer, Weights
from study.subjects.fairseq.checkpoint import read_checkpoint
from study.subjects.fairseq.folder import FairseqFolder
from study.subjects.translator import Translator
from study.toy.sources import ToyTranslation
from study.toy.translation import TranslationDomain
from study.training.folder import training_folder
from study.training.trained_models import TunedTranslator
from study.training.trainer import STATE_FILE, Trainer
from study.training.translator.batches import token_pairs
from study.training.translator.initial import initial_translator
from study.training.translator.later_domain import domain_learner
from study.training.translator.loop import adam, token_loss, tune_translator
from study.training.translator.options import TranslatorTuning

DIALECT = {
    name: ToyTranslation(name=name, domain=TranslationDomain(name), count=count)
    for name, count in (("dialect_train", 200), ("dialect_valid", 20))
}
HEADS = tuple(
    f"{kind}.{layer}.{i}" for kind in ("encoder_self", "decoder_self", "cross") for layer in (0, 1) for i in range(4)
)
FREED = ("encoder_self.0.1", "encoder_self.0.3", "encoder_self.1.0", "decoder_self.1.2", "cross.0.0", "cross.1.3")
D, SIZE = 16, 4
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start")
    make_start(folder)
    return folder


@pytest.fixture(scope="module")
def taught(start: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The last checkpoint of a model of either kind that was taught the dialect."""
    folder = tmp_path_factory.mktemp("taught")
    return {kind: teach(whole_training(start, kind), folder / kind) for kind in ("post", "pre")}


def whole_training(start: Path, kind: str) -> TranslatorTuning:
    """How these are trained: ten updates with dropout; the biases of one kind stay."""
    reuse = reusing(FreeHeads, biases=kind == "post")
    return later(start / f"{kind}.pt", reuse, updates=10, dropout=0.2, save_every=2)


def later(start: Path, reuse: LaterTask, **changes: Any) -> TranslatorTuning:
    """Six updates in which a model of the language learns the dialect."""
    given = {"train": DIALECT["dialect_train"], "dev": DIALECT["dialect_valid"], "updates": 6, "epochs": 1}
    return tuning(start, reuse=reuse, **{**given, "learning_rate": 5e-3, "weight_decay": 0.1, **changes})


def reusing(kind: type[LaterTask], **options: Any) -> LaterTask:
    known = {"earlier": "language", "task": "dialect", **options}
    chooses = kind(**known).uses_free_heads
    return kind(order=RandomOrder(), free=0.25, **known) if chooses else kind(order=ImportanceOrder(), **known)


def give(
    training: TranslatorTuning, folder: Path, freed: Sequence[str] = FREED, chain: TaskChain | None = None
) -> None:
    """Write which heads are free, as a job does."""
    chain = chain or first_chain(HEADS, "language", "translation")
    before = chain.latest.on
    on = "".join("0" if head in freed else was for head, was in zip(HEADS, before, strict=True))
    with training_folder(folder, training.identity()):
        record = FreeHeadsRecord(training.id, chain.latest.name, HEADS, chain.candidates(), tuple(freed), before, on)
        write_free(record, folder / FREE_FILE)


def teach(training: TranslatorTuning, folder: Path, *given: Any) -> Path:
    """The last checkpoint of a training."""
    if training.reuse.uses_free_heads:
        give(training, folder, *given)
    tune_translator(training, folder, "cpu", 1)
    return folder / "checkpoint1.pt"


def subject(checkpoint: Path, task: str = "") -> Translator:
    return folder_model(checkpoint, task).load(CPU)


def folder_model(checkpoint: Path, task: str = "") -> FairseqFolder:
    place = {"path": str(checkpoint.parent), "checkpoint": checkpoint.name, "task_name": task}
    return FairseqFolder(name="", source_lang="en", target_lang="fr", max_len_b=12, **place)


def translations(translator: Translator, mask: str = "1" * 24) -> dict[str, Any]:
    rows = translator.encode(TOY["valid"].examples())
    return translator.outcomes(rows, np.array([[x == "1" for x in mask]] * len(rows)))


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Hypotheses, scores and margins, to the last bit."""
    assert found.keys() == expected.keys()
    for name, column in found.items():
        assert np.array_equal(column, expected[name]), name


def assert_learned(checkpoint: Path) -> None:
    """The second domain has the loss on its dev data that the training ended with, which is less than at first."""
    dialect = subject(checkpoint, "dialect")
    losses = dialect.reference_losses(dialect.encode(DIALECT["dialect_valid"].examples()))
    began, ended = (read_history(checkpoint.parent)[i].dev_loss for i in (0, -1))
    assert float(losses.sum()) / int((losses > 0).sum()) == pytest.approx(ended, rel=1e-5)
    assert ended < began


def free_places(name: str, shape: torch.Size, *, biases: bool = True) -> torch.Tensor:
    """Where a tensor of this name belongs to the free heads, found anew from their addresses."""
    free = torch.zeros(shape, dtype=torch.bool)
    kinds = {("encoder", "self_attn"): "encoder_self", ("decoder", "self_attn"): "decoder_self"}
    found = re.fullmatch(r"model\.(\w+)\.layers\.(\d)\.(self_attn|encoder_attn)\.(\w+)_proj\.(weight|bias)", name)
    if found is None or (found[4] == "out" and found[5] == "bias") or (found[5] == "bias" and not biases):
        return free
    kind = kinds.get((found[1], found[3]), "cross")
    for index in (int(head[-1]) for head in FREED if head.startswith(f"{kind}.{found[2]}.")):
        place = slice(index * SIZE, (index + 1) * SIZE)
        free[(slice(None), place) if found[4] == "out" else place] = True
    return free


@pytest.mark.parametrize(("kind", "biases"), [("post", True), ("pre", False)])
def test_only_the_numbers_of_free_heads_move(start: Path, taught: dict[str, Path], kind: str, biases: bool) -> None:
    """All of them do, in attention of three kinds; no other bit of the checkpoint is changed, by decay or otherwise."""
    checkpoint = taught[kind]
    before, after = read_checkpoint(start / f"{kind}.pt"), read_checkpoint(checkpoint)
    assert before.weights.keys() == after.weights.keys()
    assert before.settings == after.settings
    moved = 0
    for name, tensor in after.weights.items():
        free = free_places(name, tensor.shape, biases=biases)
        assert torch.equal(tensor[~free], before.weights[name][~free]), name
        changed = (tensor != before.weights[name])[free]
        assert name.endswith("k_proj.bias") or changed.all(), name  # no score depends on a key's bias
        moved += free.sum().item()
    record = read_tasks(checkpoint.with_suffix(".tasks.json")).latest
    assert moved == record.parameters == len(FREED) * (4 * D * SIZE + 3 * SIZE * biases)
    tied = [after.weights[f"model.{side}.embed_tokens.weight"].data_ptr() for side in ("encoder", "decoder")]
    assert len({*tied, after.weights["lm_head.weight"].data_ptr()}) == 1


def test_gradients_are_those_of_the_whole_model_at_the_free_heads(start: Path, tmp_path: Path) -> None:
    training = later(start / "post.pt", reusing(FreeHeads))
    give(training, tmp_path)
    plain = initial_translator(replace(training, reuse=tuning(start / "post.pt").reuse), CPU)
    begun = initial_translator(training, CPU)
    learner = domain_learner(training, begun, tmp_path)
    pairs = token_pairs(begun.translator, DIALECT["dialect_train"].examples())
    losses = [token_loss(each.translator.module, pairs, range(20), 0.1) for each in (plain, begun)]
    assert torch.equal(*losses)
    for loss in losses:
        loss.backward()
    whole = {
        name: weights.grad for name, weights in plain.translator.module.named_parameters() if weights.grad is not None
    }
    optimized = {id(x) for group in adam(training, begun.translator.module, None).param_groups for x in group["params"]}
    count = 0
    for name, slice_ in begun.translator.module.named_parameters():
        if id(slice_) in optimized:
            plain_name = name.replace(".parametrizations", "").removesuffix(".original")
            at = free_places(plain_name, whole[plain_name].shape)
            assert torch.allclose(slice_.grad.flatten(), whole[plain_name][at], rtol=1e-5, atol=1e-8), name
            count += slice_.numel()
    assert count == len(FREED) * (4 * D * SIZE + 3 * SIZE)
    assert learner.on == "1" * 24


@pytest.mark.parametrize("kind", ["post", "pre"])
def test_the_first_domain_is_its_masked_model_and_the_second_what_was_learned(
    start: Path, taught: dict[str, Path], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """To the last bit of each translation; both are certified subjects with identities of their own."""
    checkpoint, training = taught[kind], whole_training(start, kind)
    chain = read_tasks(checkpoint.with_suffix(".tasks.json"))
    first, second = chain.tasks
    assert (first.name, second.name, chain.exact) == ("language", "dialect", True)
    assert {head for head, on in zip(HEADS, first.on, strict=True) if on == "0"} == {*FREED}
    assert (second.on, second.taught, second.training, second.updates) == ("1" * 24, FREED, training.id, 10)
    language, dialect = (subject(checkpoint, name) for name in ("language", "dialect"))
    assert_same(translations(language), translations(subject(start / f"{kind}.pt"), first.on))
    assert certify(dialect).largest_difference < 1e-4
    assert {str(head) for head in certify(language).dead} == {*FREED}
    assert "dead heads" not in caplog.text, "they are off for the language on purpose"
    assert_learned(checkpoint)
    ids = {name: folder_model(checkpoint, name).identity()["checkpoint"] for name in ("language", "dialect", "")}
    assert ids["dialect"] == ids[""] != ids["language"]


def test_what_is_taught_to_free_heads_does_not_change_the_other_domains_identity(
    start: Path, taught: dict[str, Path], tmp_path: Path
) -> None:
    runs = taught["post"], teach(later(start / "post.pt", reusing(FreeHeads), seed=2), tmp_path)
    for name, same in (("language", True), ("dialect", False)):
        one, other = (folder_model(run, name).identity()["checkpoint"] for run in runs)
        assert (one == other) is same


def test_biases_and_norms_are_of_each_domain_its_own(start: Path, tmp_path: Path) -> None:
    """The checkpoint stays that of the first domain; the free heads are off for the second where that is asked."""
    reuse = reusing(BiasesAndNorms, free_on=False)
    checkpoint = teach(later(start / "post.pt", reuse), tmp_path / "run")
    before, after = read_checkpoint(start / "post.pt").weights, read_checkpoint(checkpoint).weights
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.items())
    first, second = read_tasks(checkpoint.with_suffix(".tasks.json")).tasks
    assert (first.on, first.file, second.file) == ("1" * 24, "", "checkpoint1.task1.safetensors")
    assert {head for head, on in zip(HEADS, second.on, strict=True) if on == "0"} == {*FREED}
    vectors = [name for name, tensor in before.items() if tensor.ndim == 1]
    assert second.parameters == sum(before[name].numel() for name in vectors)
    assert_same(translations(subject(checkpoint, "language")), translations(subject(start / "post.pt")))
    assert_learned(checkpoint)


def test_low_rank_updates_are_added_to_projections_of_the_second_domain(start: Path, tmp_path: Path) -> None:
    """In a file of its own, loaded without peft; its translations are those that were learned."""
    pytest.importorskip("peft")
    checkpoint = teach(later(start / "pre.pt", reusing(LowRank, rank=2)), tmp_path)
    before, after = read_checkpoint(start / "pre.pt").weights, read_checkpoint(checkpoint).weights
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.items())
    own = load_file(tmp_path / "checkpoint1.task1.safetensors")
    assert set(own) == {name for name in before if re.search(r"_attn\.(q|k|v|out)_proj\.weight$", name)}
    assert all(np.linalg.matrix_rank((own[name] - before[name]).numpy(), 1e-6) == 2 for name in own)
    assert read_tasks(checkpoint.with_suffix(".tasks.json")).latest.parameters == len(own) * 2 * 2 * D
    assert_learned(checkpoint)


def test_all_weights_move_together_and_positions_stay(start: Path, tmp_path: Path) -> None:
    checkpoint = teach(later(start / "pre.pt", reusing(AllWeights)), tmp_path)
    before, after = read_checkpoint(start / "pre.pt").weights, read_checkpoint(checkpoint).weights
    assert all(name.endswith("k_proj.bias") or not torch.equal(x, before[name]) for name, x in after.items())
    chain = read_tasks(checkpoint.with_suffix(".tasks.json"))
    assert (chain.exact, [task.file for task in chain.tasks]) == (False, ["", ""])
    assert_same(translations(subject(checkpoint, "language")), translations(subject(checkpoint, "dialect")))


def test_a_third_domain_takes_heads_of_the_second_alone(taught: dict[str, Path], tmp_path: Path) -> None:
    second = taught["post"]
    chain = read_tasks(second.with_suffix(".tasks.json"))
    training = later(second, reusing(FreeHeads, task="third"), seed=3)
    third = teach(training, tmp_path / "third", FREED[1:3], chain)
    found = read_tasks(third.with_suffix(".tasks.json"))
    assert [task.name for task in found.tasks] == ["language", "dialect", "third"]
    assert found.tasks[0] == chain.tasks[0]
    assert {found.tasks[1].on[i] for i, head in enumerate(HEADS) if head in FREED[1:3]} == {"0"}
    assert_same(translations(subject(third, "language")), translations(subject(second, "language")))
    assert_same(translations(subject(third, "dialect")), translations(subject(second, "dialect"), found.tasks[1].on))
    with pytest.raises(InputError, match="cannot be freed"):
        teach(replace(training, seed=4), tmp_path / "wrong", ("cross.0.1",), chain)


def test_stopped_twice_and_run_again_ends_with_the_same_bytes(
    start: Path, taught: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, whole, stopped = whole_training(start, "post"), taught["post"], tmp_path / "stopped"
    give(training, stopped)
    update = Trainer.update
    for last in (3, 7):

        def until(trainer: Trainer, batch: Sequence[int], last: int = last) -> None:
            if trainer.step == last:
                raise KeyboardInterrupt
            update(trainer, batch)

        monkeypatch.setattr(Trainer, "update", until)
        with pytest.raises(Interruption):
            tune_translator(training, stopped, "cpu", 1)
        assert (stopped / STATE_FILE).is_file()
    monkeypatch.setattr(Trainer, "update", update)
    tune_translator(training, stopped, "cpu", 1)
    for name in ("checkpoint1.pt", "checkpoint1.tasks.json"):
        assert (stopped / name).read_bytes() == (whole.parent / name).read_bytes(), name


def random_model(start: Path, folder: Path) -> Path:
    """A model of random weights of its own, before its first update."""
    training = tuning(start / "post.pt", scratch=True, seed=9, keep=[0], updates=1, warmup_updates=0)
    tune_translator(training, folder, "cpu", 1)
    return folder / "checkpoint0.pt"


def test_free_heads_begin_silent_or_as_those_of_another_model(start: Path, tmp_path: Path) -> None:
    """Before the first update: columns of the output projection are zero, or all of their numbers are the other's."""
    other = random_model(start, tmp_path / "other").rename(start / "other.pt")
    before, another = (read_checkpoint(path).weights for path in (start / "post.pt", other))
    for source in (Weights.zero_output, Weights.pretrained):
        given = {"pretrained": str(other)} if source is Weights.pretrained else {}
        training = later(start / "post.pt", reusing(FreeHeads, heads_from=source, **given), keep=[0])
        teach(training, tmp_path / source)
        for name, tensor in read_checkpoint(tmp_path / source / "checkpoint0.pt").weights.items():
            free = free_places(name, tensor.shape)
            assert torch.equal(tensor[~free], before[name][~free]), name
            if source is Weights.pretrained:
                assert torch.equal(tensor[free], another[name][free]), name
            else:
                assert not name.endswith("out_proj.weight") or not tensor[free].any(), name


@pytest.mark.parametrize(
    ("reuse", "changes", "says"),
    [
        (reusing(OutputLayer), {}, "no domain has an output layer of its own"),
        (reusing(FreeHeads, pooler=False), {}, "a translator has no pooler"),
        (reusing(FreeHeads), {"scratch": True}, r"training\.scratch=true does not go with reuse=free_heads"),
        (reusing(FreeHeads), {"gates": HardConcrete()}, "gates=hard_concrete does not go with"),
    ],
)
def test_what_a_translator_cannot_do_is_refused(
    start: Path, reuse: LaterTask, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        later(start / "post.pt", reuse, **changes).check()


def test_a_body_that_never_saw_the_first_domain_has_the_second_alone(start: Path, tmp_path: Path) -> None:
    """The first domain's heads are still chosen; a model of other words is refused early, one of another size too."""
    other = random_model(start, tmp_path / "other")
    reuse = reusing(FreeHeads, body=Weights.pretrained, pretrained=str(other))
    checkpoint = teach(later(start / "post.pt", reuse), tmp_path / "run")
    chain = read_tasks(checkpoint.with_suffix(".tasks.json"))
    assert [task.name for task in chain.tasks] == ["dialect"]
    before = read_checkpoint(other).weights
    for name, tensor in read_checkpoint(checkpoint).weights.items():
        free = free_places(name, tensor.shape)
        assert torch.equal(tensor[~free], before[name][~free]), name
    with pytest.raises(InputError, match="is of another architecture"):
        teach(later(start / "pre.pt", reuse), tmp_path / "pre")
    (tmp_path / "other/dict.en.txt").write_text("other 1\n")
    with pytest.raises(InputError, match="has other dictionaries or BPE codes"):
        later(start / "post.pt", reuse).check()


def test_a_domain_that_is_not_there_is_refused(start: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.task_name=dialect: .*post\.pt is a model of one task"):
        folder_model(start / "post.pt", "dialect").identity()
    checkpoint = teach(later(start / "post.pt", reusing(BiasesAndNorms)), tmp_path / "run")
    with pytest.raises(InputError, match="the model to start from has several tasks"):
        tuning(checkpoint).check()
    with pytest.raises(InputError, match="there is no task 'news': the model has"):
        folder_model(checkpoint, "news").load(CPU)
    own = tmp_path / "run/checkpoint1.task1.safetensors"
    own.write_bytes(own.read_bytes()[:-4] + b"\0\1\2\3")
    with pytest.raises(InputError, match="are not those"):
        subject(checkpoint, "dialect")


def test_the_second_domain_is_measured_beside_the_model_before(
    start: Path, taught: dict[str, Path], tmp_path: Path
) -> None:
    """A translator has no output layer of its own: the model before translates the same data, in the same search."""
    training = replace(whole_training(start, "post"), folder=str(taught["post"].parent))
    model = TunedTranslator(name="then", training=training, source_lang="en", target_lang="fr", beam=2, max_len_b=12)
    data = replace(DIALECT["dialect_valid"], limit=6)
    study = StudyConfig(model=model, data=data, measure=SecondTask(), results=str(tmp_path), device="cpu")
    job = SecondTaskJob(study, JobCache())
    job.run()
    (result,) = read_results(job.setting.folder(tmp_path))
    before = FairseqFolder(name="", path=str(start), checkpoint="post.pt", source_lang="en", target_lang="fr", beam=2)
    expected = MeasuringJob(replace(study, model=replace(before, max_len_b=12), measure=Base()), JobCache())
    assert (result.start, result.proof) == (expected.setting.id, None)
    assert expected.evaluator.stored().scores(np.ones((1, 24), bool)) == [expected.run()["base"]]
