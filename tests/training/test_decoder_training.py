"""Tests of the training of decoders: what is saved, what is learnt of an example, how a training goes on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fixtures import cases
from fixtures.language_models import DECODERS, tokenizer
from fixtures.language_models import texts as some_texts
from transformers import AutoModelForCausalLM, AutoTokenizer

from study.config import compose, to_study
from study.data.source import DataSource
from study.record.errors import InputError, Interruption
from study.record.examples import Examples
from study.record.metrics import Task
from study.record.training.history import read_history
from study.subjects.language_model.requests import Request
from study.toy.induction import InductionDomain
from study.toy.sources import ToyInduction
from study.training.decoder import TokenSequences, train_decoder
from study.training.decoder_options import DecoderTuning, NewLlama
from study.training.initial_decoder import initial_decoder
from study.training.trained_models import TrainedDecoder
from study.training.trainer import Trainer

TOY = ToyInduction(name="toy", domain=InductionDomain.TRAIN, count=96)
OPTIONS = {"train": TOY, "dev": TOY, "epochs": 1, "batch_size": 16, "learning_rate": 3e-3, "max_length": 64, "seed": 0}
TINY = NewLlama(**OPTIONS, layers=1, heads=2, groups=1, hidden=16, inner=16)


class SomeTexts(DataSource):
    """Texts that are learnt as a whole."""

    def examples(self) -> Examples:
        return some_texts()


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_a_checkpoint_is_a_plain_transformers_model_whose_loss_is_that_of_a_plain_loop(tmp_path: Path) -> None:
    train_decoder(TINY, tmp_path / "run", "cpu", 1)
    folder = tmp_path / "run" / "epoch-1"
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    loss, right, count = 0.0, 0, 0
    for context, rest in TOY.examples().texts:
        known, ids = len(tokenizer(context)["input_ids"]), tokenizer(context + rest, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            likely = model(ids).logits[0, known - 1 : -1].log_softmax(-1)
        targets = ids[0, known:]
        loss -= float(likely.gather(-1, targets[:, None]).sum())
        right, count = right + int((likely.argmax(-1) == targets).sum()), count + len(targets)
    last = read_history(tmp_path / "run")[-1]
    assert last.dev_loss == pytest.approx(loss / count, abs=1e-5)
    assert last.dev_score == pytest.approx(100 * right / count)
    assert (model.config.num_attention_heads, model.config.num_key_value_heads) == (2, 1)


def test_only_what_is_asked_for_is_learnt() -> None:
    """Labels are those of the continuation, wherever padding ends; transformers takes the token after each."""
    data = TokenSequences([Request((5, 6, 7), (8, 9)), Request((5,), (6,))])
    batch = data.batch([0, 1], torch.device("cpu"))
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9], [5, 6, 0, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]
    assert batch["labels"].tolist() == [[-100, -100, -100, 8, 9], [-100, 6, -100, -100, -100]]
    assert data.lengths.tolist() == [5, 2]


def test_a_stopped_training_ends_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training, update = replace(TINY, save_every=2), Trainer.update
    train_decoder(training, tmp_path / "whole", "cpu", 1)

    def stopped(trainer: Trainer, batch: Sequence[int]) -> None:
        if trainer.step == 5:
            raise KeyboardInterrupt
        update(trainer, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", stopped)
        with pytest.raises(Interruption, match="goes on after step 4"):
            train_decoder(training, tmp_path / "stopped", "cpu", 1)
    train_decoder(training, tmp_path / "stopped", "cpu", 1)
    assert weights(tmp_path / "stopped" / "epoch-1") == weights(tmp_path / "whole" / "epoch-1")


def test_a_decoder_learns_more_of_texts(tmp_path: Path) -> None:
    """From a checkpoint of another training, on whole texts in windows."""
    first = replace(TINY, folder=str(tmp_path / "first"))
    origin = TrainedDecoder(name="first", training=first)
    origin.train("cpu", 1)
    data = SomeTexts(name="texts", task=Task.TEXT)
    options = OPTIONS | {"train": data, "dev": data, "max_length": 8, "epochs": 20, "keep": [0.0]}
    second = DecoderTuning(**options, start="", origin=origin)
    second.check()
    train_decoder(second, tmp_path / "second", "cpu", 1)
    assert weights(tmp_path / "second" / "epoch-0") == weights(tmp_path / "first" / "epoch-1")
    history = [record.dev_loss for record in read_history(tmp_path / "second") if record.dev_loss is not None]
    assert history[-1] < history[0]


def test_a_start_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    """Its words would be random, and no one would know."""
    module = cases.build(DECODERS["llama"])
    kept = {name: weight for name, weight in module.state_dict().items() if name != "lm_head.weight"}
    module.save_pretrained(tmp_path, state_dict=kept)
    tokenizer().save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"lack or misfit 1 tensors of LlamaForCausalLM: \['lm_head.weight'\]"):
        initial_decoder(DecoderTuning(**OPTIONS, start=str(tmp_path)), [])


@pytest.mark.parametrize(("changes", "message"), [({"groups": 3}, "multiple"), ({"max_length": 1}, "2 at least")])
def test_values_out_of_range_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(TINY, **changes).check()


def test_data_of_another_task_is_refused() -> None:
    with pytest.raises(InputError, match=r"the training is of text or choice, data 'toy' is for classification"):
        replace(TINY, train=replace(TOY, task=Task.CLASSIFICATION)).check()


def test_the_identity_follows_sizes_and_data() -> None:
    assert TINY.id == replace(TINY, keep=[0.5], record_every=9, folder="x", small=True).id
    ids = {replace(TINY, **change).id for change in ({"groups": 2}, {"inner": 8}, {"train": replace(TOY, seed=1)})}
    assert len(ids | {TINY.id}) == 4
    assert replace(TINY, order_seed=5).initial() == TINY.initial() != replace(TINY, weights_seed=5).initial()


def test_the_toy_decoder_is_what_its_page_says() -> None:
    training = to_study(compose("model=toy_decoder", "data=toy_induction")).model.training
    assert (training.layers, training.heads, training.groups, training.hidden) == (2, 4, 2, 48)
