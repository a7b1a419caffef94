"""Many masks and sentences in one batch against one plain search for each mask and sentence alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures.cases import TRANSLATORS, build
from fixtures.translators import sentences, translator
from transformers import PreTrainedModel

from study.engine.batched_decoding.decoder import BatchedDecoder
from study.engine.batched_decoding.proof import largest_difference
from study.engine.pairs import Pairs
from study.engine.weights import translator as translator_module
from study.engine.weights.modules import UnsupportedModelError
from study.engine.weights.translator import translator_weights
from study.masking.gate import Gate
from study.masking.sites import find_sites
from study.masking.stand_ins import Zero
from study.record.examples import Examples
from study.record.units import HeadLayout
from study.subjects.decoding import top_tokens
from study.subjects.decoding.beam import BeamConfig, CachedDecoder, Hypotheses, search
from study.subjects.fairseq.folder import FairseqFolder

ARCHITECTURES = [name for name in TRANSLATORS if name != "t5"]
SOURCES = ((9, 12, 33, 7, 3), (40, 41, 3), (5, 6, 7, 8, 50, 51, 52, 3), (20, 3), (13, 14, 15, 16, 3))
LIMITS = (9, 6, 11, 1, 7)


def gated(architecture: str, seed: int = 0) -> tuple[PreTrainedModel, Gate]:
    module = build(TRANSLATORS[architecture], seed).requires_grad_(requires_grad=False)
    gate = Gate(find_sites(module, causal=False))
    for site in gate.sites:
        site.batch_dim = int(architecture == "fsmt")
    return module, gate


def padded(sources: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, sources))
    ids = torch.tensor([[*source, *[0] * (longest - len(source))] for source in sources])
    return ids, (torch.arange(longest) < torch.tensor([[len(source)] for source in sources])).long()


def alone(
    module: PreTrainedModel, gate: Gate, source: Sequence[int], mask: np.ndarray, rule: BeamConfig, limit: int
) -> Hypotheses:
    ids, present = padded([source])
    xi = torch.from_numpy(mask[None]).float()
    with gate.masked(xi):
        encoded = module.get_encoder()(input_ids=ids, attention_mask=present).last_hidden_state
    return search(CachedDecoder(module, gate, xi, encoded, present), rule, torch.tensor([limit]))


def single_heads_and_layers(layout: HeadLayout) -> np.ndarray:
    """The full mask, every head off, every head alone in its layer, every layer off."""
    return np.array([layout.full(), *layout.each_off(), *layout.each_alone(), *layout.each_layer_off()])


def arbitrary(layout: HeadLayout, number: int = 12) -> np.ndarray:
    """Random masks; some agree in all of the encoder, or in all of the decoder."""
    masks = np.random.default_rng(1).random((number, len(layout))) < 0.6
    encoder = slice(0, sum(layout.counts[layout.heads[0].kind]))
    masks[: number // 3, encoder] = masks[0, encoder]
    masks[number // 3 : number // 2, encoder.stop :] = masks[-1, encoder.stop :]
    return np.unique(masks, axis=0)


def agree(found: Hypotheses, row: int, expected: Hypotheses) -> bool:
    """Asserts that scores and margins are equal; whether the hypothesis could be compared."""
    assert found.margins[row].item() == pytest.approx(expected.margins[0].item(), abs=1e-4)
    if expected.margins[0] <= 1e-4:
        return False
    length = int(expected.lengths[0])
    assert found.tokens[row, : found.lengths[row]].tolist() == expected.tokens[0, :length].tolist()
    assert found.scores[row].item() == pytest.approx(expected.scores[0].item(), abs=1e-4)
    return True


EACH, EVERY = (single_heads_and_layers, 5, 0.05), (arbitrary, 1, 0.3)


@pytest.mark.parametrize(
    ("architecture", "masks_of", "beam", "share"),
    [
        ("fsmt", *EACH),
        ("m2m100", *EACH),
        ("bart", *EVERY),
        ("marian", *EVERY),
        *(
            pytest.param(name, *case, marks=pytest.mark.exhaustive)
            for case in (EACH, EVERY, (single_heads_and_layers, 1, 0.3), (arbitrary, 5, 0.3))
            for name in ARCHITECTURES
        ),
    ],
)
def test_every_pair_comes_out_as_alone(architecture: str, masks_of, beam: int, share: float) -> None:
    """Sentences of different lengths and limits; of one mask no pair is wanted, of each other one at least."""
    module, gate = gated(architecture)
    masks = masks_of(gate.layout)
    generator = np.random.default_rng(beam)
    wanted = generator.random((len(masks), len(SOURCES))) < share
    wanted[range(len(masks)), generator.integers(len(SOURCES), size=len(masks))] = True
    wanted[-1] = False
    rule = BeamConfig(beam=beam, lenpen=1.0, start=3, end=3, pad=0)
    weights = translator_weights(module, gate)
    decoder = BatchedDecoder(weights, gate.layout, Pairs(masks, wanted), *padded(SOURCES), Zero())
    pairs = np.argwhere(wanted)
    found = search(decoder, rule, torch.tensor([LIMITS[sentence] for _, sentence in pairs]))
    compared = [
        agree(found, row, alone(module, gate, SOURCES[sentence], masks[mask], rule, LIMITS[sentence]))
        for row, (mask, sentence) in enumerate(pairs)
    ]
    assert np.mean(compared) > 0.9
    assert len(set(found.lengths.tolist())) > 2


def test_the_order_of_masks_and_sentences_is_irrelevant() -> None:
    module, gate = gated("m2m100")
    masks, rule = single_heads_and_layers(gate.layout), BeamConfig(beam=3, lenpen=0.6, start=3, end=3, pad=0)
    generator = np.random.default_rng(0)
    wanted = generator.random((len(masks), len(SOURCES))) < 0.5
    order_M, order_E = generator.permutation(len(masks)), generator.permutation(len(SOURCES))
    ids, present = padded(SOURCES)
    weights = translator_weights(module, gate)
    limits = torch.full((int(wanted.sum()),), 8)
    found = search(BatchedDecoder(weights, gate.layout, Pairs(masks, wanted), ids, present, Zero()), rule, limits)
    shuffled = wanted[order_M][:, order_E]
    other = Pairs(masks[order_M], shuffled)
    decoder = BatchedDecoder(weights, gate.layout, other, ids[order_E], present[order_E], Zero())
    again = search(decoder, rule, limits)
    row = {(mask, sentence): row for row, (mask, sentence) in enumerate(np.argwhere(wanted).tolist())}
    for other, (mask, sentence) in enumerate(np.argwhere(shuffled)):
        here = row[int(order_M[mask]), int(order_E[sentence])]
        assert again.tokens[other].equal(found.tokens[here])
        assert again.scores[other].item() == pytest.approx(found.scores[here].item(), abs=1e-5)
        assert again.margins[other].item() == pytest.approx(found.margins[here].item(), abs=1e-5)


def test_words_filled_up_to_whole_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of large vocabularies are: nothing that fills them up is chosen or counted."""
    module, gate = gated("marian")
    plain = translator_weights(module, gate)
    monkeypatch.setattr(translator_module, "LARGE_VOCABULARY", 1)
    for file in (translator_module, top_tokens):
        monkeypatch.setattr(file, "BLOCK", 7)
    filled = translator_weights(module, gate)
    assert 0 < len(filled.words.weight) - len(plain.words.weight) < 7
    masks, rule = single_heads_and_layers(gate.layout), BeamConfig(beam=2, lenpen=1.0, start=3, end=3, pad=0)
    pairs = Pairs.every(masks, len(SOURCES))
    of_plain, of_filled = (
        BatchedDecoder(weights, gate.layout, pairs, *padded(SOURCES), Zero()) for weights in (plain, filled)
    )
    limits = torch.tensor(LIMITS).repeat(len(masks))
    expected, found = search(of_plain, rule, limits), search(of_filled, rule, limits)
    assert found.tokens.equal(expected.tokens)
    torch.testing.assert_close(found.scores, expected.scores)
    assert (
        BatchedDecoder(filled, gate.layout, pairs, *padded(SOURCES), Zero())
        .logprobs(torch.full_like(limits, 3))
        .isfinite()
        .all()
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_all_log_probabilities_of_a_given_target(architecture: str) -> None:
    """As the module gives them in one pass, without a cache; another model is noticed."""
    subject = translator(architecture)
    rows, masks = subject.encode(sentences()), arbitrary(subject.layout)
    assert largest_difference(translator_weights(subject.module, subject.gate), subject, rows, masks) < 1e-4
    assert largest_difference(translator_weights(*gated(architecture, seed=1)), subject, rows, masks) > 0.1


def test_what_cannot_be_split_is_named() -> None:
    module, gate = gated("t5")
    with pytest.raises(UnsupportedModelError, match="T5ForConditionalGeneration is none of FSMT"):
        translator_weights(module, gate)


@pytest.mark.real
@pytest.mark.slow
def test_ablation_of_a_real_model(real: Path) -> None:
    """Every head off by itself: no hypothesis differs from one search for each mask."""
    model = FairseqFolder(name="m", path=str(real / "models/multi30k-en-fr"), source_lang="en", target_lang="fr")
    subject = model.load(torch.device("cpu"))
    texts = (real / "data/multi30k/test_2016_flickr.en").read_text(encoding="utf-8").splitlines()[:1000:125]
    names = tuple(map(str, range(len(texts))))
    rows = subject.encode(Examples(names, tuple((text,) for text in texts), ("",) * len(texts)))
    masks = np.array([subject.layout.full(), *subject.layout.each_off()])
    pairs = Pairs.every(masks, len(rows))
    with torch.no_grad():
        weights = translator_weights(subject.module, subject.gate)
        decoder = BatchedDecoder(weights, subject.layout, pairs, *subject.padded(rows), Zero())
        found = search(decoder, subject.beam_config, subject.limits(rows).repeat(len(masks)))
    together = subject.columns(found, pairs.rows(rows))
    for i, mask in enumerate(masks):
        own = slice(i * len(rows), (i + 1) * len(rows))
        alone = subject.outcomes(rows, np.repeat(mask[None], len(rows), axis=0))
        clear = alone["margin"] > 1e-4
        assert clear.mean() > 0.7
        assert np.array(together["hypothesis"][own])[clear].tolist() == np.array(alone["hypothesis"])[clear].tolist()
        assert together["hypothesis_score"][own] == pytest.approx(alone["hypothesis_score"], abs=1e-4)
        assert together["margin"][own] == pytest.approx(alone["margin"], abs=1e-4)
