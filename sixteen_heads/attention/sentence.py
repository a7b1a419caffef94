"""From a model and a sentence to its maps, and to the page of them."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from analysis.page.maps.sentence_page import SentencePage
from sixteen_heads.attention.request import OWN, Request
from study.config import StudyConfig, compose, to_study
from study.entries import refuse_unknown
from study.jobs.measuring import MeasuringJob
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.maps.sentence_maps import SentenceMaps, find_head
from study.record.metrics import Task
from study.record.units import Head, HeadLayout, Unit, parse_unit

if TYPE_CHECKING:
    from study.subjects.subject import Subject, TokenRow

log = logging.getLogger(__name__)

MOST_WEIGHTS = 2.5e8
"""The most weights of one page, all heads and conditions together: 1,300 tokens of a model of 144 heads."""

NO_DATA = "toy_matched"
"""The data of a job that reads none."""


@dataclass(frozen=True)
class Sentence:
    """A sentence as a model reads it.

    Attributes:
        texts: its texts by what they are.
        row: its tokens.
        facts: what is to be known of it, a sentence each.
    """

    texts: Mapping[str, str]
    row: "TokenRow"
    facts: tuple[str, ...] = ()


def sentence_page(request: Request) -> SentencePage:
    """The page of what is asked for.

    Raises:
        StudyError: when there is no such model, example, head or layer, the text cannot be read, or is too long.
    """
    data = () if request.example else (f"data={NO_DATA}",)
    _refuse_misspelt(request)
    config = compose("measure=base", *data, *request.overrides)
    refuse_unknown(config)
    job = MeasuringJob(to_study(config))
    examples = _data(job, request.example) if request.example else _typed(request, job.study)
    subject = load(job.study)
    data = job.study.data.name
    sentence = read_example(subject, examples, request.example, data) if request.example else read(subject, examples)
    off = [unit_called(name, subject.layout) for name in request.heads_off]
    return page_of(job.study.model.name, subject, sentence, off, request.layers)


def page_of(
    model: str, subject: "Subject", sentence: Sentence, off: Sequence[Unit] = (), layers: Collection[int] = ()
) -> SentencePage:
    """The page of a sentence, with the maps under a mask beside those with every head on."""
    conditions = maps_of(subject, sentence, off, layers)
    names = [
        "every head on",
        *([f"without {', '.join(short_name(unit, subject.layout) for unit in off)}"] if off else []),
    ]
    facts = (*sentence.facts, _counts(conditions[0]), f"{subject.loaded}; certified: masking is exact.")
    return SentencePage(model, sentence.texts, conditions, names, facts)


def maps_of(
    subject: "Subject", sentence: Sentence, off: Sequence[Unit] = (), layers: Collection[int] = ()
) -> list[SentenceMaps]:
    """The maps of a sentence with every head on; where some are named, also those without them.

    Raises:
        InputError: when the model has no such layer, or the maps would be too many.
    """
    from study.observing.maps import sentence_maps  # takes torch

    layout = subject.layout
    there = {head.layer for head in layout.heads}
    if missing := sorted(set(layers) - there):
        raise InputError(f"layers={missing[0]}: the model has layers {min(there)} to {max(there)}")
    _require_room(subject, sentence, layers, conditions=1 + bool(off))
    masks = [layout.full(), *([layout.without(off)] if off else [])]
    return [sentence_maps(subject, sentence.row, mask, layers) for mask in masks]


def load(study: StudyConfig) -> "Subject":
    """The certified model of a job, fetched or trained first where it is not here."""
    import torch

    from study.certification.certify import certify

    model = study.model
    if needs := model.needs():
        raise InputError(needs)
    if missing := model.missing():
        log.info("getting %s", "; ".join(missing))
        model.fetch()
    if study.threads:
        torch.set_num_threads(study.threads)
    automatic = "cuda" if torch.cuda.is_available() else "cpu"
    subject = model.load(torch.device(study.device.replace("auto", automatic)))
    certify(subject)
    return subject


def read(subject: "Subject", examples: Examples) -> Sentence:
    """The one of these examples as the model reads it; a translation that is not given is made."""
    [row] = subject.encode(examples)
    facts: list[str] = []
    if examples.targets[0] == "" and hasattr(subject, "beam_config"):
        translation = str(subject.outcomes([row], subject.layout.full()[None])["hypothesis"][0])
        if not translation.strip():
            raise InputError("the model translates this into nothing: give a translation, target=...")
        row = replace(row, target=translation)
        facts.append("The translation is the model’s own; target=... gives another.")
    [texts] = examples.texts
    named = dict(zip(_names(subject, texts), texts, strict=True))
    if isinstance(row.target, str) and row.target and row.target not in texts:
        named["translation"] = row.target
    words = tuple(examples.words()[0]) if examples.trees else ()
    return Sentence(named, replace(row, texts=texts, words=words), tuple(facts))


def unit_called(name: str, layout: HeadLayout) -> Unit:
    """The unit that a name means: an address, or a head without its kind of attention, `L2H3`."""
    try:
        return find_head(name, layout)
    except InputError as unknown:
        try:
            unit = parse_unit(name)
        except InputError:
            raise unknown from None
        layout.without([unit])
        return unit


def short_name(unit: Unit, layout: HeadLayout) -> str:
    """`L2H3`, where the model has one kind of attention; the address of other units, and where it has several."""
    return f"L{unit.layer}H{unit.index}" if isinstance(unit, Head) and len(layout.counts) == 1 else str(unit)


def _refuse_misspelt(request: Request) -> None:
    known = {option.name for option in fields(StudyConfig)}
    for name in (word.lstrip("+").partition("=")[0] for word in request.overrides):
        near = get_close_matches(name, OWN, n=1)
        if name not in known and near:
            raise InputError(f"there is no option '{name}'. Did you mean {near[0]}?")


def read_example(subject: "Subject", examples: Examples, example: str, data: str) -> Sentence:
    """The example of an id, as the model reads it.

    Raises:
        InputError: when the data has none of this id.
    """
    _require_example(examples, example, data)
    return read(subject, examples.take([examples.ids.index(example)]))


def _require_example(examples: Examples, example: str, data: str) -> None:
    if example not in examples.ids:
        first = ", ".join(examples.ids[:3])
        raise InputError(
            f"example={example}: '{data}' has no such example among {len(examples):,}; its ids are {first} ..."
        )


def _data(job: MeasuringJob, example: str) -> Examples:
    """The data of a job, once it is here, that must have an example."""
    if missing := job.study.data.missing():
        log.info("getting %s", "; ".join(missing))
        job.study.data.fetch()
    examples = job.examples
    _require_example(examples, example, job.study.data.name)
    if job.study.data.task not in (*job.study.model.tasks(), Task.READING):
        raise InputError(f"{job.study.model.name} does no {job.study.data.task}: choose data of another task")
    return examples


def _typed(request: Request, study: StudyConfig) -> Examples:
    """The texts of a command as an example that is only read."""
    pairs = {Task.CLASSIFICATION, Task.REGRESSION} & set(study.model.tasks())
    if len(request.texts) > 1 and not pairs:
        raise InputError(f"{study.model.name} reads one text: give text= once")
    translates = study.model.languages() is not None
    if request.target and not translates:
        raise InputError(f"{study.model.name} does not translate: target= is for those that do")
    return Examples(("text",), (request.texts,), (request.target,))


def _names(subject: "Subject", texts: Sequence[str]) -> tuple[str, ...]:
    """What each text is called."""
    if len(texts) == 1:
        return ("source",) if hasattr(subject, "beam_config") else ("text",)
    return tuple(f"text {i + 1}" for i in range(len(texts)))


def _counts(maps: SentenceMaps) -> str:
    sides = [("", maps.source), *([(" of the translation", maps.target)] if maps.target else [])]
    counted = [f"{len(side.tokens)} tokens{of} in {len(side.words)} words" for of, side in sides]
    special = "special tokens counted as words of their own"
    return f"{', '.join(counted)}, {special}; {len(maps.weights)} heads."


def _require_room(subject: "Subject", sentence: Sentence, layers: Collection[int], conditions: int) -> None:
    passage = subject.passages(sentence.row)[0]
    heads = [head for head in subject.layout.heads if not layers or head.layer in layers]
    weights = conditions * sum(len(passage.queries(head.kind)) * len(passage.keys(head.kind)) for head in heads)
    if weights > MOST_WEIGHTS:
        tokens = len(passage.source)
        raise InputError(
            f"{tokens:,} tokens and {len(heads)} heads make {weights:,} weights, and a page has room for "
            f"{MOST_WEIGHTS:,.0f}: layers=0,1 shows some layers"
        )
