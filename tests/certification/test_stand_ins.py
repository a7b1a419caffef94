"""What stands in the place of a unit is proved for every kind of model, and every fault of it is seen."""

import re
from itertools import product

import pytest
from fixtures.replacement import replaced

from study.certification.certify import CertificationError
from study.certification.stand_ins import certify_stand_in
from study.masking.gate import Gate
from study.replacement.options import REPLACEMENTS, DonorPosition

SOME = ("classifier bert", "translator fsmt", "decoder llama")
NONE = [(name, "value_bias") for name in replaced.NO_VALUE_BIASES]
PROVED = [one for one in product(replaced.SUBJECTS, REPLACEMENTS) if one not in NONE]


@pytest.mark.parametrize(
    ("name", "replacement"),
    [pytest.param(*one, marks=[] if one[0] in SOME else pytest.mark.exhaustive) for one in PROVED],
)
def test_what_stands_in_is_proved(name: str, replacement: str) -> None:
    assert certify_stand_in(replaced.subject(name, replaced.choice(replacement))) < 1e-5


def test_random_tokens_of_donors_are_proved() -> None:
    choice = replaced.choice("resample", position=DonorPosition.random_token)
    assert certify_stand_in(replaced.subject("classifier bert", choice)) < 1e-5


@pytest.mark.parametrize("replacement", ["mean", "uniform", "resample", "value_bias"])
def test_something_else_in_the_place_of_a_unit_is_refused(replacement: str, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = replaced.subject(
        "decoder llama" if replacement != "value_bias" else "classifier bert", replaced.choice(replacement)
    )
    found = Gate._product

    def wrong(self, xi, values, batch_dim, columns, instead):
        return found(self, xi, values, batch_dim, columns, instead if instead is None else instead + 0.1)

    monkeypatch.setattr(Gate, "_product", wrong)
    with pytest.raises(CertificationError, match=re.escape("something else stands in the place of")):
        certify_stand_in(subject)
