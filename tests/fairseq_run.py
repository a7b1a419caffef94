"""Translation by fairseq's own command line, as the reference in tests of parity."""

import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sacremoses import MosesDetokenizer, MosesTokenizer


def fairseq_generate(
    checkpoint: Path, texts: Sequence[str], folder: Path, *, max_len_b: int = 200
) -> list[tuple[str, float]]:
    """Hypotheses and scores in nats per token by fairseq's command line, from text segmented by subword-nmt's."""
    model = checkpoint.parent
    tokenizer, detokenizer = MosesTokenizer("en"), MosesDetokenizer("fr")
    tokens = "".join(tokenizer.tokenize(text, escape=False, return_str=True) + "\n" for text in texts)
    environment = {**os.environ, "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1", "OMP_NUM_THREADS": "1"}

    def run(module: str, *options: str, text: str | None = None) -> str:
        command = [sys.executable, "-m", module, *options]
        done = subprocess.run(command, input=text, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    segmented = run("subword_nmt.apply_bpe", "-c", str(model / "bpe.codes"), text=tokens)
    (folder / "test.en").write_text(segmented, encoding="utf-8")
    dictionaries = ["--srcdict", str(model / "dict.en.txt"), "--tgtdict", str(model / "dict.fr.txt")]
    languages, binary = ["-s", "en", "-t", "fr"], str(folder / "bin")
    run(
        "fairseq_cli.preprocess", *languages, *dictionaries, "--testpref", str(folder / "test"), "--only-source",
        "--destdir", binary,
    )  # fmt: skip
    (folder / "bin/dict.fr.txt").write_bytes((model / "dict.fr.txt").read_bytes())
    output = run(
        "fairseq_cli.generate", binary, *languages, "--path", str(checkpoint), "--cpu",
        "--max-len-b", str(max_len_b), "--beam", "5",
        "--lenpen", "1.0", "--nbest", "1", "--required-batch-size-multiple", "1", "--remove-bpe",
    )  # fmt: skip
    found = {}
    for line in output.splitlines():
        if line.startswith("H-"):
            name, score, hypothesis = line.split("\t")
            found[int(name[2:])] = (detokenizer.detokenize(hypothesis.split()), float(score) * math.log(2))
    return [found[i] for i in sorted(found)]
