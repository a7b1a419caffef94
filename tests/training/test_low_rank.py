"""Low-rank updates as a control: as many numbers as free heads have, added to whole projections, gated as these are."""

from pathlib import Path

import pytest
import torch
from fixtures.second_tasks.later import FREED, HEADS, later_training, reuse, teach
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from study.masking.gate import Gate
from study.record.training.tasks import TASKS_FILE, read_tasks
from study.record.units import Head
from study.reuse.options import LowRank
from study.subjects.tasks.head_parts import HeadParts
from study.training.second_task.low_rank import LowRankMethod

ROLES = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")


def begun(place: Path, **options: float) -> tuple[PreTrainedModel, Gate, LowRankMethod]:
    """The tiny BERT with updates that are not zero, as after some steps."""
    model = AutoModelForSequenceClassification.from_pretrained(place / "model").eval()
    gate, method = Gate.on(model, causal=False), LowRankMethod(reuse(LowRank, **options))
    model.requires_grad_(requires_grad=False)
    method.begin(model, HeadParts(model, gate.sites), [Head.parse(head) for head in FREED])
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3
    return model, gate, method


def answers(model: PreTrainedModel, gate: Gate, xi: torch.Tensor | None = None) -> torch.Tensor:
    tokens = torch.arange(5, 17)[None]
    with torch.no_grad(), gate.masked(xi):
        return model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits


def test_the_rank_is_that_whose_numbers_are_nearest_to_those_of_the_free_heads(place: Path) -> None:
    model, _, method = begun(place)
    moving = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    wide, size = model.config.hidden_size, model.config.hidden_size // model.config.num_attention_heads
    free = len(FREED) * (4 * wide * size + 3 * size)
    a_rank = 2 * 4 * (wide + wide)
    assert moving == method.rank * a_rank
    assert min(range(1, 50), key=lambda rank: abs(rank * a_rank - free)) == method.rank
    assert begun(place, rank=3)[2].rank == 3


@pytest.mark.parametrize("off", [(), FREED])
def test_whole_projections_compute_what_the_updates_do_also_without_some_heads(
    place: Path, off: tuple[str, ...]
) -> None:
    model, gate, method = begun(place, alpha=5.0, rank=2)
    plain = AutoModelForSequenceClassification.from_pretrained(place / "model").eval()
    before, state = plain.state_dict(), method.state(model)
    assert set(state) == set(before)
    changed = {name for name, tensor in state.items() if not torch.equal(tensor, before[name])}
    assert changed == {f"bert.encoder.layer.{layer}.{role}.weight" for layer in range(2) for role in ROLES}
    assert changed == method.moved(model)
    plain.load_state_dict(state)
    xi = torch.tensor([[float(head not in off) for head in HEADS]])
    found, expected = answers(model, gate, xi), answers(plain, Gate.on(plain, causal=False), xi)
    assert torch.allclose(found, expected, atol=1e-5)
    assert not torch.allclose(found, answers(*begun(place, alpha=1.0, rank=2)[:2], xi), atol=1e-3)


def test_a_task_keeps_whole_projections_and_the_earlier_one_all_that_it_had(place: Path) -> None:
    checkpoint = teach(later_training(place, reuse(LowRank, rank=2)), place / "run")
    chain, start = read_tasks(checkpoint / TASKS_FILE), load_file(place / "model/model.safetensors")
    assert chain.task("nli").on == "1" * len(HEADS)
    shared, own = load_file(checkpoint / "model.safetensors"), load_file(checkpoint / chain.latest.file)
    assert all(torch.equal(tensor, start[name]) for name, tensor in shared.items())
    assert {name for name in own if ".attention." in name} == {
        f"bert.encoder.layer.{layer}.{role}.weight" for layer in range(2) for role in ROLES
    }
    assert not [name for name in own if "lora" in name]
