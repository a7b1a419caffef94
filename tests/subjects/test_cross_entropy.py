"""Cross entropy, plain and label-smoothed: against the definition, torch, and fairseq's own criterion."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from study.subjects.cross_entropy import cross_entropy
from study.training.fairseq.translator import fairseq_environment

PAD = 1
LOGITS = 3 * torch.randn(4, 6, 11, generator=torch.Generator().manual_seed(0))
GOLD = torch.tensor([[2, 3, 4, 5, 6, 7], [8, 9, 10, 2, PAD, PAD], [0, PAD, PAD, PAD, PAD, PAD], [5, 5, 5, 5, 5, 2]])


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.7])
def test_it_is_the_cross_entropy_with_the_smoothed_target(epsilon: float) -> None:
    found = cross_entropy(LOGITS, GOLD, epsilon, pad=PAD).numpy()
    for place in np.ndindex(*GOLD.shape):
        target = np.full(11, epsilon / 10)
        target[GOLD[place]] = 1 - epsilon
        p = np.exp(LOGITS[place].double().numpy())
        expected = 0.0 if GOLD[place] == PAD else -(target * np.log(p / p.sum())).sum()
        assert found[place] == pytest.approx(expected, rel=1e-5)


def test_the_plain_one_is_torchs() -> None:
    expected = torch.nn.functional.cross_entropy(LOGITS[:, 0], GOLD[:, 0], reduction="none")
    assert torch.allclose(cross_entropy(LOGITS[:, 0], GOLD[:, 0], 0.0), expected)


@pytest.mark.skipif(importlib.util.find_spec("fairseq") is None, reason="fairseq is not installed")
@pytest.mark.fairseq
def test_it_is_what_fairseqs_criterion_sums(tmp_path: Path) -> None:
    torch.save({"logits": LOGITS, "gold": GOLD}, tmp_path / "in.pt")
    code = (
        "import sys, torch; "
        "from fairseq.criterions.label_smoothed_cross_entropy import label_smoothed_nll_loss as criterion; "
        "data = torch.load(sys.argv[1]); logp = data['logits'].log_softmax(-1).view(-1, 11); "
        f"sums = criterion(logp, data['gold'].view(-1), 0.1, ignore_index={PAD}, reduce=True); "
        "print(*map(float, sums))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "in.pt")]
    done = subprocess.run(command, env=fairseq_environment(), capture_output=True, text=True, check=True)
    smoothed, plain = map(float, done.stdout.split())
    assert cross_entropy(LOGITS, GOLD, 0.1, pad=PAD).sum().item() == pytest.approx(smoothed, rel=1e-5)
    assert cross_entropy(LOGITS, GOLD, 0.0, pad=PAD).sum().item() == pytest.approx(plain, rel=1e-5)
