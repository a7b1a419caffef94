"""What stands in the place of a subject's units, made from the choice and the reference examples."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from study.masking.stand_ins import Constant, StandIn, Uniform, Zero
from study.masking.value_bias import value_biases
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.units import AttentionKind, Layer
from study.replacement.donors import Donors, longest_passage
from study.replacement.draws import Candidates, by_name, draw
from study.replacement.kept_means import kept_means
from study.replacement.means import means, read_of
from study.replacement.options import ActsOn, DonorPosition, Mean, MeanByPosition, Replacement, Resample
from study.replacement.options import Uniform as UniformChoice
from study.replacement.options import ValueBias as ValueBiasChoice
from study.subjects.language_model.requests import LanguageRow, Request, text_row
from study.subjects.language_model.subject import LanguageModel
from study.subjects.subject import PROBE, Subject, TokenRow

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Texts:
    """Examples of a data set.

    Attributes:
        data: its name.
        examples: those that are read.
        max_unknown: largest share of their tokens that the model may not know.
    """

    data: str
    examples: Examples
    max_unknown: float

    def encode(self, subject: Subject) -> list[TokenRow]:
        """The examples as a model reads them.

        Raises:
            InputError: names the data.
        """
        try:
            return subject.encode(self.examples, self.max_unknown)
        except InputError as error:
            raise InputError(f"data '{self.data}': {error}") from error


def replace_units(subject: Subject, choice: Replacement, studied: Texts, reference: Texts, file: Path | None) -> None:
    """Let the choice stand in the place of a certified subject's units.

    Args:
        subject: its gate is changed.
        choice: what stands in.
        studied: the examples that are studied, each once.
        reference: the reference examples.
        file: where means are kept; None: nowhere.

    Raises:
        InputError: when it cannot be for this model, or the reference examples do not do.
        StoreError: when the means that are kept are of something else.
    """
    if choice.acts_on is ActsOn.scored:
        if not isinstance(subject, LanguageModel):
            raise InputError("replacement.acts_on=scored is for language models: other models score no words of a text")
        subject.acts_on_scored = True
    if not choice.suits_mlps:
        subject.gate.forget_mlps()
    subject.gate.stand_in = _stand_in(subject, choice, studied, reference, file)


def require_positions(subject: Subject, studied: Texts, reference: Texts) -> None:
    """Refuse texts that are longer than all reference texts, before means by position are taken.

    Raises:
        InputError: names an example.
    """
    _Reach.of(subject, studied).require(_longest(subject, reference.encode(subject)))


def _stand_in(subject: Subject, choice: Replacement, studied: Texts, reference: Texts, file: Path | None) -> StandIn:
    match choice:
        case MeanByPosition():
            return _means_by_position(subject, choice, studied, reference, file).to(subject.device)
        case Mean():
            return _kept(subject, file, lambda: means(subject, reference.encode(subject), choice)).to(subject.device)
        case Resample():
            return _donors(subject, choice, studied, reference)
        case UniformChoice():
            return Uniform()
        case ValueBiasChoice():
            return Constant(_value_biases(subject))
    return Zero()


def _value_biases(subject: Subject) -> Mapping[Layer, Tensor]:
    probe = subject.probe()
    biases = value_biases(lambda: subject.response(probe, None), subject.gate.sites)
    if not any(bias.any() for bias in biases.values()):
        raise InputError(f"no value of {subject.loaded} has a bias: replacement=value_bias would be replacement=zero")
    return biases


def _kept(subject: Subject, file: Path | None, compute: Callable[[], Constant]) -> Constant:
    return compute() if file is None else kept_means(file, subject.gate, compute)


def _means_by_position(
    subject: Subject, choice: MeanByPosition, studied: Texts, reference: Texts, file: Path | None
) -> Constant:
    reach = _Reach.of(subject, studied)

    def compute() -> Constant:
        rows = reference.encode(subject)
        reach.require(_longest(subject, rows))
        return means(subject, rows, choice)

    found = _kept(subject, file, compute)
    reach.require({kind: len(mean) for (kind, _), mean in found.of_heads.items()})
    return found


def _longest(subject: Subject, rows: Sequence[TokenRow]) -> dict[AttentionKind, int]:
    """Tokens of the longest reference text that the heads of each kind read."""
    read = [one for row in rows for one in read_of(row, MeanByPosition())]
    passages = [passage for one in read for passage in subject.passages(one)]
    return {kind: max(len(passage.queries(kind)) for passage in passages) for kind in subject.layout.counts}


@dataclass(frozen=True)
class _Reach:
    """The longest of the studied texts, by the kind of attention that reads it: its tokens, and the example's id."""

    longest: Mapping[AttentionKind, tuple[int, str]]

    @classmethod
    def of(cls, subject: Subject, studied: Texts) -> "_Reach":
        rows = studied.encode(subject)
        reach = [(subject.reach(row), row.example) for row in rows]
        side = {kind: 0 if kind is AttentionKind.ENCODER_SELF else -1 for kind in subject.layout.counts}
        return cls({kind: max((own[at], name) for own, name in reach) for kind, at in side.items()})

    def require(self, known: Mapping[AttentionKind, int]) -> None:
        """Refuse texts of more tokens than are known of each kind."""
        for kind, most in known.items():
            tokens, example = self.longest[kind]
            if tokens > most:
                raise InputError(
                    f"replacement=mean_by_position: example '{example}' has {tokens} tokens, and the longest "
                    f"reference text {most}: nothing is known of the positions behind. Take a reference set with "
                    f"longer texts, or replacement=mean"
                )


def _donors(subject: Subject, choice: Resample, studied: Texts, reference: Texts) -> Donors:
    aligned = choice.position is DonorPosition.aligned
    rows, others = studied.encode(subject), reference.encode(subject)
    reach = [subject.reach(row) for row in rows]
    given = [longest_passage(subject, row).lengths[: len(reach[0])] for row in others]
    needed = reach if aligned else [(0,) * len(own) for own in reach]
    own = Candidates(studied.examples.ids, studied.examples.groups, needed)
    drawn = draw(own, Candidates(reference.examples.ids, reference.examples.groups, given), choice.draws, choice.seed)
    short = sum(any(_is_short(given[i], least) for i in some) for some, least in zip(drawn, needed, strict=True))
    if short:
        log.warning(
            "%d of %d examples are longer than their donors, as the reference set has too few that are as long: the "
            "last token of a donor stands for those behind it (replacement.data=... is another reference set)",
            short,
            len(rows),
        )
    donors = by_name(own, drawn, choice.draws)

    def donor(row: TokenRow) -> TokenRow:
        if row.example in donors:
            return others[donors[row.example]]
        if not row.example.startswith(PROBE):
            raise InputError(f"replacement=resample: no donor was drawn for example '{row.example}'")
        return _backwards(row)

    return Donors(subject, donor, seed=None if aligned else choice.seed)


def _is_short(given: tuple[int, ...], needed: tuple[int, ...]) -> bool:
    return any(tokens < least for tokens, least in zip(given, needed, strict=True))


def _backwards(row: TokenRow) -> TokenRow:
    """The donor of a row that is of no data, such as those that a model is certified on: its tokens, last to first."""
    if isinstance(row, LanguageRow):
        read = max((request.context + request.continuation for request in row.requests), key=len)[::-1]
        return text_row(row.example, [Request(read[:1], read[1:])])
    *tokens, end = row.source
    return replace(row, source=(*reversed(tokens), end))
