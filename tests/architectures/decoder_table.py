"""`docs/architectures.md`: a row for each decoder architecture, what its units are and how masking them is proved."""

import re
from collections.abc import Mapping
from pathlib import Path

from transformers import __version__

from .decoder_trial import Decoder

PAGE = Path(__file__).parents[2] / "docs" / "architectures.md"

TEXT = """\
# Decoder language models that are certified

Decoders of transformers {version}, each as a tiny random model of two layers of four heads. Every head, every group and
every MLP was turned off in turn, by `study` and by hand in plain transformers:

- a **head** (query head) is off where its part of what attention computes is zero;
- a **group** is the query heads that share keys and values. All of them off is the same as the group's values at zero.
  Query head h of H is in group h // (H / G) of G;
- an **MLP** is what the feed-forward block of a layer adds, whatever is in it (experts as well). It is off with its
  output bias; the bias of an attention's output projection stays. Where a layer norms the block's output before it adds
  it, the gate is behind the norm: in front of it, a factor would have no gradient.

The logits were the same within {tolerance:g} of the largest, and no unit was without effect. Masks act alike with eager
and sdpa attention, with padding at the left and at the right, and while decoding with a cache, as far as the model says
the same in these ways without a mask; the notes name those in which it does not.

The same proofs run on the real model whenever one is loaded. A model that is not listed is studied if they hold, and
refused in words if they do not. *How the cut is proved*: by the **attention function** of transformers, which computes
all heads of a layer and in which each is changed alone; otherwise by changing what makes the **queries**, or **queries,
keys and values** where one matrix makes them all. Linear attention, convolutions and state spaces have no heads of this
kind: their layers keep their MLPs, and are named when the model is loaded.

*Patterns* are what `measure=attention` reads: seen at the **attention function**, or at the **product with the values**
where the model multiplies weights and values itself. Either way rows sum to 1 (less what goes to a learned sink), and
the pattern times the values is the context that the gate sees. Where the model gates contexts before that, as the row
says, the norms of weighted values are left out.

*all masks at once* is the fast engine, *one mask at a time* the plain one; both are exact.

| model | units | where the gate is | how the cut is proved | patterns | engine | notes |
|---|---|---|---|---|---|---|
"""

END = """
Quantised weights cannot be certified: load such a model dequantised. A pruned model that keeps more heads of one group
than of another has no groups as units. [Sequence classifiers](models.md) have a table of their own. This page is made
by `make models` and checked by `make test-slow`.
"""


def page(decoders: Mapping[str, Decoder], tolerance: float) -> str:
    """The page of what came out."""
    rows = "\n".join(f"| {row(name, decoders[name])} |" for name in sorted(decoders))
    return TEXT.format(version=__version__, tolerance=tolerance) + rows + "\n" + END


def row(name: str, decoder: Decoder) -> str:
    """The cells of one row."""
    engine = "all masks at once" if "all masks" in decoder.engine else decoder.engine
    kind, _, variant = name.partition(" ")
    return " | ".join(
        [
            f"{f'`{kind}` {variant}'.strip()}",
            decoder.units,
            decoder.gates,
            decoder.proof,
            decoder.patterns,
            engine,
            decoder.notes,
        ]
    )


def rows() -> dict[str, str]:
    """The rows of the page as it is, by name."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    found = (re.fullmatch(r"\| (`(\w+)`( [^|]+)?) \| (.*) \|", line) for line in lines)
    return {f"{match[2]}{match[3] or ''}": f"{match[1]} | {match[4]}" for match in found if match}
