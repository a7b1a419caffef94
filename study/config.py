"""The configuration: typed schemas, their registration with Hydra, and how a composed config becomes components."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from study.data.iwslt import IwsltTed
from study.data.language.benchmark import Benchmark
from study.data.language.choices_file import ChoicesFile
from study.data.language.pairs_file import PairsFile
from study.data.language.texts import TextBenchmark, TextFile
from study.data.nli import MnliHub, NliFile
from study.data.parallel import ParallelFile, SacrebleuSet
from study.data.slice import Slice
from study.data.source import DataSource
from study.data.syntax.ud_file import UdFile
from study.data.synthetic.exact_copy import ExactCopy
from study.data.synthetic.greater_than import GreaterThan
from study.data.synthetic.induction import Induction
from study.data.synthetic.ioi import IndirectObject
from study.data.synthetic.needle import Needle
from study.data.table_task import TableTask
from study.engine.precision import Cascade, Precision, Screening
from study.entry_files import CONF, FOLDERS
from study.gates.options import GATES
from study.measures.ablation import Ablation, AllButOne, Base, NoHead
from study.measures.attention import AttentionMeasure
from study.measures.gates import GatesMeasure
from study.measures.importance import Importance
from study.measures.measure import Measure
from study.measures.orders import ORDERS
from study.measures.probe import ProbeMeasure
from study.measures.pruning import Pruning, flat_name
from study.measures.second_task import SecondTask
from study.measures.sets.pairs import Pairs
from study.measures.sets.screen import Screen
from study.measures.sets.shapley import Shapley
from study.measures.sets.sufficient import Sufficient
from study.measures.train import Train
from study.record.errors import InputError, listed
from study.record.metrics import Scoring
from study.replacement.options import REPLACEMENTS, Replacement
from study.reuse.options import REUSES
from study.subjects.fairseq.folder import FairseqFolder
from study.subjects.huggingface.classifier_folder import HubClassifier, HubRegressor
from study.subjects.huggingface.decoder_folder import HubDecoder
from study.subjects.model import ModelConfig
from study.subjects.tasks.config import TasksFolder
from study.toy.sources import ToyInduction, ToyLuck, ToyNli, ToyTranslation
from study.tracking.options import Tracking, WandbTracking
from study.training.classifier_options import FineTuning, NewBert
from study.training.decoder_options import DecoderTuning, NewLlama
from study.training.fairseq.options import TranslationTraining
from study.training.trained_models import (
    TrainedClassifier,
    TrainedDecoder,
    TrainedRegressor,
    TrainedTranslator,
    TunedTranslator,
)
from study.training.translator.options import TranslatorTuning

COMPOSED_AT_ONCE = 8

SCHEMAS: dict[str, Mapping[str, type]] = {
    "model": {
        "sequence_classifier": HubClassifier,
        "sequence_regressor": HubRegressor,
        "tasks_folder": TasksFolder,
        "language_model": HubDecoder,
        "fairseq_translator": FairseqFolder,
        "trained_classifier": TrainedClassifier,
        "trained_regressor": TrainedRegressor,
        "trained_decoder": TrainedDecoder,
        "trained_translator": TrainedTranslator,
        "tuned_translator": TunedTranslator,
    },
    "data": {
        "nli_file": NliFile,
        "mnli_hub": MnliHub,
        "table_task": TableTask,
        "parallel_file": ParallelFile,
        "sacrebleu_set": SacrebleuSet,
        "iwslt_ted": IwsltTed,
        "choices_file": ChoicesFile,
        "pairs_file": PairsFile,
        "text_file": TextFile,
        "benchmark": Benchmark,
        "text_benchmark": TextBenchmark,
        "slice": Slice,
        "ud_file": UdFile,
        "indirect_object": IndirectObject,
        "greater_than": GreaterThan,
        "induction": Induction,
        "exact_copy": ExactCopy,
        "needle": Needle,
        "toy_nli": ToyNli,
        "toy_luck": ToyLuck,
        "toy_translation": ToyTranslation,
        "toy_induction": ToyInduction,
    },
    "training": {
        "finetuning": FineTuning,
        "new_bert": NewBert,
        "decoder_tuning": DecoderTuning,
        "new_llama": NewLlama,
        "translation": TranslationTraining,
        "translator_tuning": TranslatorTuning,
    },
    "measure": {
        "base": Base,
        "ablation": Ablation,
        "all_but_one": AllButOne,
        "no_head": NoHead,
        "importance": Importance,
        "pruning": Pruning,
        "attention": AttentionMeasure,
        "probe": ProbeMeasure,
        "gates": GatesMeasure,
        "second_task": SecondTask,
        "pairs": Pairs,
        "shapley": Shapley,
        "sufficient": Sufficient,
        "screen": Screen,
        "train": Train,
    },
    "measure/order": ORDERS,
    "gates": GATES,
    "reuse": REUSES,
    "replacement": REPLACEMENTS,
    "tracking": {"none": Tracking, "wandb": WandbTracking},
}
"""Schemas by config group; a YAML file takes one by `defaults: [/schema/<group>@_here_: <name>]`."""

SHORT = {
    "measure.order": "measure/order",
    "measure.masks": "measure.random_masks",
    "replacement.data": "data@replacement.data",
    "data.of": "data@data.of",
    "model.training.gates": "gates@model.training.gates",
    "model.training.gates.order": "measure/order@model.training.gates.order",
    "model.training.gates.data": "data@model.training.gates.data",
    "model.training.reuse": "reuse@model.training.reuse",
    "model.training.reuse.order": "measure/order@model.training.reuse.order",
    "model.training.reuse.data": "data@model.training.reuse.data",
    "model.training.free": "model.training.reuse.free",
} | {
    f"measure.{flat_name(option.name)}": f"measure.order.{option.name}"
    for order in ORDERS.values()
    for option in fields(order)
    if option.name != "name"
}
"""Names by which people choose orders and their options, reference examples and gates, and what Hydra calls them."""


@dataclass(kw_only=True)
class StudyConfig:
    """One job: a measure of a model on a data set.

    Attributes:
        model: the model under study.
        data: the test set.
        measure: which masks to try.
        replacement: what stands in the place of a unit that is off.
        metric: how outcomes are scored, where there is a choice.
        tracking: where the job is shown while it runs; changes no outcome.
        results: folder of the stored outcomes.
        precision: how numbers are computed: `float32`; `bfloat16`; `screened`, which is bfloat16, and float32 for close
            decisions; `cascade`, where gradients take the decisions that are clear before, and an audit bounds how many
            are wrong.
        screening: how careful `screened` is.
        cascade: how careful `cascade` is.
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1` ...
        threads: CPU threads; 0 leaves it to torch.
        batch_tokens: most tokens computed at once (times the beam); 0 leaves it to the engine. Changes speed and
            memory, no outcome.
        memory_gb: most memory that a block of examples takes under all its masks; 0: a quarter of what is free.
        shard: which share of the examples this job evaluates, from 0 on, of
        shards: so many; several jobs (several GPUs) then make one result.
        plan: say how much there is to do and how long it will take, and do nothing.
    """

    model: ModelConfig = MISSING
    data: DataSource = MISSING
    measure: Measure = MISSING
    replacement: Replacement = field(default_factory=Replacement)
    metric: Scoring = field(default_factory=Scoring)
    tracking: Tracking = field(default_factory=Tracking)
    results: str = "results"
    precision: Precision = Precision.float32
    screening: Screening = field(default_factory=Screening)
    cascade: Cascade = field(default_factory=Cascade)
    device: str = "auto"
    threads: int = 0
    batch_tokens: int = 0
    memory_gb: float = 0.0
    shard: int = 0
    shards: int = 1
    plan: bool = False


def register() -> None:
    """Make the schemas known to Hydra; called before anything is composed. Only the first call does anything."""
    from hydra.core.config_store import ConfigStore  # not before something is composed

    store = ConfigStore.instance()
    if "study_schema.yaml" in store.repo:
        return
    for group, schemas in SCHEMAS.items():
        for name, schema in schemas.items():
            store.store(group=f"schema/{group}", name=name, node=schema)
    store.store(name="study_schema", node=StudyConfig)


def to_study(config: DictConfig) -> StudyConfig:
    """A composed config as components.

    Raises:
        InputError: when an option has no value that must be given.
    """
    try:
        study = OmegaConf.to_object(config)
    except MissingMandatoryValue as error:
        names = sorted(OmegaConf.missing_keys(config))
        add = " ".join(f"{name}=..." for name in names)
        raise InputError(f"no value is given for {listed(names)}: add {add} to the command") from error
    assert isinstance(study, StudyConfig), f"expected a StudyConfig, got {type(study)}"
    return study


def in_full(overrides: Iterable[str]) -> list[str]:
    """Overrides in Hydra's names: `measure.order=random measure.seeds=5` is `measure/order=random ...order.seeds=5`."""
    option = re.compile(r"^(\+*)([\w.]+)(?==)")
    return [option.sub(lambda found: found[1] + SHORT.get(found[2], found[2]), word) for word in overrides]


def compose(*overrides: str) -> DictConfig:
    """Compose one job as the command line does: `compose("model=toy_classifier", "data=toy_matched")`."""
    with _opened():
        return hydra_compose("config", overrides=[*_search_path(), *in_full(overrides)])


def compose_entries(group: str, names: Sequence[str]) -> dict[str, DictConfig]:
    """Entries of a config group, each by itself, as a job that chooses it has it.

    Hydra's time for one entry is most of that for a few, and for many it grows with the square of their number.
    """
    if not names:
        return {}
    entries: dict[str, DictConfig] = {}
    with _opened():
        for first in range(0, len(names), COMPOSED_AT_ONCE):
            some = names[first : first + COMPOSED_AT_ONCE]
            composed = hydra_compose(None, [*_search_path(), *(f"+{group}@{name}={name}" for name in some)])
            entries |= {name: composed[name] for name in some}
    return entries


def _search_path() -> list[str]:
    own = ",".join(f"file://{folder}" for folder in FOLDERS[1:])
    return [f"hydra.searchpath=['{own}']"] if own else []


def hydra_compose(name: str | None, overrides: list[str], **options: bool) -> DictConfig:
    """Hydra's `compose`; Hydra is loaded when something is composed, not for a list of what there is."""
    from hydra import compose

    return compose(name, overrides, **options)


@contextmanager
def _opened() -> Iterator[None]:
    """A Hydra that knows our files within the block; one that runs is put aside: there can be one at a time."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    register()
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = running
