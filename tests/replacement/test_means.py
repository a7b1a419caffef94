"""Means over a reference set are those of each text read alone by plain transformers, and are computed once."""

from pathlib import Path

import pytest
import torch
from fixtures import cases, language_models
from fixtures.replacement import replaced
from torch import Tensor

from study.masking.stand_ins import Constant
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.parts import StoreError
from study.record.units import AttentionKind
from study.replacement.kept_means import kept_means
from study.replacement.make import Texts, replace_units, require_positions
from study.replacement.means import means
from study.replacement.options import Alike, LeaveOut, Mean, MeanByPosition

ENCODER, DECODER, CROSS = AttentionKind
SPECIAL = (2, 3)


def contexts(examples: Examples) -> list[tuple[Tensor, Tensor]]:
    """Token ids of each text, and what the output projection of layer 1 reads of it [T, H, D], in float64."""
    model, tokenizer, seen = cases.build(cases.CLASSIFIERS["bert"]), cases.tiny_tokenizer(), []
    projection = model.bert.encoder.layer[1].attention.output.dense
    projection.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0].double()))
    for texts in examples.texts:
        with torch.no_grad():
            model(**tokenizer(*texts, return_tensors="pt"))
    ids = [tokenizer(*texts, return_tensors="pt")["input_ids"][0] for texts in examples.texts]
    return [(own, context.unflatten(-1, (4, -1))) for own, context in zip(ids, seen, strict=True)]


def found(options: Mean | MeanByPosition) -> Tensor:
    subject = replaced.SUBJECTS["classifier bert"]()
    return means(subject, subject.encode(replaced.pairs()), options).of_heads[ENCODER, 1]


def kept(ids: Tensor, leave_out: LeaveOut) -> Tensor:
    place, special = torch.arange(len(ids)), torch.isin(ids, torch.tensor(SPECIAL))
    return {
        LeaveOut.none: place >= 0,
        LeaveOut.first: place > 0,
        LeaveOut.special: ~special,
        LeaveOut.first_and_special: (place > 0) & ~special,
    }[leave_out]


@pytest.mark.parametrize("leave_out", LeaveOut)
@pytest.mark.parametrize("alike", Alike)
def test_a_mean_is_over_tokens_or_over_the_means_of_texts(leave_out: LeaveOut, alike: Alike) -> None:
    own = [context[kept(ids, leave_out)] for ids, context in contexts(replaced.pairs())]
    expected = torch.cat(own).mean(0) if alike is Alike.tokens else torch.stack([one.mean(0) for one in own]).mean(0)
    torch.testing.assert_close(found(Mean(count_alike=alike, leave_out=leave_out))[0], expected.float())


def test_a_mean_by_position_is_over_the_texts_that_are_as_long() -> None:
    own = [context for _, context in contexts(replaced.pairs())]
    longest = max(map(len, own))
    expected = torch.stack([torch.stack([c[t] for c in own if len(c) > t]).mean(0) for t in range(longest)])
    torch.testing.assert_close(found(MeanByPosition()), expected.float())


def test_the_means_of_a_translator_are_of_its_references_where_its_decoder_reads() -> None:
    subject, seen = replaced.SUBJECTS["translator fsmt"](), []
    rows = subject.encode(replaced.examples("translator fsmt"))
    result = means(subject, rows, Mean(leave_out=LeaveOut.none))
    site = next(site for site in subject.gate.sites if (site.kind, site.layer) == (CROSS, 1))
    site.projection.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, 0].double()))
    for row in rows:
        subject.read(subject.passages(row))
    expected = torch.cat(seen).unflatten(-1, (3, -1)).mean(0)
    torch.testing.assert_close(result.of_heads[CROSS, 1][0], expected.float())


def test_a_mean_by_position_reads_every_alternative_of_a_choice() -> None:
    subject, seen = language_models.language_model("llama"), []
    examples = language_models.choices()
    rows = subject.encode(examples)
    result = means(subject, rows, MeanByPosition()).of_mlps[1]
    subject.gate.mlps[1].output.register_forward_hook(lambda _, __, output: seen.append(output[0].double()))
    with torch.no_grad():
        for row in rows:
            for request in row.requests[: row.choices]:
                subject.module(input_ids=torch.tensor([request.context + request.continuation]))
    shares = [1 / row.choices for row in rows for _ in range(row.choices)]
    for t in range(max(map(len, seen))):
        known = [(share, own[t]) for share, own in zip(shares, seen, strict=True) if len(own) > t]
        expected = sum(share * own for share, own in known) / sum(share for share, _ in known)
        torch.testing.assert_close(result[t], expected.float(), atol=1e-5, rtol=1e-5)


def test_a_choice_with_a_long_wrong_alternative_is_its_own_reference() -> None:
    subject, examples = language_models.language_model("llama"), language_models.choices(20)
    rows = subject.encode(examples)
    longer = [i for i, row in enumerate(rows) if subject.reach(row)[0] > len(row.requests[row.answer].read) + 1]
    assert longer
    replaced.standing(subject, MeanByPosition(), examples.take(longer[:1]))


def test_windows_of_a_text_count_each_token_once() -> None:
    subject = language_models.language_model("llama")
    rows = subject.encode(language_models.texts())
    result = means(subject, rows, Mean(leave_out=LeaveOut.none))
    seen: list[Tensor] = []
    subject.gate.mlps[1].output.register_forward_hook(lambda _, __, output: seen.append(output[0].double()))
    for row in rows:
        for passage in subject.passages(row):
            subject.read([passage])
            seen[-1] = seen[-1][passage.first_query :]
    torch.testing.assert_close(result.of_mlps[1][0], torch.cat(seen).mean(0).float())


def test_sums_of_half_precision_are_wide() -> None:
    subject = language_models.language_model("llama")
    subject.module.half()
    rows, seen = subject.encode(language_models.texts(2)), []
    result = means(subject, rows, Mean(leave_out=LeaveOut.none)).of_heads[DECODER, 0]
    subject.gate.sites[0].projection.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0].double()))
    for row in rows:
        for passage in subject.passages(row):
            subject.read([passage])
            seen[-1] = seen[-1][passage.first_query :]
    torch.testing.assert_close(result[0].flatten(), torch.cat(seen).mean(0).float(), atol=1e-3, rtol=1e-3)
    assert result.dtype == torch.float32


def test_a_mean_that_is_no_number_is_refused() -> None:
    subject = replaced.SUBJECTS["classifier bert"]()
    subject.gate.sites[0].projection.register_forward_pre_hook(lambda _, inputs: (inputs[0] * torch.inf,))
    with pytest.raises(InputError, match="layer 0 over the reference set is not a number"):
        means(subject, subject.encode(replaced.pairs()), Mean())


def test_a_text_longer_than_all_reference_texts_is_refused() -> None:
    subject, long = replaced.SUBJECTS["classifier bert"](), replaced.pairs()
    short = long.take([0])
    with pytest.raises(InputError, match="example 'e7' has 13 tokens, and the longest reference text 7"):
        replace_units(subject, MeanByPosition(), Texts("own", long, 1.0), Texts("short", short, 1.0), None)


def test_it_is_refused_before_a_mean_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    subject, long, path = replaced.SUBJECTS["classifier bert"](), replaced.pairs(), tmp_path / "abc.safetensors"
    studied, short = Texts("own", long, 1.0), Texts("short", long.take([0]), 1.0)
    replace_units(subject, MeanByPosition(), short, short, path)
    with pytest.raises(InputError, match="has 13 tokens, and the longest reference text 7"):
        replace_units(subject, MeanByPosition(), studied, short, path)
    monkeypatch.setattr("study.replacement.make.means", None)
    with pytest.raises(InputError, match="has 13 tokens, and the longest reference text 7"):
        replace_units(subject, MeanByPosition(), studied, short, None)
    with pytest.raises(InputError, match="has 13 tokens, and the longest reference text 7"):
        require_positions(subject, studied, short)


class Counter:
    """Computes means, and counts how often."""

    def __init__(self) -> None:
        self.subject, self.times = replaced.SUBJECTS["classifier bert"](), 0

    def __call__(self) -> Constant:
        self.times += 1
        return means(self.subject, self.subject.encode(replaced.pairs()), Mean())


def test_means_are_computed_once_and_read_back(tmp_path) -> None:
    compute, path = Counter(), tmp_path / "replacements" / "abc.safetensors"
    first = kept_means(path, compute.subject.gate, compute)
    again = kept_means(path, compute.subject.gate, compute)
    assert compute.times == 1
    assert all(torch.equal(first.of_heads[layer], again.of_heads[layer]) for layer in first.of_heads)
    assert [file.name for file in path.parent.iterdir()] == ["abc.safetensors"]


def test_means_of_something_else_are_refused(tmp_path) -> None:
    compute, path = Counter(), tmp_path / "abc.safetensors"
    kept_means(path, compute.subject.gate, compute)
    path.rename(tmp_path / "def.safetensors")
    with pytest.raises(StoreError, match=r"another model or reference set \(abc\)"):
        kept_means(tmp_path / "def.safetensors", compute.subject.gate, compute)
    path.write_bytes(b"half")
    with pytest.raises(StoreError, match="cannot be read"):
        kept_means(path, compute.subject.gate, compute)


def test_means_of_other_heads_are_refused(tmp_path) -> None:
    compute, path = Counter(), tmp_path / "abc.safetensors"
    kept_means(path, compute.subject.gate, compute)
    with pytest.raises(StoreError, match="other units"):
        kept_means(path, replaced.SUBJECTS["classifier gpt2"]().gate, compute)
