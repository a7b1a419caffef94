"""Training of a small BERT on pairs of texts, from nothing to a plain transformers folder.

What is random comes from the recipe's seed alone, and the caller's random state is left as it was: on one machine, with
one number of threads, the same recipe and data give the same weights.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

from study.data.examples import Examples
from study.errors import InputError
from study.progress import progress
from study.training.recipes import ClassifierRecipe

log = logging.getLogger(__name__)

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
EVALUATION_BATCH = 250


@dataclass(frozen=True)
class Encoded:
    """Examples as tokens, ready to be put into batches.

    Attributes:
        inputs: what the tokenizer made of each example: token ids, segment ids.
        labels: index of each example's label.
    """

    inputs: list[dict[str, list[int]]]
    labels: Int[Tensor, " examples"]

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def lengths(self) -> Int[Tensor, " examples"]:
        """Tokens of each example."""
        return torch.tensor([len(row["input_ids"]) for row in self.inputs])


def train_classifier(recipe: ClassifierRecipe, train: Examples, dev: Examples, folder: Path) -> float:
    """Train on `train` and save model and tokenizer, as transformers would, into an existing folder.

    Returns:
        Accuracy on `dev`, in percent.

    Raises:
        InputError: when there is nothing to learn (no example, one label only), or `dev` is empty or has other labels.
    """
    labels = _learnable(train, dev)
    tokenizer = learn_tokenizer([text for texts in train.texts for text in texts], recipe)
    with _one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = new_model(recipe, len(tokenizer), labels)
        fit(model, tokenizer, encode(train, tokenizer, labels, recipe.max_length), recipe)
    accuracy = evaluate(model, tokenizer, encode(dev, tokenizer, labels, recipe.max_length))
    log.info("trained on %d examples: %.1f %% of %d others are right", len(train), accuracy, len(dev))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return accuracy


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread within the block: so small a model gains nothing by more, and its weights depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _learnable(train: Examples, dev: Examples) -> tuple[str, ...]:
    """The labels to learn, in the order of the model's outputs."""
    if len(train.labels) < 2:
        raise InputError(f"nothing to learn from {len(train)} training examples with the labels {list(train.labels)}")
    if not len(dev):
        raise InputError("the dev set is empty")
    unknown = sorted(set(dev.labels) - set(train.labels))
    if unknown:
        raise InputError(f"the dev set has labels {unknown}, the training set only {list(train.labels)}")
    return train.labels


def learn_tokenizer(texts: Sequence[str], recipe: ClassifierRecipe) -> BertTokenizer:
    """An uncased BERT tokenizer whose WordPiece vocabulary is learnt from the texts."""
    normalizer, splitter = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    words = {word for text in texts for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))}
    # The trainer numbers continuations in the random order of a hash map, and breaks ties by number: number them first.
    continuations = sorted({f"##{letter}" for word in words for letter in word[1:]})
    learner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    learner.normalizer = normalizer  # pyright: ignore[reportAttributeAccessIssue]
    learner.pre_tokenizer = splitter  # pyright: ignore[reportAttributeAccessIssue]
    trainer = trainers.WordPieceTrainer(
        vocab_size=recipe.vocabulary, special_tokens=SPECIAL_TOKENS + continuations, show_progress=False
    )
    learner.train_from_iterator(texts, trainer)
    return BertTokenizer(vocab=learner.get_vocab(), do_lower_case=True, model_max_length=recipe.max_length)


def new_model(recipe: ClassifierRecipe, vocabulary: int, labels: Sequence[str]) -> BertForSequenceClassification:
    """A BERT with random weights, from torch's current random state."""
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=recipe.hidden,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        intermediate_size=recipe.inner,
        max_position_embeddings=recipe.max_length,
        initializer_range=recipe.initial_range,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    return BertForSequenceClassification(config)


def encode(examples: Examples, tokenizer: BertTokenizer, labels: Sequence[str], max_length: int) -> Encoded:
    """Tokens and label indices of examples; longer inputs are cut at `max_length` tokens."""
    encoding = tokenizer(
        [texts[0] for texts in examples.texts],
        [texts[1] for texts in examples.texts] if len(examples.texts[0]) == 2 else None,
        truncation=True,
        max_length=max_length,
        return_attention_mask=False,
    )
    inputs = [dict(zip(encoding, row, strict=True)) for row in zip(*encoding.values(), strict=True)]
    return Encoded(inputs, torch.tensor([labels.index(target) for target in examples.targets]))


def epoch_batches(lengths: Int[Tensor, " examples"], batch_size: int, generator: torch.Generator) -> list[list[int]]:
    """The examples of one epoch, each once, in batches of similar length, in random order."""
    order = torch.randperm(len(lengths), generator=generator)
    chunks = [chunk[lengths[chunk].argsort(stable=True)] for chunk in order.split(50 * batch_size)]
    batches = [batch.tolist() for chunk in chunks for batch in chunk.split(batch_size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def fit(
    model: BertForSequenceClassification, tokenizer: BertTokenizer, data: Encoded, recipe: ClassifierRecipe
) -> None:
    """Train the model as the recipe says."""
    generator = torch.Generator().manual_seed(recipe.seed)
    epochs = [epoch_batches(data.lengths, recipe.batch_size, generator) for _ in range(recipe.epochs)]
    steps = sum(map(len, epochs))
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: triangle((step + 1) / (steps + 1), recipe.warmup)
    )
    model.train()
    with progress("training the classifier", steps, "steps") as advance:
        for batch in (batch for batches in epochs for batch in batches):
            loss = model(**_tensors(data, batch, tokenizer)).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            advance(1)
    model.eval()


def triangle(progress: float, warmup: float) -> float:
    """Share of the peak learning rate: up from 0 to 1 until `warmup`, down to 0 at the end of the training."""
    return progress / warmup if progress < warmup else (1 - progress) / (1 - warmup)


@torch.inference_mode()
def evaluate(model: BertForSequenceClassification, tokenizer: BertTokenizer, data: Encoded) -> float:
    """Accuracy in percent."""
    right = 0
    for first in range(0, len(data), EVALUATION_BATCH):
        batch = _tensors(data, range(first, min(first + EVALUATION_BATCH, len(data))), tokenizer)
        right += int((model(**batch).logits.argmax(-1) == batch["labels"]).sum())
    return 100 * right / len(data)


def _tensors(data: Encoded, rows: Sequence[int], tokenizer: BertTokenizer) -> dict[str, Tensor]:
    """Examples as the model's keyword arguments, padded to the longest of them."""
    padded = tokenizer.pad([data.inputs[row] for row in rows], return_tensors="pt")
    return {**padded, "labels": data.labels[list(rows)]}
