"""What the terms of the page mean: shown where a term is pointed at, focused or tapped, and listed at its end."""

from collections.abc import Mapping

from markupsafe import Markup

from analysis.formatting import slug

TERMS: Mapping[str, str] = {
    "base score": "The score of the model with every head.",
    "effect": (
        "The score with heads removed minus the base score, on the same examples. It is negative where the model needs "
        "the heads."
    ),
    "replacement": (
        "What stands in the place of a removed head: zero, as in the paper; the mean of what it gives, over all tokens "
        "or by position; what it gives in another example (resample); the plain mean of the values it may attend to "
        "(uniform); or the bias of its values. Zero can be something that the network never meets, so effects depend "
        "on the choice."
    ),
    "in-sample mean": (
        "A mean of the very examples that are scored. It fits them better than the mean of others would, so that "
        "removal looks a little cheaper than it is."
    ),
    "points": "Differences of scores: percentage points of accuracy, or points of BLEU or chrF.",
    "nats": (
        "Differences of log-likelihoods, by the natural logarithm. An effect of −0.01 nats makes the right answer 1 % "
        "less likely."
    ),
    "interval": (
        "The range of true values that the examples allow. With fresh examples, such ranges miss the true value in one "
        "case of twenty, unless another level is given."
    ),
    "significant": "An effect too large to be chance. As many heads are tested, p is corrected for their number.",
    "max-T": (
        "A correction for testing many heads at once. Chance is allowed its largest statistic of all heads, so that "
        "one false finding among all of them is rare. It knows how heads are correlated."
    ),
    "detectable effect": (
        "The true effect that a head must have to be found significant with a probability of 80 % on these examples. "
        "Smaller effects may be there unseen."
    ),
    "equivalence margin": (
        "Effects within this size do not matter. A head is shown to lose less than the margin where its whole "
        "interval lies above minus the margin."
    ),
    "chance": (
        "The score of the model’s own answers when they are dealt out to other examples: what remains when the answers "
        "know nothing of the input. Of log-likelihoods of labels, that of the shares of the labels; of choices, what a "
        "model scores that finds all of them equally likely."
    ),
    "groups of examples": (
        "Examples that belong together, such as those of one premise, document or template. They are resampled as one, "
        "because they are not independent."
    ),
    "group of heads": (
        "Query heads that share their keys and values (grouped-query attention). Removed as one, a group can cost what "
        "none of its heads costs alone."
    ),
    "bootstrap": "An interval from drawing the examples anew, with replacement, many times.",
    "jackknife": "An interval from leaving out one group of examples at a time and seeing how much the number moves.",
    "measured r": (
        "Pearson’s correlation, over heads, of the effects as measured on two domains. Noise of few examples lowers it."
    ),
    "true r": (
        "The correlation of the true effects on two domains, as it would be with endlessly many examples: sampling "
        "noise is taken out of the variances."
    ),
    "noise ceiling": "The r that two perfectly alike domains would show on this number of examples.",
    "crossed r": (
        "r between one model on one half of the examples and another model on the other half. What is accident in one "
        "half is none in the other, so that shared examples do not raise it."
    ),
    "spread": (
        "How much the effect of a head differs between seeds, epochs or domains: the standard deviation of the true "
        "effects, sampling noise taken out."
    ),
    "rank correlation": "Spearman’s ρ and Kendall’s τ: whether heads come in the same order, whatever their sizes.",
    "heads permuted": "Heads change places at random, many times. It shows which r arises by chance.",
    "importance": (
        "How fast the loss changes as a head is turned down, |dL/dξ|, averaged over examples. It takes one backward "
        "pass instead of a pass for each head."
    ),
    "role": (
        "What a head does by a rule that has a name, such as looking at the token before. It has the role where the "
        "one-sided limit of its statistic is beyond the rule’s threshold; it may have several, or none."
    ),
    "random weights": (
        "The same model before any training, looked at on the same data. Roles that its heads have are there without "
        "anything having been learned."
    ),
    "gates": (
        "Numbers, one for each head, that its output is multiplied by in a training. Learned gates close where a head "
        "can be done without; at the end each is 0 (the head is gone) or 1 (it is kept)."
    ),
    "undecided gates": (
        "Hard Concrete gates that, at the end of the training, are neither 0 nor 1 with a probability of 90 %."
    ),
    "fractional gates": (
        "Gates that the test-time rule of Voita’s code would leave between 0 and 1. Here every gate becomes 0 or 1, "
        "whichever is more likely, as in the paper."
    ),
    "free heads": (
        "Heads that a task does without. They are turned off for it, and a later task is taught to them, while all "
        "other weights stay as they are."
    ),
    "interaction": (
        "The effect of removing two units together less the effects of removing each; harm is negative. Below 0 they "
        "do the same work: either suffices, and only both are missed. Above 0 each is of use only with the other."
    ),
    "Shapley value": (
        "What a unit adds to the score, averaged over all orders in which units could be turned on. The values of all "
        "units add up to the score with all on less the score with none."
    ),
    "semivalue": (
        "What a unit adds to the score where each other unit stays on with one probability, such as .9: contexts near "
        "the full set, in which the model still works."
    ),
    "pruning curve": "The score as more and more heads are removed, in a given order.",
    "best head": "The head of a layer that does best when all others of the layer are removed.",
}
"""Definitions by term, in the order of the list."""


def term_id(name: str) -> str:
    """The id of a term in the list: `term-noise-ceiling`."""
    return f"term-{slug(name)}"


def term(name: str, words: str | None = None) -> Markup:
    """A term in a text, which shows its definition; `words` are what stands there, if not the name."""
    meaning = '<span class="meaning" aria-hidden="true">{said}</span>'
    return Markup('<dfn class="term" tabindex="0" aria-describedby="{id}">{words}' + meaning + "</dfn>").format(
        id=term_id(name), words=words or name, said=TERMS[name]
    )
