"""Training of a small transformer by fairseq, from raw text to a folder like those of published fairseq models.

    raw text --sacremoses--> tokens --subword-nmt--> subwords --fairseq_cli.preprocess, .train--> checkpoint_best.pt

fairseq runs as processes of its own and is never imported: within a Hydra application it would overwrite Hydra's
configuration store. It may live in another environment; `python` names the interpreter.
"""

import contextlib
import io
import json
import logging
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from sacremoses import MosesTokenizer
from subword_nmt.apply_bpe import BPE
from subword_nmt.learn_bpe import learn_bpe

from study.data.examples import Examples
from study.errors import InputError, MissingPackageError, StudyError
from study.progress import progress
from study.training.recipes import TranslationRecipe

log = logging.getLogger(__name__)

CODES_FILE = "bpe.codes"
CHECKPOINT_FILE = "checkpoint_best.pt"
LOG_FILE = "train.log"
WORK_FOLDER = "work"
LINES_SHOWN = 15

INSTALL = (
    "Install it there, on Linux x86-64 with Python 3.11 or 3.12, by `pip install --no-deps ve-fairseq==0.12.3` and "
    "`pip install 'sixteen-heads[fairseq]'`, or name the interpreter of an environment that has it"
)


class TrainingError(StudyError):
    """A training failed; the message shows the end of its log and where the log is."""


def train_translator(
    recipe: TranslationRecipe, train: Examples, valid: Examples, folder: Path, python: str = sys.executable
) -> None:
    """Train on `train`, keep the weights that are best on `valid`, and leave a fairseq model in an existing folder.

    The folder gets `checkpoint_best.pt`, `dict.<source>.txt`, `dict.<target>.txt`, `bpe.codes` and `train.log`.

    Raises:
        MissingPackageError: when the interpreter has no fairseq.
        InputError: when there is no such interpreter, or a text is empty.
        TrainingError: when fairseq fails.
    """
    require_fairseq(python)
    work = folder.absolute() / WORK_FOLDER
    work.mkdir()
    prepare_text(recipe, {"train": train, "valid": valid}, folder / CODES_FILE, work)
    log_path = folder.absolute() / LOG_FILE
    run_logged([python, "-m", "fairseq_cli.preprocess", *preprocess_arguments(recipe)], work, log_path)
    with progress("training the translator", recipe.max_epochs * len(train), "sentences") as advance:
        command = [python, "-m", "fairseq_cli.train", *train_arguments(recipe)]
        run_logged(command, work, log_path, EpochCounter(len(train), advance).read)
    for name in (CHECKPOINT_FILE, f"dict.{recipe.source}.txt", f"dict.{recipe.target}.txt"):
        (work / "data" / name).replace(folder / name)
    shutil.rmtree(work)


def require_fairseq(python: str = sys.executable) -> None:
    """Make sure that an interpreter has fairseq, without importing it.

    Raises:
        MissingPackageError: when it has none; says how to install it.
        InputError: when there is no such interpreter.
    """
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('fairseq_cli') is None)"
    try:
        found = subprocess.run([python, "-c", look], capture_output=True, check=False).returncode == 0
    except OSError as error:
        raise InputError(f"cannot run the Python interpreter '{python}': {error.strerror or error}") from error
    if not found:
        raise MissingPackageError(f"training a translation model needs fairseq, and {python} has none. {INSTALL}")


def prepare_text(recipe: TranslationRecipe, sets: dict[str, Examples], codes: Path, work: Path) -> None:
    """Tokenise, learn joint subwords on the set `train`, and write `<set>.<language>` files, one sentence a line."""
    sides = {
        f"{name}.{language}": _tokenise(language, texts, examples.ids)
        for name, examples in sets.items()
        for language, texts in (
            (recipe.source, [texts[0] for texts in examples.texts]),
            (recipe.target, examples.targets),
        )
    }
    corpus = "\n".join(line for side, lines in sides.items() if side.startswith("train.") for line in lines)
    with codes.open("w", encoding="utf-8") as file, contextlib.redirect_stderr(io.StringIO()):
        learn_bpe(io.StringIO(corpus), file, recipe.merges)
    with codes.open(encoding="utf-8") as file:
        bpe = BPE(file)
    for side, lines in sides.items():
        (work / side).write_text("".join(f"{bpe.process_line(line)}\n" for line in lines), encoding="utf-8")


def _tokenise(language: str, texts: Sequence[str], ids: Sequence[str]) -> list[str]:
    tokenizer = MosesTokenizer(language)
    lines = [" ".join(tokenizer.tokenize(text, escape=False, aggressive_dash_splits=False)) for text in texts]
    if "" in lines:
        raise InputError(f"the {language} text of example '{ids[lines.index('')]}' is empty")
    return lines


def preprocess_arguments(recipe: TranslationRecipe) -> list[str]:
    """What `fairseq_cli.preprocess` is called with, in the folder of the text."""
    languages = ["--source-lang", recipe.source, "--target-lang", recipe.target]
    return [*languages, "--trainpref", "train", "--validpref", "valid", "--destdir", "data", "--joined-dictionary"]


def train_arguments(recipe: TranslationRecipe) -> list[str]:
    """What `fairseq_cli.train` is called with, in the folder of the text."""
    options = {
        "arch": "transformer",
        "source-lang": recipe.source,
        "target-lang": recipe.target,
        "encoder-layers": recipe.encoder_layers,
        "decoder-layers": recipe.decoder_layers,
        "encoder-attention-heads": recipe.heads,
        "decoder-attention-heads": recipe.heads,
        "encoder-embed-dim": recipe.hidden,
        "decoder-embed-dim": recipe.hidden,
        "encoder-ffn-embed-dim": recipe.inner,
        "decoder-ffn-embed-dim": recipe.inner,
        "dropout": recipe.dropout,
        "criterion": "label_smoothed_cross_entropy",
        "label-smoothing": recipe.label_smoothing,
        "optimizer": "adam",
        "adam-betas": "(0.9, 0.98)",
        "lr": recipe.learning_rate,
        "lr-scheduler": "inverse_sqrt",
        "warmup-updates": recipe.warmup_updates,
        "warmup-init-lr": 1e-7,
        "clip-norm": recipe.clip_norm,
        "max-tokens": recipe.max_tokens,
        "max-epoch": recipe.max_epochs,
        "max-update": recipe.max_updates,
        "seed": recipe.seed,
        "num-workers": 0,
        "save-dir": "data",
        "log-format": "json",
        "log-interval": 10,
    }
    switches = [
        "--share-all-embeddings",
        "--no-epoch-checkpoints",
        "--no-last-checkpoints",
        "--no-save-optimizer-state",
    ]
    if recipe.pre_norm:
        switches += ["--encoder-normalize-before", "--decoder-normalize-before"]
    return ["data", *switches, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]


def fairseq_environment(own_checkpoint: bool = False) -> dict[str, str]:
    """The environment of a fairseq process: this one's, with a number of threads.

    Args:
        own_checkpoint: let fairseq unpickle a checkpoint, as it must under torch >= 2.6. Unpickling runs what the file
            says: only for checkpoints that this program made itself.
    """
    threads = {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}
    unpickling = {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"} if own_checkpoint else {}
    return {**threads, **os.environ, **unpickling}


def run_logged(
    command: Sequence[str], cwd: Path, log_path: Path, read: Callable[[str], None] = lambda _line: None
) -> None:
    """Run a process to its end; every line it prints goes to `read` and to the end of the log.

    Raises:
        TrainingError: when it fails.
    """
    last: deque[str] = deque(maxlen=LINES_SHOWN)
    with (
        log_path.open("a", encoding="utf-8") as log_file,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=fairseq_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                log_file.write(line)
                last.append(line)
                read(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        failure = f"`{' '.join(command[:3])} ...` failed with exit code {process.returncode}"
        raise TrainingError(f"{failure}. The log is {log_path}; it ends:\n{''.join(last)}")


class EpochCounter:
    """Turns fairseq's log into progress: its `train_inner` lines say how many epochs are behind it."""

    def __init__(self, sentences: int, advance: Callable[[int], None]) -> None:
        self._sentences = sentences
        self._advance = advance
        self._done = 0

    def read(self, line: str) -> None:
        """Take in one line of the log; lines of other kinds are left alone."""
        _, found, record = line.partition("| train_inner | ")
        if found:
            done = int(float(json.loads(record)["update"]) * self._sentences)
            self._advance(done - self._done)
            self._done = done
