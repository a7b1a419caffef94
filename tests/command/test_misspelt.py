"""What the command line refuses, and in which words."""

import re
import sys
from pathlib import Path

import pytest

from study.command import command_line


def refusal(words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    """What `study WORDS` says when it refuses; Hydra's own words must not stand beside it."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["study", *words.split()])
    with pytest.raises(SystemExit) as end:
        command_line.run(words.split())
    assert end.value.code == 1
    said = re.sub(r"^[\d:]+ ([2-9]|\d\d+) jobs: all are looked at before .*\n", "", capsys.readouterr().err)
    assert said.startswith("study: "), said
    for noise in ("Traceback", "Error executing", "search path", "use +", "full_key", "Error merging"):
        assert noise not in said
    return said.removeprefix("study: ").rstrip()


TOY = "model=toy_classifier data=toy_matched"
GATED = "model=toy_gated data=toy_matched measure=train"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            f"{TOY} replacement.data=snli",
            "replacement.data is an option of mean, mean_by_position and resample; the replacement here has none",
        ),
        (
            f"{TOY} -m replacement=mean,resample replacement.data=snli",
            "replacement.data is an option of mean, mean_by_position and resample; those here cannot all take it in "
            "one sweep: give each replacement a command of its own",
        ),
        (f"{TOY} +measure.unti=head", "there is no option 'measure.unti'. Did you mean measure.unit"),
        (
            "model.path=FOLDER data=nli_file data.path=x.tsv",
            "no model is chosen: model.path is an option of hf_classifier, ",
        ),
        (
            "data=parallel_file model.path=x",
            "no model is chosen: model.path is an option of fairseq_folder, hf_classifier, ",
        ),
        (
            f"{TOY} model.path=x",
            "model.path is an option of hf_classifier, ",
        ),
        (f"{TOY} model.revision=x", "model.revision is an option of bert_mnli, hf_classifier, "),
        (f"{TOY} model.beam=2", "model.beam is an option of fairseq_finetuned, fairseq_folder, "),
        (
            "model=toy_translator data=toy_news model.check_labels=false",
            "model.check_labels is an option of bert_cola_finetuned, bert_mnli, ",
        ),
        (
            f"{TOY} data.path=x",
            "data.path is an option of nli_file, choices_file, pairs_file, text_file and ud_file; the da",
        ),
        (f"{TOY} tracking.project=x", "tracking.project is an option of wandb; the tracking here has none"),
        (
            f"{TOY} model.training.start=x",
            "model.training.start is an option of finetune, finetune_classifier, toy_gated, toy_seeds, ",
        ),
        (
            f"{TOY} model.training.gates.keep=6",
            "model.training.gates.keep is an option of kept and subset; the gates here has none. For example: "
            "model.training.gates=kept",
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
        ("data=toy_matched", "no model is chosen: add model=NAME, with one of the "),
        ("model= data=toy_matched", "no model is chosen: add model=NAME, with one of the "),
        ("modle=toy_classifier data=toy_matched", "there is no option 'modle'. Did you mean model"),
        ("model=toy_classifier dta=toy_matched measure=base", "there is no option 'dta'. Did you mean data"),
        ("model=toy_classifier measure=base", "no data is chosen: add data=NAME, with one of "),
        (
            f"{TOY} measure=pruning measure.order=oracel",
            "there is no measure.order 'oracel'. Did you mean oracle or im",
        ),
        (
            f"{TOY} measure=pruning measure/order=oracel",
            "there is no measure/order 'oracel'. Did you mean oracle or im",
        ),
        (f"{TOY} measure=pruning measure.order=null", "measure.order=null chooses nothing: expected one of ablation, "),
        (f"{TOY} measure=pruning measure/order=null", "measure/order=null chooses nothing: expected one of ablation, "),
        ("model=toy_gated data=toy_matched model@model.training.origin=null", "model@model.training.origin=null cho"),
        ("model=null data=toy_matched", "model=null chooses nothing: expected one of the "),
        (f"{TOY} measure=[ablation,no_head]", "measure=[ablation,no_head] is a list, and a job has one: measure=ablat"),
        (f"{TOY} measure=[ablation,b]", "measure=[ablation,b] is no name: expected one of ablation, "),
        (f"{TOY} cascade.sampel=3", "there is no option 'cascade.sampel'. Did you mean cascade.sample?"),
        ("model=toy_gated data=toy_matched model.training.gates=null", "model.training.gates=null chooses nothing: "),
        (f"{TOY} hydra/launcher=null", "hydra/launcher=null chooses nothing: expected one of serial, local_pool"),
        (f"{TOY} measure=3", "measure=3 is no name: expected one of ablation, "),
        (f"{TOY} measure={{}}", "measure={} is no name: expected one of ablation, "),
        ("model=toy_classifier data=true", "data=true is no name: expected one of "),
        (f"{TOY} measure=null", "measure=null chooses nothing: expected one of ablation, "),
        (f"{TOY} measure=pruning measure.estimator=x", "measure.estimator=x: expected paper, released_code, sig"),
        (f"{TOY} measure=pruning measure.sedes=9", "there is no option 'measure.sedes'. Did you mean measure.seeds or"),
        (
            f"{GATED} model.training.gates.penalti=1",
            "there is no option 'model.training.gates.penalti'. Did you mean model.training.gates.penalty?",
        ),
        (
            f"{GATED} gates.penalty=1",
            "there is no option 'gates.penalty'. Did you mean model.training.gates.penalty?",
        ),
        (f"{GATED} gates=subset", "there is no option 'gates'. Did you mean model.training.gates or measure.gates?"),
        (
            f"{TOY} training.learning_rate=1",
            "there is no option 'training.learning_rate'. Did you mean model.training.learning_rate?",
        ),
        (f"{TOY} measure=pruning order=oracle", "there is no option 'order'. Did you mean measure.order or model."),
        (
            f"{GATED} model.training.gates=kept model.training.gates.keep=6 model.training.gates.order.estimater=x",
            "there is no option 'model.training.gates.order.estimater'. Did you mean model.training.gates.order.est",
        ),
        (
            f"{TOY} measure=pruning measure.seeds=9",
            "measure.seeds is an option of random; the order here has none. For example: measure.order=random",
        ),
        (
            f"{TOY} measure=pruning measure.order=oracle,random measure.reverse=true -m",
            "measure.reverse is an option of ablation, ablation_loss, file and importance; those here cannot",
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
        (f"{TOY} measur=", "there is no option 'measur'. Did you mean measure or measure.unit or measure.name?"),
        (
            "model=bert_mnl data=toy_matched",
            "there is no model 'bert_mnl'. Did you mean bert_mnli or bert_mnli_gated or bert_mnli_fi",
        ),
        (f"{TOY} hydra/launcher=slum", "there is no hydra/launcher 'slum'. Did you mean slurm?"),
        (
            "model=hf_classifier data=nli_file -m",
            "no value is given for data.path and model.path: add data.path=... mo",
        ),
        (f"{TOY},toy_mismatched", "data=toy_matched,toy_mismatched names several: add -m to run each of them"),
        ("prune model=toy_classifier", "no value is given for out: add out=... to the command"),
        ("prune model=toy_classifier ot=x", "there is no option 'ot'. Did you mean out"),
        (
            "prune model.path=x out=y",
            "no model is chosen: model.path is an option of fairseq_folder, hf_classifier, ",
        ),
        (
            "analyse",
            "'analyse' is no command: expected list, fetch, prune, help, or overrides NAME=VALUE. Tables, figu",
        ),
        ("list nothing_of_this_name", "nothing is called 'nothing_of_this_name'"),
        ("list gtes", "nothing is called 'gtes'. Did you mean gates?"),
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


def composes(words: list[str], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether Hydra composes a job of these words; none is run."""
    monkeypatch.setattr(sys, "argv", ["study"])
    try:
        command_line.run([*words, "--cfg", "job"])
    except SystemExit:
        return False
    return True


@pytest.mark.parametrize(
    "words",
    [
        "model.path=FOLDER data=nli_file data.path=x.tsv",
        f"{TOY} measure=pruning measure.seeds=9",
        f"{TOY} measure.order=random",
        f"{TOY} model.training.start=x",
        f"{TOY} tracking.project=x",
        f"{TOY} measure=pruning measure.sedes=9 measure/order=random",
        f"{TOY} measure=pruning measure.order=oracel",
        f"{GATED} gates.penalty=1",
        f"{TOY} hydra/launcher=slum",
        f"{TOY} measure.kinds=cross",
    ],
)
def test_what_is_advised_can_be_done(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not composes(words.split(), monkeypatch)
    said = capsys.readouterr().err
    mended = words.split()
    if advice := re.search(r"(?:For example: |Add )([\w/@.]+=\w+)", said):
        mended.append(advice[1])
    elif advice := re.search(r"Did you mean ([\w/.]+)", said):
        wrong = re.search(r"'([\w.]+)'", said)
        assert wrong, said
        mended = [word.replace(wrong[1], advice[1]) for word in mended]
    else:
        advice = re.search(r"([\w.]+=\[.*\])$", said)
        assert advice, said
        mended[-1] = advice[1].replace("cross", "CROSS")
    assert composes(mended, monkeypatch), (mended, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("file", "head", "words"),
    [
        ("measure/mine.yaml", "defaults:\n  - pruning\n", f"{TOY} measure=mine"),
        (
            "experiment/mine.yaml",
            "# @package _global_\ndefaults:\n  - override /model: toy_classifier\n  - override /data: toy_matched\n"
            "  - override /measure: pruning\n",
            "experiment=mine",
        ),
    ],
)
def test_an_order_in_a_file_of_the_users_gets_advice_that_fits_its_place(
    file: str,
    head: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "conf" / file
    path.parent.mkdir(parents=True)
    rest = "measure:\n  order: oracle\n" if file.startswith("experiment") else "order: oracle\n"
    path.write_text(f"{head}{rest}")
    command = ["--config-dir", str(tmp_path / "conf"), *words.split()]
    assert not composes(command, monkeypatch)
    advice = re.search(r"`(- override [\w/]+: \w+)`, and `order: oracle` goes", capsys.readouterr().err)
    assert advice
    path.write_text(f"{head}  {advice[1]}\n")
    assert composes(command, monkeypatch), capsys.readouterr().err
    assert "name: oracle" in capsys.readouterr().out
