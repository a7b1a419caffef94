"""The weights that a later domain of a translator is taught beside: its own so far, or those of another like it."""

from study.record.errors import InputError
from study.reuse.options import LaterTask, Weights
from study.subjects.fairseq.checkpoint import FairseqTransformer, read_checkpoint
from study.subjects.fairseq.load import with_own_tensors
from study.training.translator.options import TranslatorTuning

NAMED = 3
"""Tensors named in an error."""


def body_checkpoint(training: TranslatorTuning, start: FairseqTransformer) -> FairseqTransformer:
    """The weights of all that is not taught: those of the latest task, or of the pre-trained model.

    Raises:
        InputError: when the pre-trained model reads texts as other tokens, or is of another architecture.
    """
    reuse = training.reuse
    assert isinstance(reuse, LaterTask), "a training of a later domain"
    if reuse.body is Weights.pretrained:
        return pretrained_checkpoint(training, start)
    chain = training.start_model().task_chain()
    return start if chain is None else with_own_tensors(start, chain.latest)


def pretrained_checkpoint(training: TranslatorTuning, start: FairseqTransformer) -> FairseqTransformer:
    """The pre-trained model that weights are taken from.

    Raises:
        InputError: when it reads texts as other tokens than the model to start from, or is of another architecture.
    """
    training.check_pretrained()
    model = training.pretrained_model()
    assert model is not None, "reuse.pretrained is given where weights of it are taken"
    other = read_checkpoint(model.weights_file())
    unlike = [
        name for name, x in start.weights.items() if name not in other.weights or other.weights[name].shape != x.shape
    ]
    if unlike or other.weights.keys() != start.weights.keys() or _shape(other) != _shape(start):
        raise InputError(
            f"reuse.pretrained={other.path} is of another architecture than the model to start from: "
            f"{', '.join(unlike[:NAMED]) or f'{_shape(other)}, and that is {_shape(start)}'}"
        )
    return other


def _shape(checkpoint: FairseqTransformer) -> tuple[object, ...]:
    """All of an architecture that the shapes of tensors do not tell."""
    return (
        checkpoint.encoder,
        checkpoint.decoder,
        checkpoint.pre_norm,
        checkpoint.activation,
        checkpoint.scale_embedding,
    )
