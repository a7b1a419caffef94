"""Completion with TAB: what a word may become, and that a shell asks for it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sixteen_heads.__main__ import main
from sixteen_heads.completion import SCRIPTS, candidates

ORDERS = {"ablation", "ablation_loss", "file", "gates", "importance", "oracle", "random", "reestimated"}


@pytest.mark.parametrize("option", ["measure/order", "measure.order"])
def test_an_order_is_completed_by_both_of_its_names(option: str) -> None:
    assert set(candidates(["measure=pruning", f"{option}="])) == {f"{option}={order} " for order in ORDERS}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["repo"], ["report "]),
        (["replacement=un"], ["replacement=uniform "]),
        (["run", "exper"], ["experiment="]),
        (["model=toy_c"], ["model=toy_classifier "]),
        (["data=toy_matched,toy_mi"], ["data=toy_matched,toy_mismatched "]),
        (["model=hf_classifier", "model.pat"], ["model.path="]),
        (["measure=pruning", "measure.see"], ["measure.seeds="]),
        (["precision=b"], ["precision=bfloat16 "]),
        (["plan="], ["plan=false ", "plan=true "]),
        (["hydra/launcher=l"], ["hydra/launcher=local_pool "]),
        (["list", "toy_nli_d"], ["toy_nli_dynamics "]),
        (["status", "--fo"], ["--folder "]),
        (["report", "--wa"], ["--wandb "]),
        (["report", "res"], []),
        (["model=nothing_of_this_name", "data=toy_mi"], ["data=toy_mismatched "]),
        (["no_option_of_this_name="], []),
    ],
)
def test_what_a_word_may_become(words: list[str], found: list[str]) -> None:
    assert candidates(words) == found


@pytest.mark.parametrize("shell", [shell for shell in SCRIPTS if shutil.which(shell)])
def test_the_script_of_a_shell_is_one(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    subprocess.run([shell, "-n"], input=capsys.readouterr().out, text=True, check=True, capture_output=True)


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
@pytest.mark.parametrize(
    ("line", "found"), [("study measure=pruning measure.order=or", "oracle "), ("study repor", "report ")]
)
def test_bash_asks_for_it(line: str, found: str, tmp_path: Path) -> None:
    program = tmp_path / "study"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m sixteen_heads "$@"\n')
    program.chmod(0o755)
    asked = (
        f"PATH={tmp_path}:$PATH COMP_LINE='{line}' COMP_POINT={len(line)}; _study; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "-c", f"{SCRIPTS['bash']}\n{asked}"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{found}\n", done.stderr
