"""A later domain for a translator that has one or more: what moves, and what its earlier tasks have."""

from collections.abc import Mapping, Sequence
from logging import getLogger
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from study.record.metrics import Task
from study.record.training.tasks import first_chain
from study.reuse.options import AllWeights, LaterTask, Weights
from study.subjects.fairseq.checkpoint import FairseqTransformer, build, computed_names
from study.subjects.fairseq.load import read_own
from study.subjects.fairseq.text import END, UNKNOWN
from study.subjects.tasks.stored import State, StoredTasks
from study.training.second_task.learner import LaterStart, TaskLearner, task_learner
from study.training.translator.batches import TokenPairs
from study.training.translator.body import pretrained_checkpoint
from study.training.translator.initial import POSITIONS, InitialTranslator
from study.training.translator.options import TranslatorTuning

log = getLogger(__name__)

MUCH = 0.05
"""Share of unknown tokens from which on a warning is given."""


def domain_learner(training: TranslatorTuning, start: InitialTranslator, folder: Path) -> TaskLearner:
    """What teaches a later domain to a translator; all of it but what the method moves is frozen from now on.

    Args:
        training: the training.
        start: the translator before its first update.
        folder: folder of the training, in which a job has written the free heads.

    Raises:
        InputError: when the free heads are not there or not the model's, or a file is damaged.
    """
    module = start.translator.module
    later = LaterStart(
        folder=start.checkpoint.path.parent,
        tasks=_stored(training, module, start.checkpoint),
        kind=Task.TRANSLATION,
        labels=(),
        outputs=(),
        pretrained=lambda: build(pretrained_checkpoint(training, start.checkpoint)).state_dict(),
        uncounted=computed_names(module),
    )
    learner = task_learner(training, module, later, start.translator.gate, folder)
    if isinstance(training.reuse, AllWeights):  # M2M100 has its output layer beside the rest
        for name, weights in module.named_parameters():
            weights.requires_grad_(POSITIONS not in name)
    return learner


def _stored(training: TranslatorTuning, module: PreTrainedModel, start: FairseqTransformer) -> StoredTasks:
    """The tasks that the translator has, with numbers that do not move with the module's."""
    chain, reuse = training.start_model().task_chain(), training.reuse
    assert isinstance(reuse, LaterTask), "a training of a later domain"
    if chain is None:
        by = training.origin.training.id if hasattr(training.origin, "training") else ""
        chain = first_chain((), reuse.earlier or training.start_model().training_name, Task.TRANSLATION, training=by)
    if reuse.body is Weights.pretrained:
        return StoredTasks(chain, _copied(module, {}), {})
    own = {task.name: read_own(start.path.parent / task.file) if task.file else {} for task in chain.tasks}
    return StoredTasks(chain, _copied(module, {name: start.weights[name] for name in own[chain.latest.name]}), own)


def _copied(module: PreTrainedModel, instead: Mapping[str, Tensor]) -> State:
    """A copy of what is trained of a module, with other numbers for some; what shares its numbers does so again."""
    computed, copies = computed_names(module), dict[int, Tensor]()
    state = {name: x for name, x in module.state_dict().items() if name not in computed} | dict(instead)
    for tensor in state.values():
        if tensor.data_ptr() not in copies:
            copies[tensor.data_ptr()] = tensor.detach().cpu().clone()
    return {name: copies[tensor.data_ptr()] for name, tensor in state.items()}


def say_unknown(pairs: TokenPairs, name: str) -> None:
    """Say how much of a domain the dictionaries do not know: it is `<unk>` to the model, whatever it learns."""
    shares = [_unknown(side) for side in (pairs.sources, pairs.targets)]
    say = log.warning if max(shares) > MUCH else log.info
    say(
        "data '%s': %.2f %% of the source tokens and %.2f %% of the target tokens are <unk>, as the dictionaries of "
        "the first domain do not know them",
        name,
        *(100 * share for share in shares),
    )


def _unknown(texts: Sequence[Sequence[int]]) -> float:
    tokens = torch.tensor([token for text in texts for token in text])
    return float((tokens == UNKNOWN).sum() / max(int((tokens != END).sum()), 1))
