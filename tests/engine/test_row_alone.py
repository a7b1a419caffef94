"""The proof that rows do not depend on those beside them: found where they do, kept where they do not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures import cases
from torch import nn

from study.engine.choose import choose_engine
from study.engine.engine import Engine, OneMaskAtATime
from study.engine.precision import Precision, Screening
from study.engine.row_alone import proof
from study.engine.row_alone.proof import PROOF_FILE, RowAloneError, prove, read_proofs
from study.record.examples import Examples
from study.subjects.classifier import Classifier
from study.subjects.translator import DecodingOptions, Translator


class Counting(OneMaskAtATime):
    """Counts its runs."""

    runs = 0

    def run(self, *work):
        self.runs += 1
        return super().run(*work)


def texts(count: int = 20) -> Examples:
    """Texts of 2 to 12 numbers, which are words of both kinds of models."""
    words = np.random.default_rng(1).integers(4, 60, (count, 12))
    return Examples(
        ids=tuple(map(str, range(count))),
        texts=tuple((" ".join(map(str, row[: 2 + i % 11])),) for i, row in enumerate(words)),
        targets=tuple(" ".join(map(str, row[: 1 + i % 5])) for i, row in enumerate(words)),
    )


def labelled(count: int = 20) -> Examples:
    of = texts(count)
    words = tuple((" ".join(f"w{number}" for number in text.split()),) for (text,) in of.texts)
    return Examples(ids=of.ids, texts=words, targets=tuple(cases.LABELS[i % 3] for i in range(count)))


def classifier(name: str) -> Classifier:
    return cases.subject(cases.CLASSIFIERS[name], name)


def translator(name: str) -> Translator:
    module = cases.build(cases.TRANSLATORS[name])
    decoding = DecodingOptions(beam=2, lenpen=1.0, max_len_a=0.0, max_len_b=6)
    return Translator(module, cases.Numbers(), decoding, max_source=64, max_target=64, truncate=False, loaded=name)


def proved(engine: Engine, examples: Examples, folder: Path, precision: Precision = Precision.float32) -> None:
    prove(engine, examples, engine.subject.encode(examples), folder, precision)


@pytest.mark.parametrize("precision", Precision)
def test_a_classifier_is_proved_in_every_precision(tmp_path: Path, precision: Precision) -> None:
    engine = choose_engine(classifier("bert"), precision, Screening())
    proved(engine, labelled(), tmp_path, precision)
    ((way, proof),) = read_proofs(tmp_path).items()
    assert ("bfloat16" in way) == (precision is Precision.bfloat16)
    assert (proof["difference"] < 1e-5) == (precision is not Precision.bfloat16)


@pytest.mark.parametrize("name", ["bart", "t5", "fsmt"])
def test_a_translator_is_proved(tmp_path: Path, name: str) -> None:
    proved(choose_engine(translator(name), Precision.float32, Screening()), texts(), tmp_path)
    (proof,) = read_proofs(tmp_path).values()
    assert 0 < proof["difference"] < 1e-5
    assert (proof["shortest"], proof["longest"], proof["examples"]) == (3, 13, 8)


def mix_rows(part: nn.Module, share: float = 0.1) -> None:
    """Let each row of a batch see the others, as layers with a capacity for a batch do."""
    part.register_forward_hook(lambda *told: told[-1] + share * told[-1].mean(0, keepdim=True))


def forget_padding(part: nn.Module) -> None:
    """Let each token see how long the row is with its padding."""
    part.register_forward_hook(lambda *told: told[-1] * (1 + 0.01 * told[-1].shape[1]))


def test_a_classifier_whose_rows_mix_is_refused(tmp_path: Path) -> None:
    subject = classifier("gpt2")
    mix_rows(subject.module.get_input_embeddings())
    with pytest.raises(RowAloneError, match="something else among others than by itself .* of 4 to 14 tokens"):
        proved(OneMaskAtATime(subject, 4096), labelled(), tmp_path)
    assert not (tmp_path / PROOF_FILE).exists()


def test_float32_decides_where_bfloat16_is_too_coarse(tmp_path: Path) -> None:
    subject = classifier("gpt2")
    mix_rows(subject.module.get_input_embeddings(), share=20.0)
    with pytest.raises(RowAloneError, match="choose precision=float32$"):
        proved(OneMaskAtATime(subject, 4096), labelled(), tmp_path, Precision.bfloat16)


def test_a_translator_that_padding_changes_is_refused(tmp_path: Path) -> None:
    subject = translator("bart")
    forget_padding(subject.module.get_submodule("model.encoder.layers.0.fc1"))
    with pytest.raises(RowAloneError, match="cannot be studied"):
        proved(OneMaskAtATime(subject, 4096), texts(), tmp_path)


def test_an_engine_that_differs_on_the_examples_is_refused(tmp_path: Path) -> None:
    subject = classifier("bert")
    engine = choose_engine(subject, Precision.float32, Screening())
    positions = subject.module.get_parameter("bert.embeddings.position_embeddings.weight")
    with torch.no_grad():
        positions[10:] += 1.0  # the module alone reads it
        engine._pass.weights.layers[0].qkv.weight[:] *= 1.1  # pyright: ignore
    with pytest.raises(RowAloneError):
        proved(engine, labelled(), tmp_path)


def test_what_is_proved_is_not_proved_again(tmp_path: Path) -> None:
    engine = Counting(classifier("bert"), 4096)
    short = labelled(5)
    proved(engine, short, tmp_path)
    assert engine.runs == 1
    proved(engine, short, tmp_path)
    assert engine.runs == 1, "the same lengths"
    proved(engine, labelled(), tmp_path)
    assert engine.runs == 2, "longer examples"
    proved(engine, short, tmp_path)
    assert engine.runs == 2, "shorter ones again"
    (tmp_path / PROOF_FILE).write_text("{")
    proved(engine, short, tmp_path)
    assert engine.runs == 3, "a file that is not whole"


@pytest.mark.parametrize(("longest", "tried"), [(100, 8), (6_000, 4), (20_000, 2)])
def test_the_longer_the_examples_the_fewer_are_tried_and_always_the_shortest_and_the_longest(
    longest: int, tried: int
) -> None:
    lengths = np.linspace(1, longest, 60).astype(int).tolist()
    chosen = proof._spread(lengths)
    assert len(chosen) == tried
    assert {0, 59} <= set(chosen.tolist())
