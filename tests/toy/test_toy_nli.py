"""Tests of the toy NLI language: labels against a second, concrete semantics; balance; domains."""

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import combinations_with_replacement, product

import pytest

from study.toy import nli
from study.toy.nli import NliDomain, nli_examples
from study.toy.nli_lexicon import NOUN_KINDS, OPPOSITES, POSTURES, TRANSITIVES

LEAVES = {noun: {noun} for members in NOUN_KINDS.values() for noun in members} | {
    kind: set(members) for kind, members in NOUN_KINDS.items()
}
VERB_LEAVES = {verb.active: set(verb.covers or (verb.active,)) for verb in TRANSITIVES}
POSTURE_LEAVES = {leaf: {leaf} for leaves in POSTURES.values() for leaf in leaves} | {
    cover: set(leaves) for cover, leaves in POSTURES.items()
}
ACTIVE = {verb.passive: verb.active for verb in TRANSITIVES}
NOUN = rf"(?:(?P<%s_adj>{'|'.join(a for pair in OPPOSITES for a in pair)}) )?(?P<%s>{'|'.join(LEAVES)})"
DETERMINER = r"(?P<det>every|some|no|more than one)"
PLACE = r"(?: (?P<place>(?:in|on|by|at|under) the \w+))?\."
ACTIVE_SENTENCE = re.compile(
    rf"{DETERMINER} {NOUN % ('agent', 'agent')} is(?P<neg> not)? (?P<verb>\w+ing)"
    rf"(?: an? {NOUN % ('patient', 'patient')})?{PLACE}"
)
PASSIVE_SENTENCE = re.compile(
    rf"an? {NOUN % ('patient', 'patient')} is(?P<neg> not)? (?P<passive>\w+ed) by "
    rf"{DETERMINER} {NOUN % ('agent', 'agent')}{PLACE}"
)


def parse(text: str) -> dict[str, str | None]:
    """Read a sentence back from its text alone."""
    text = text[0].lower() + text[1:]
    match = ACTIVE_SENTENCE.fullmatch(text) or PASSIVE_SENTENCE.fullmatch(text)
    assert match, text
    parts = match.groupdict()
    parts["verb"] = parts.get("verb") or ACTIVE[parts["passive"]]
    return parts


def people(sentences: list[dict[str, str | None]]) -> Iterator[tuple]:
    """Every kind of individual that could matter: what and how it is, where, in which posture, doing what to whom."""
    nouns = set().union(*(LEAVES[s["agent"]] for s in sentences)) | {"nobody"}
    patients = set().union(*(LEAVES[s["patient"]] for s in sentences if s["patient"]))
    verbs = set().union(*(VERB_LEAVES[s["verb"]] for s in sentences if s["patient"]))
    patient_moods = sorted({s["patient_adj"] for s in sentences if s["patient_adj"]})
    deeds = [
        (verb, patient, mood) for verb in sorted(verbs) for patient in sorted(patients) for mood in moods(patient_moods)
    ]
    postures = sorted(leaf for leaves in POSTURES.values() for leaf in leaves)
    places = [*sorted({s["place"] for s in sentences if s["place"]}), "elsewhere"]
    mood = list(moods(sorted({s["agent_adj"] for s in sentences if s["agent_adj"]})))
    doing = [frozenset(), *(frozenset([deed]) for deed in deeds), *(frozenset(p) for p in product(deeds, deeds))]
    needs_posture = any(not s["patient"] for s in sentences)
    return product(
        sorted(nouns), mood, places, postures if needs_posture else postures[:1], sorted(set(doing), key=str)
    )


def moods(adjectives: list[str]) -> Iterator[frozenset[str]]:
    """Every way to be that has no two opposites."""
    for chosen in product((True, False), repeat=len(adjectives)):
        mood = frozenset(a for a, yes in zip(adjectives, chosen, strict=True) if yes)
        if not any(set(pair) <= mood for pair in OPPOSITES):
            yield mood


def is_agent(person: tuple, sentence: dict[str, str | None]) -> bool:
    noun, mood, *_ = person
    return noun in LEAVES[sentence["agent"]] and (sentence["agent_adj"] is None or sentence["agent_adj"] in mood)


def acts(person: tuple, sentence: dict[str, str | None]) -> bool:
    _, _, place, posture, doing = person
    if sentence["place"] not in (None, place):
        return False
    if sentence["patient"] is None:
        return posture in POSTURE_LEAVES[sentence["verb"]]
    return any(
        verb in VERB_LEAVES[sentence["verb"]]
        and patient in LEAVES[sentence["patient"]]
        and (sentence["patient_adj"] is None or sentence["patient_adj"] in mood)
        for verb, patient, mood in doing
    )


def true_in(world: tuple, sentence: dict[str, str | None], which: int) -> bool:
    doing = [acting[which] ^ bool(sentence["neg"]) for agents, acting in world if agents[which]]
    return {"every": all(doing), "some": any(doing), "no": not any(doing), "more than one": sum(doing) >= 2}[
        sentence["det"]
    ]


def label_by_worlds(premise: str, hypothesis: str) -> str:
    sentences = [parse(premise), parse(hypothesis)]
    profiles = {
        (tuple(is_agent(p, s) for s in sentences), tuple(acts(p, s) for s in sentences)) for p in people(sentences)
    }
    profiles = {(agents, acting if any(agents) else (False, False)) for agents, acting in profiles}
    verdicts = {
        true_in(world, sentences[1], 1)
        for size in range(1, 5)
        for world in combinations_with_replacement(sorted(profiles), size)
        if all(any(agents[i] for agents, _ in world) for i in (0, 1)) and true_in(world, sentences[0], 0)
    }
    return "neutral" if len(verdicts) == 2 else {True: "entailment", False: "contradiction"}[verdicts.pop()]


@pytest.mark.parametrize("domain", [NliDomain.TRAIN, NliDomain.MISMATCHED])
def test_labels_follow_from_all_worlds_of_concrete_individuals(domain):
    examples = nli_examples(domain, 150, seed=3)
    expected = tuple(label_by_worlds(*texts) for texts in examples.texts)
    assert examples.targets == expected


def test_four_individuals_are_enough(monkeypatch):
    from study.toy import nli_meaning

    examples = nli_examples(NliDomain.DEV, 100)
    monkeypatch.setattr(nli_meaning, "WORLD_SIZE", 5)
    nli_meaning._label_of_relations.cache_clear()
    try:
        assert nli_examples(NliDomain.DEV, 100).targets == examples.targets
    finally:
        nli_meaning._label_of_relations.cache_clear()


@pytest.mark.parametrize(
    ("premise", "hypothesis", "label"),
    [
        ("Every hen is sleeping.", "Some bird is resting.", "entailment"),
        ("Some bird is resting.", "Some hen is resting.", "neutral"),
        ("No bird is resting.", "Some hen is sleeping.", "contradiction"),
        ("Some hen is pushing a duck.", "A duck is pushed by some hen.", "entailment"),
        ("Some hen is pushing a duck.", "Some duck is pushing a hen.", "neutral"),
        ("More than one cow is running.", "Every cow is resting.", "contradiction"),
    ],
)
def test_the_concrete_semantics_reads_english_as_people_do(premise, hypothesis, label):
    assert label_by_worlds(premise, hypothesis) == label


@pytest.mark.parametrize("domain", list(NliDomain))
def test_balanced_grouped_and_reproducible(domain):
    examples = nli_examples(domain, 600)
    assert min(Counter(examples.targets).values()) > 170
    assert nli_examples(domain, 600) == examples
    assert nli_examples(domain, 40).texts == examples.texts[:40]
    assert nli_examples(domain, 40, seed=1).texts != examples.texts[:40]
    premises = defaultdict(set)
    for (premise, _), group in zip(examples.texts, examples.columns["group"], strict=True):
        premises[group].add(premise)
    assert all(len(texts) == 1 for texts in premises.values())
    assert len(premises) == len({texts[0] for texts in examples.texts})
    assert 3 < 600 / len(premises) < 5


def test_no_word_of_the_hypothesis_gives_the_label_away():
    labels_of = defaultdict(Counter)
    examples = nli_examples(NliDomain.TRAIN, 3000)
    for (_, hypothesis), target in zip(examples.texts, examples.targets, strict=True):
        for word in set(hypothesis.lower().rstrip(".").split()):
            labels_of[word][target] += 1
    shares = {w: max(c.values()) / c.total() for w, c in labels_of.items() if c.total() >= 150}
    assert len(shares) > 30
    assert max(shares.values()) < 0.6, max(shares, key=lambda word: shares[word])


def test_domains_differ_as_they_should():
    sets = {domain: nli_examples(domain, 1000) for domain in NliDomain}
    premises = {domain: {texts[0] for texts in examples.texts} for domain, examples in sets.items()}
    buckets = {domain: {zlib.crc32(text.encode()) % 10 for text in texts} for domain, texts in premises.items()}
    for domain in (NliDomain.DEV, NliDomain.MATCHED, NliDomain.MISMATCHED):
        assert not buckets[domain] & buckets[NliDomain.TRAIN]
    genres = {domain: set(examples.columns["genre"]) for domain, examples in sets.items()}
    assert genres[NliDomain.MATCHED] == genres[NliDomain.TRAIN]
    assert not genres[NliDomain.MISMATCHED] & genres[NliDomain.TRAIN]
    words = {domain: sum(len(a.split()) for a, _ in examples.texts) for domain, examples in sets.items()}
    assert words[NliDomain.MISMATCHED] > 1.1 * words[NliDomain.MATCHED]


def test_an_article_fits_its_noun():
    assert nli._with_article(nli.Thing("eel")) == "an eel"
    assert nli._with_article(nli.Thing("eel", "big")) == "a big eel"
