"""Training of a transformer by fairseq, from raw text to a folder like those of published fairseq models.

    raw text --sacremoses--> tokens --subword-nmt--> subwords --fairseq_cli.preprocess, .train--> checkpoint<epoch>.pt

fairseq runs as processes of its own and is never imported: within a Hydra application it would overwrite Hydra's
configuration store. It may live in another environment; `python` names the interpreter. A killed training goes on from
the last whole epoch, with the same batches and learning rates; fairseq draws other dropout masks then than undisturbed.
"""

import contextlib
import io
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

from study.record.errors import InputError, Interruption, MissingPackageError, StudyError
from study.record.examples import Examples
from study.record.files import whole_file
from study.terminal.progress import progress
from study.training.fairseq.log import LOG_FILE, LogReader
from study.training.fairseq.options import TranslationTraining
from study.training.folder import training_folder, whole_folder
from study.training.training import limited

log = logging.getLogger(__name__)

CODES_FILE = "bpe.codes"
CHECKPOINT_FILE = "checkpoint_best.pt"
LINES_SHOWN = 15

INSTALL = (
    "Install it there, on Linux x86-64 with Python 3.11 or 3.12, by `pip install --no-deps ve-fairseq==0.12.3` and "
    "`pip install 'sixteen-heads[fairseq]'`, or name the interpreter of an environment that has it"
)


def train_translator(training: TranslationTraining, folder: Path, recorded: Callable[[], None] = lambda: None) -> None:
    """Train, or go on where an earlier run was stopped; see `TrainedModel.train`.

    The folder gets the checkpoints that are kept, `checkpoint_best.pt` (the epoch of least loss on the dev data),
    `dict.<source>.txt`, `dict.<target>.txt`, `bpe.codes`, `train.log` and the history.

    Raises:
        MissingPackageError: when the interpreter has no fairseq.
        InputError: when there is no such interpreter, a text is empty, or the folder holds another training.
        StudyError: when fairseq fails.
    """
    python = training.python or sys.executable
    require_fairseq(python)
    with training_folder(folder, training.identity()):
        if not training.lacking(folder):
            return
        work = folder.absolute() / "work"
        if not work.is_dir():
            with whole_folder(work) as draft:
                prepare(training, draft, folder.absolute() / LOG_FILE)
        sentences = len(limited(training.train_set))
        with progress("training the translator", training.epochs * sentences, "sentences") as advance:
            reader = LogReader(training, folder, work / "checkpoints", sentences, advance, recorded)
            command = [python, "-m", "fairseq_cli.train", *train_arguments(training, reader.newest())]
            try:
                run_logged(command, work, folder.absolute() / LOG_FILE, reader.read, threads=int(training.small))
            except KeyboardInterrupt:
                epoch = reader.newest()
                again = f"goes on after epoch {epoch}" if epoch else "begins it anew, as its first epoch is not over"
                said = f"The training of {training.epochs} epochs is not done: the same command {again}"
                raise Interruption(said) from None
            reader.write_history()
        hand_over(training, work, folder, reader.best())


def prepare(training: TranslationTraining, work: Path, log_path: Path) -> None:
    """Text as tokens and subwords, and as fairseq's binary files, in an existing folder."""
    sets = {"train": limited(training.train_set), "valid": limited(training.dev_set)}
    prepare_text(training, sets, work / CODES_FILE, work)
    languages = ["--source-lang", training.source, "--target-lang", training.target]
    files = ["--trainpref", "train", "--validpref", "valid", "--destdir", "data", "--joined-dictionary"]
    run_logged([training.python or sys.executable, "-m", "fairseq_cli.preprocess", *languages, *files], work, log_path)


def hand_over(training: TranslationTraining, work: Path, folder: Path, best: int) -> None:
    """Move what is kept out of the folder of the work, the last checkpoint last, and remove the rest."""
    files = [work / CODES_FILE, *(work / "data" / f"dict.{x}.txt" for x in (training.source, training.target))]
    copies = {folder / file.name: file for file in files}
    copies[folder / CHECKPOINT_FILE] = training.checkpoint(work / "checkpoints", float(best))
    for epoch in training.kept_epochs:
        copies[training.checkpoint(folder, epoch)] = training.checkpoint(work / "checkpoints", epoch)
    for copy, file in copies.items():
        with whole_file(copy) as draft:
            shutil.copyfile(file, draft)
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


def prepare_text(training: TranslationTraining, sets: dict[str, Examples], codes: Path, work: Path) -> None:
    """Tokenise, learn joint subwords on the set `train`, and write `<set>.<language>` files, one sentence a line."""
    sides = {
        f"{name}.{language}": _tokenise(language, texts, examples.ids)
        for name, examples in sets.items()
        for language, texts in (
            (training.source, [texts[0] for texts in examples.texts]),
            (training.target, examples.targets),
        )
    }
    corpus = "\n".join(line for side, lines in sides.items() if side.startswith("train.") for line in lines)
    with codes.open("w", encoding="utf-8") as file, contextlib.redirect_stderr(io.StringIO()):
        learn_bpe(io.StringIO(corpus), file, training.merges)
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


def train_arguments(training: TranslationTraining, newest: int | None = None) -> list[str]:
    """What `fairseq_cli.train` is called with, in the folder of the text.

    Args:
        training: options of the training.
        newest: epoch of the checkpoint to go on from; None to begin. fairseq writes that of an epoch whole and copies
            it to `checkpoint_last.pt`, of which a killed process may leave half, so that of the epoch is the one taken.
    """
    same = ("dropout", "label_smoothing", "warmup_updates", "clip_norm", "max_tokens", "weight_decay", "seed")
    options = {name.replace("_", "-"): getattr(training, name) for name in same} | {
        "arch": "transformer",
        "source-lang": training.source,
        "target-lang": training.target,
        "criterion": "label_smoothed_cross_entropy",
        "optimizer": "adam",
        "adam-betas": "(0.9, 0.98)",
        "lr": training.learning_rate,
        "lr-scheduler": "inverse_sqrt",
        "warmup-init-lr": 1e-7,
        "max-epoch": training.epochs,
        "num-workers": 0,
        "save-dir": "checkpoints",
        "log-format": "json",
        "log-interval": 10,
    }
    for side, layers in (("encoder", training.encoder_layers), ("decoder", training.decoder_layers)):
        options |= {f"{side}-layers": layers, f"{side}-attention-heads": training.heads}
        options |= {f"{side}-embed-dim": training.hidden, f"{side}-ffn-embed-dim": training.inner}
    if newest is not None:
        options["restore-file"] = f"checkpoints/checkpoint{newest}.pt"
    switches = ["--share-all-embeddings", "--no-last-checkpoints"]
    if training.pre_norm:
        switches += ["--encoder-normalize-before", "--decoder-normalize-before"]
    return ["data", *switches, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]


def fairseq_environment(own_checkpoint: bool = False, threads: int = 0) -> dict[str, str]:
    """The environment of a fairseq process: this one's, with a number of threads that sleep while they wait.

    Threads that spin take the processor from those that they wait for, wherever something else runs beside.

    Args:
        own_checkpoint: let fairseq unpickle a checkpoint, as it must under torch >= 2.6. Unpickling runs what the file
            says: only for checkpoints that this program made itself.
        threads: CPU threads where the environment names no number; 0: one for each core.
    """
    threading = {"OMP_NUM_THREADS": str(threads or len(os.sched_getaffinity(0))), "OMP_WAIT_POLICY": "PASSIVE"}
    unpickling = {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"} if own_checkpoint else {}
    return {**threading, **os.environ, **unpickling}


def run_logged(
    command: Sequence[str],
    cwd: Path,
    log_path: Path,
    read: Callable[[str], None] = lambda _line: None,
    threads: int = 0,
) -> None:
    """Run a process to its end; every line it prints goes to `read` and to the end of the log.

    Raises:
        StudyError: when it fails.
    """
    last: deque[str] = deque(maxlen=LINES_SHOWN)
    with (
        log_path.open("a", encoding="utf-8") as log_file,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=fairseq_environment(own_checkpoint=True, threads=threads),
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
        raise StudyError(f"{failure}. The log is {log_path}; it ends:\n{''.join(last)}")
