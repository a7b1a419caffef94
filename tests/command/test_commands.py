"""The command line: what it refuses and in which words, what it lists, and what it says without a word."""

import sys
from pathlib import Path

import pytest
from rich.console import Console

from study import __main__ as entry
from study.command import commands
from study.command.catalogue import GROUPS, needs, print_catalogue
from study.command.overrides import overrides_last
from study.config import FOLDERS, compose
from study.entries import entries_with, options
from study.jobs.task import StudyTask
from study.record.errors import InputError, Stopped
from study.training.training import Training


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("model=a --multirun data=b,c", "--multirun model=a data=b,c"),
        ("-m model=a ~tracking", "-m model=a ~tracking"),
        ("+x=1 --cfg job y=2", "--cfg job +x=1 y=2"),
        ("prune model=a --config-dir conf out=b", "prune --config-dir conf model=a out=b"),
    ],
)
def test_overrides_may_stand_on_both_sides_of_a_flag(typed: str, given: str) -> None:
    assert overrides_last(typed.split()) == given.split()


def refusal(words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    """What `study WORDS` says when it refuses; Hydra's own words must not stand beside it."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["study", *words.split()])
    with pytest.raises(SystemExit) as end:
        commands.run(words.split())
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("study: "), said
    for noise in ("Traceback", "Error executing", "search path", "use +", "full_key", "Error merging"):
        assert noise not in said
    return said.removeprefix("study: ").rstrip()


TOY = "model=toy_classifier data=toy_matched"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            "model.path=FOLDER data=nli_file data.path=x.tsv",
            "no model is chosen: model.path is an option of hf_classifier and fairseq_folder. Add model=hf_classifier",
        ),
        (
            "data=parallel_file model.path=x",
            "no model is chosen: model.path is an option of fairseq_folder and hf_classifier. Add model=fairseq_folder",
        ),
        (
            f"{TOY} model.path=x",
            "model.path is an option of hf_classifier and fairseq_folder; the model here is toy_cl",
        ),
        (f"{TOY} model.revision=x", "model.revision is an option of bert_mnli and hf_classifier; the model here is to"),
        (f"{TOY} model.beam=2", "model.beam is an option of fairseq_folder, "),
        (
            "model=toy_translator data=toy_news model.check_labels=false",
            "model.check_labels is an option of bert_mnli, ",
        ),
        (f"{TOY} data.path=x", "data.path is an option of nli_file; the data here is toy_matched"),
        (f"{TOY} tracking.project=x", "tracking.project is an option of wandb; the tracking here has none"),
        (
            f"{TOY} model.training.start=x",
            "model.training.start is an option of finetune; the training here has none. "
            "For example: training@model.training=finetune",
        ),
        (f"{TOY} measure.order=random", "measure.order is an option of pruning; the measure here has none"),
        (
            f"{TOY} hydra.launcher.processes=2",
            "hydra.launcher.processes is an option of local_pool; the launcher here is",
        ),
        (
            f"{TOY} hydra/launcher=local_pool hydra.launcher.pack=2",
            "hydra.launcher.pack is an option of slurm; the laun",
        ),
        ("data=toy_matched", "no model is chosen: add model=NAME, with one of bert_mnli, "),
        ("model= data=toy_matched", "no model is chosen: add model=NAME, with one of bert_mnli, "),
        ("modle=toy_classifier data=toy_matched", "there is no option 'modle'. Did you mean model"),
        ("model=toy_classifier dta=toy_matched measure=base", "there is no option 'dta'. Did you mean data"),
        ("model=toy_classifier measure=base", "no data is chosen: add data=NAME, with one of "),
        (
            f"{TOY} measure=pruning measure.order=oracel",
            "there is no measure/order 'oracel'. Did you mean oracle or im",
        ),
        (f"{TOY} measure=pruning measure.estimator=x", "measure.order.estimator=x: expected paper, released_code, sig"),
        (f"{TOY} measure=pruning measure.sedes=9", "there is no option 'measure.sedes'. Did you mean measure.seeds or"),
        (
            f"{TOY} measure=pruning measure.seeds=9",
            "measure.order.seeds is an option of random; the order here has none. For example: measure.order=random",
        ),
        (
            f"{TOY} measure=pruning measure.order=oracle,random measure.reverse=true -m",
            "measure.order.reverse is an option of ablation, ablation_loss, file and importance; the order here",
        ),
        (
            f"{TOY} measure/order=random measure=pruning measure.order.data=x",
            "measure.order.data is an option of ablat",
        ),
        (f"{TOY} measure.seeds=9", "measure.order is an option of pruning; the measure here has none"),
        (f"{TOY},toy_mismatched data.limit=abc -m", "data.limit=abc: expected a whole number"),
        (f"{TOY} data.limit=abc", "data.limit=abc: expected a whole number"),
        (f"{TOY} memory_gb=abc", "memory_gb=abc: expected a number"),
        (f"{TOY} plan=perhaps", "plan=perhaps: expected true or false"),
        (f"{TOY} precision=fp16", "precision=fp16: expected float32, bfloat16, screened"),
        (f"{TOY} measure.kinds=[cross]", "measure.kinds: 'cross' is none of ENCODER_SELF, DECODER_SELF, CROSS"),
        (f"{TOY} screening=3", "screening=3: screening has options of its own, screening.NAME=VALUE"),
        (f"{TOY} measur=", "there is no option 'measur'. Did you mean measure or measure.name or measure/order?"),
        (
            "model=bert_mnl data=toy_matched",
            "there is no model 'bert_mnl'. Did you mean bert_mnli or bert_mnli_finetune",
        ),
        (f"{TOY} hydra/launcher=slum", "there is no hydra/launcher 'slum'. Did you mean slurm?"),
        (
            "model=hf_classifier data=nli_file -m",
            "no value is given for data.path and model.path: add data.path=... mo",
        ),
        (f"{TOY},toy_mismatched", "data=toy_matched,toy_mismatched names several: add -m to run each of them"),
        ("prune model=toy_classifier", "no value is given for out: add out=... to the command"),
        ("prune model=toy_classifier ot=x", "there is no option 'ot'. Did you mean out"),
        ("prune model.path=x out=y", "no model is chosen: model.path is an option of fairseq_folder and hf_classifier"),
        (
            "analyse",
            "'analyse' is no command: expected list, fetch, prune, help, or overrides NAME=VALUE. Tables, figu",
        ),
        ("list nothing_of_this_name", "nothing is called 'nothing_of_this_name'"),
    ],
)
def test_a_wrong_word_is_refused_with_what_is_right(
    words: str, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = refusal(words, capsys, monkeypatch, tmp_path)
    assert said.startswith(says)
    assert "\n" not in said
    if "expected" in says:
        assert "option of" not in said, "a wrong value has nothing to do with other components"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["measure=base", "measure.kinds=[CROSS]"], "measure.kinds has no effect here: it chooses heads to mask"),
        (["measure=train", "measure.kinds=[CROSS]"], "measure.kinds has no effect here: it chooses heads to mask"),
        (["measure=importance", "measure.kinds=[CROSS]"], "measure.kinds has no effect here: .*each_head_off=true"),
        (
            ["measure=importance", "measure.epsilon=0.2"],
            "measure.epsilon has no effect here: it is of measure.loss=lab",
        ),
        (
            ["measure=pruning_random", "measure.loss=label_smoothed"],
            "measure.loss has no effect here: it is of measure.order=importance or ablation_loss or reestimated, and t",
        ),
        (["measure=pruning", "+measure.order.seeds=9"], "measure.order.seeds is an option of random"),
        (["screening.sample=9"], "screening.sample has no effect here: it is of precision=screened"),
        (["+model.path=x"], "model.path is an option of .*hf_classifier"),
        (["+nothing=x"], "there is no option 'nothing'"),
        (
            ["model.training.keep=[1,5]"],
            r"training.keep has 5, and the training ends after epoch 4: .*keep=\[1\] keeps",
        ),
        (["model.training.keep=[1,2]", "model.training.epochs=0"], "training.epochs=0: expected 1 or more"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(words: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        StudyTask().check(compose(*TOY.split(), *words))


@pytest.mark.parametrize(
    "words",
    [
        ["measure=importance", "measure.loss=label_smoothed", "measure.epsilon=0.2"],
        ["measure=importance", "measure.each_head_off=true", "measure.kinds=[ENCODER_SELF]"],
        ["measure=pruning_random", "measure.seeds=10"],
        ["measure=pruning", "measure.order=ablation_loss", "measure.loss=label_smoothed", "measure.epsilon=0.2"],
        ["precision=screened", "screening.sample=9"],
        ["model.training.keep=[1,4]"],
        ["+model.expected={other:{score:1,tolerance:2}}"],
    ],
)
def test_an_option_that_is_used_is_taken(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIXTEEN_HEADS_CACHE", str(tmp_path))
    StudyTask().check(compose(*TOY.split(), *words))


def test_a_revision_is_of_the_hub(tmp_path: Path) -> None:
    config = compose("model=hf_classifier", f"model.path={tmp_path}", "data=toy_matched", "model.revision=main")
    with pytest.raises(InputError, match=r"model.revision has no effect here: .* is a folder"):
        StudyTask().check(config)


def test_every_option_of_every_entry_is_found_by_its_name() -> None:
    assert entries_with("measure", "order") == ["pruning"]
    assert entries_with("measure/order", "seeds") == ["random"]
    assert entries_with("data", "documents") == ["parallel_file"]
    assert entries_with("training", "merges") == ["fairseq", "iwslt14_de_en", "toy_translator"]
    assert entries_with("model", "no_such_option") == []


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"], ["help"]])
def test_without_a_word_nothing_runs_and_help_is_shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    commands.run(words)
    said = capsys.readouterr().out
    assert all(f" {name} " in said for name in options("measure"))
    for wanted in ("study prune", "study list", "model=hf_classifier model.path=FOLDER", "python -m analysis"):
        assert said.index(wanted) < said.index("Measures (")
    assert "schema" not in said


def test_prune_has_a_help_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    commands.run(["prune", "--help"])
    assert "out=FOLDER" in capsys.readouterr().out


def catalogue(words: list[str], width: int = 80) -> str:
    console = Console(record=True, width=width)
    print_catalogue(words, console)
    return console.export_text()


def test_every_entry_has_one_line() -> None:
    lines = [line for line in catalogue([]).splitlines() if line.startswith("  ")]
    names = [name for group in GROUPS for name in options(group)]
    assert [line.split()[0] for line in lines] == names
    assert max(map(len, lines)) <= 80
    assert not any("http" in line or "cache" in line for line in lines)
    ready = {line.split()[0] for line in lines if " ready " in line}
    assert {"toy_news", "toy_matched"} <= ready
    assert "model.path=... " in next(line for line in lines if line.split()[0] == "hf_classifier")
    assert "2 more" in next(line for line in lines if line.split()[0] == "hf_finetuned")


def test_a_word_chooses_entries_and_a_name_shows_all_of_one() -> None:
    toys = [line.split()[0] for line in catalogue(["toy"]).splitlines() if line.startswith("  ")]
    assert toys == [name for group in GROUPS for name in options(group) if "toy" in name]
    whole = catalogue(["hf_classifier"])
    assert "Needs model.path=..." in whole
    assert "model.max_length=128" in whole
    assert "data=toy_matched,toy_mismatched" in catalogue(["toy_nli"])


@pytest.mark.parametrize(
    "words", ["list --config-dir FOLDER mine", "--config-dir FOLDER list mine", "-cd FOLDER list mine"]
)
def test_entries_of_a_folder_of_yours_are_listed(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.config.FOLDERS", FOLDERS)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("# A BERT of mine.\ndefaults: [hf_classifier, _self_]\npath: /no/x\n")
    commands.run(words.replace("FOLDER", str(tmp_path)).split())
    said = capsys.readouterr().out
    assert "A BERT of mine." in said
    assert "cannot be used: no folder '/no/x'" in said
    FOLDERS[1:] = []


def test_values_to_give_are_named_as_they_are_typed() -> None:
    assert needs("model", "hf_classifier") == "model.path=..."
    assert needs("model", "fairseq_trained").startswith("model.name=...; model.training.dev.source=...")
    assert needs("data", "toy_news") == "ready"


@pytest.mark.parametrize(
    ("stop", "says"),
    [
        (KeyboardInterrupt(), "study: stopped. What was computed is stored: the same command goes on from there\n"),
        (Stopped("The training begins anew"), "study: stopped. The training begins anew\n"),
    ],
)
def test_ctrl_c_says_what_is_kept(
    stop: KeyboardInterrupt, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise stop

    monkeypatch.setattr(commands, "_run", stopped)
    with pytest.raises(SystemExit) as end:
        entry.main()
    assert end.value.code == 130
    assert capsys.readouterr().err == says


def test_ctrl_c_while_python_imports_prints_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "study.command.commands":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "study.command.commands")
    monkeypatch.setattr(sys, "meta_path", [Slow(), *sys.meta_path])
    with pytest.raises(SystemExit):
        entry.main()
    assert capsys.readouterr().err == "study: stopped\n"


def test_the_epochs_to_keep_are_the_ones_at_fault() -> None:
    with pytest.raises(InputError, match="training.keep has 2, 3"):
        Training(epochs=1, keep=[0.5, 2.0, 3.0]).check()
