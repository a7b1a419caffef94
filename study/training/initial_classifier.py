"""Where the training of a classifier starts: a model of transformers and its tokenizer, before the first step."""

from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from study.record.errors import InputError
from study.subjects.huggingface.quiet import quiet
from study.subjects.huggingface.read_model import read_module
from study.training.classifier_options import ClassifierTraining, FineTuning, NewBert

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def initial_classifier(
    training: ClassifierTraining, texts: Sequence[str], labels: Sequence[str]
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model and its tokenizer, which can pad; a vocabulary that is to be learnt is learnt from the texts.

    Random weights come from torch's current random state.

    Raises:
        InputError: when the model has neither a padding nor an end token.
    """
    if isinstance(training, FineTuning):
        model, tokenizer = trained_model(training, labels), AutoTokenizer.from_pretrained(training.start_folder())
    else:
        assert isinstance(training, NewBert), f"no way to start a {type(training).__name__}"
        tokenizer = learn_tokenizer(texts, training)
        model = new_bert(training, len(tokenizer), labels)
    tokenizer.pad_token_id = pad_token(model, tokenizer)
    return model, tokenizer


def pad_token(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """The padding token; a model without one (GPT-2) is trained to take its end token for padding.

    Raises:
        InputError: when it has no end token either.
    """
    config = model.config.get_text_config()
    end = config.eos_token_id[0] if isinstance(config.eos_token_id, list) else config.eos_token_id
    pad = next((i for i in (tokenizer.pad_token_id, config.pad_token_id, end) if isinstance(i, int)), None)
    if pad is None:
        raise InputError(f"{type(model).__name__} has no padding and no end token")
    config.pad_token_id = pad
    return pad


def trained_model(training: FineTuning, labels: Sequence[str]) -> PreTrainedModel:
    """The model to go on from, in float32; with a new output layer, or all weights random, where that is wanted."""
    names: dict[str, Any] = {
        "id2label": dict(enumerate(labels)),
        "label2id": {name: i for i, name in enumerate(labels)},
    }
    if not labels:
        names = {"num_labels": 1, "problem_type": "regression"}
    if training.scratch:
        folder = training.start_folder()
        config = AutoConfig.from_pretrained(folder, **names)
        seed = training.seed_of_weights
        return read_module(folder, config, AutoModelForSequenceClassification, "classifier", fresh_seed=seed)
    with quiet():  # that the output layer is new is meant, not a reason to warn
        model = AutoModelForSequenceClassification.from_pretrained(
            training.start_folder(), dtype=torch.float32, ignore_mismatched_sizes=training.new_head, **names
        )
    if training.new_head:
        draw_head(model)
    return model


def draw_head(model: PreTrainedModel) -> None:
    """Random weights for all that stands above the model's body, as BERT's are drawn."""
    width = getattr(model.config, "initializer_range", 0.02)
    heads = [module for name, module in model.named_children() if name != model.base_model_prefix]
    for linear in (part for head in heads for part in head.modules() if isinstance(part, torch.nn.Linear)):
        torch.nn.init.normal_(linear.weight, std=width)
        if linear.bias is not None:
            torch.nn.init.zeros_(linear.bias)


def learn_tokenizer(texts: Sequence[str], training: NewBert) -> BertTokenizer:
    """An uncased BERT tokenizer whose WordPiece vocabulary is learnt from the texts."""
    normalizer, splitter = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    words = {word for text in texts for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))}
    # The trainer numbers continuations in the random order of a hash map, and breaks ties by number: number them first.
    continuations = sorted({f"##{letter}" for word in words for letter in word[1:]})
    learner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    learner.normalizer = normalizer  # pyright: ignore[reportAttributeAccessIssue]
    learner.pre_tokenizer = splitter  # pyright: ignore[reportAttributeAccessIssue]
    trainer = trainers.WordPieceTrainer(
        vocab_size=training.vocabulary, special_tokens=SPECIAL_TOKENS + continuations, show_progress=False
    )
    learner.train_from_iterator(texts, trainer)
    return BertTokenizer(vocab=learner.get_vocab(), do_lower_case=True, model_max_length=training.max_length)


def new_bert(training: NewBert, vocabulary: int, labels: Sequence[str]) -> BertForSequenceClassification:
    """A BERT with random weights and no dropout."""
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=training.hidden,
        num_hidden_layers=training.layers,
        num_attention_heads=training.heads,
        intermediate_size=training.inner,
        max_position_embeddings=training.max_length,
        initializer_range=training.initial_range,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    return BertForSequenceClassification(config)
