"""Tiny subjects, masks of every kind for them, and the same subjects with heads removed."""

from pathlib import Path

import cases
import numpy as np
import transformers as tf

from study.pruning.prune import cut, module_of
from study.record.heads import HeadLayout, stack
from study.subjects.classifier import Classifier
from study.subjects.subject import Subject
from study.subjects.translator import Decoding, Translator

ALL = [*(f"classifier {name}" for name in cases.CLASSIFIERS), *(f"translator {name}" for name in cases.TRANSLATORS)]


def subject(case: str, module: tf.PreTrainedModel | None = None) -> Subject:
    """Of an architecture, or around a module."""
    task, _, name = case.partition(" ")
    if task == "classifier":
        module = module or cases.build(cases.CLASSIFIERS[name])
        tokenizer = cases.tiny_tokenizer()
        return Classifier(module, tokenizer, labels=cases.LABELS, max_length=32, truncate=False, loaded=name)
    module = module or cases.build(cases.TRANSLATORS[name])
    decoding = Decoding(beam=2, lenpen=1.0, max_len_a=0.0, max_len_b=6)
    return Translator(module, cases.Numbers(), decoding, max_source=64, max_target=64, truncate=False, loaded=name)


def some_masks(layout: HeadLayout) -> np.ndarray:
    """A single head, the first and the last layer, no head at all, random ones, and one after another pruning."""
    generator = np.random.default_rng(5)
    masks = [
        layout.without([layout.heads[1]]),
        layout.without_layer(layout.layers[0]),
        layout.without_layer(layout.layers[-1]),
        ~layout.full(),
        *(generator.random((4, len(layout))) < 0.5),
    ]
    return stack(masks, layout)


def masked(of: Subject, mask: np.ndarray):
    """What a subject responds to its probe under a mask."""
    rows = of.probe()
    return of.response(rows, of.as_xi(np.tile(mask, (len(rows), 1))))


def removed(case: str, mask: np.ndarray, module: tf.PreTrainedModel | None = None) -> Subject:
    """A subject of an architecture without the heads that a mask turns off."""
    whole = subject(case, module)
    cut(whole, mask)
    return subject(case, module_of(whole))


def classifier_folder(folder: Path, name: str, **changes: object) -> Path:
    """A tiny classifier as transformers saves it."""
    module = cases.build(cases.CLASSIFIERS[name])
    module.config.id2label = dict(enumerate(cases.LABELS))
    for key, value in changes.items():
        setattr(module.config, key, value)
    module.save_pretrained(folder)
    cases.tiny_tokenizer(one_end=name == "t5").save_pretrained(folder)
    return folder
