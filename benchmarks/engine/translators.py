"""The translation models that are measured, and fairseq's own command line as the other way to run them."""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.engine.classifiers import real_folder
from study.config import compose, to_study
from study.data.parallel import ParallelFile
from study.record.examples import Examples
from study.subjects.fairseq.folder import FairseqConfig, FairseqFolder
from study.subjects.fairseq.text import Dictionary
from study.subjects.subject import TokenRow
from study.subjects.translator import Translator
from study.toy.sources import ToyTranslation
from study.toy.translation import TranslationDomain
from study.training.fairseq.translator import fairseq_environment, require_fairseq

SOURCE, TARGET = "en", "fr"
COPIES = 5
"""How often fairseq gets the sentences: its first half second is warming up, and should not count for much."""

RATE = re.compile(r"Translated [\d,]+ sentences .*\(([\d.]+) sentences/s")


@dataclass(frozen=True)
class Translation:
    """A translation model with sentences.

    Attributes:
        name: what they are.
        source: the model's folder and how it decodes.
        subject: the model.
        examples: raw sentences.
        rows: sentences as ids.
    """

    name: str
    source: FairseqConfig
    subject: Translator
    examples: Examples
    rows: Sequence[TokenRow]


def translator(number: int) -> Translation | None:
    """The Multi30k model; the toy one where that is not at hand; None where it was not made either."""
    real = real_folder()
    if real is not None and (real / "models/multi30k-en-fr").is_dir():
        path, texts = str(real / "models/multi30k-en-fr"), real / "data/multi30k/test_2016_flickr"
        source = FairseqFolder(name="multi30k", path=path, source_lang=SOURCE, target_lang=TARGET)
        examples = ParallelFile(name="flickr", source=Path(f"{texts}.en"), target=Path(f"{texts}.fr")).examples()
        return _translation("Multi30k model", source, examples, number)
    toy = to_study(compose("model=toy_translator", "data=toy_news")).model
    assert isinstance(toy, FairseqConfig)
    if toy.missing():
        return None
    examples = ToyTranslation(name="toy", domain=TranslationDomain.NEWS).examples()
    return _translation("toy translation model", toy, examples, number)


def _translation(name: str, source: FairseqConfig, examples: Examples, number: int) -> Translation:
    some = examples.take(range(min(number, len(examples))))
    subject = source.load(torch.device("cpu"))
    assert isinstance(subject, Translator)
    return Translation(name, source, subject, some, subject.encode(some))


class FairseqGenerate:
    """`fairseq-generate` of the un-masked model; a mask changes nothing in what it costs.

    It unpickles the checkpoint, which runs what the file says: the folder must be one's own.
    """

    def __init__(self, work: Translation, folder: Path) -> None:
        """Write the sentences as subwords and let fairseq number them.

        Raises:
            MissingPackageError: when there is no fairseq.
        """
        require_fairseq()
        self._source, self._model, self._data = work.source, work.source.folder(), folder / "data"
        self._number = len(work.rows) * COPIES
        dictionaries = {language: self._model / f"dict.{language}.txt" for language in (SOURCE, TARGET)}
        words = Dictionary.read(dictionaries[SOURCE]).words
        lines = [" ".join(words[i] for i in row.source[:-1]) for row in work.rows] * COPIES
        (folder / f"test.{SOURCE}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        _run("preprocess", *("--source-lang", SOURCE, "--target-lang", TARGET, "--only-source"),
             *("--srcdict", str(dictionaries[SOURCE]), "--tgtdict", str(dictionaries[TARGET])),
             *("--testpref", str(folder / "test"), "--destdir", str(self._data)))  # fmt: skip
        (self._data / f"dict.{TARGET}.txt").write_bytes(dictionaries[TARGET].read_bytes())

    def seconds(self, batch: int) -> float:
        """Its own decoding time of the sentences once, without what it takes to start."""
        output = _run(
            "generate", str(self._data), *("--source-lang", SOURCE, "--target-lang", TARGET, "--cpu"),
            *("--path", str(self._model / "checkpoint_best.pt"), "--batch-size", str(batch)),
            *("--beam", str(self._source.beam), "--lenpen", str(self._source.lenpen)),
            *("--max-len-a", str(self._source.max_len_a), "--max-len-b", str(self._source.max_len_b)),
            *("--nbest", "1", "--required-batch-size-multiple", "1"),
        )  # fmt: skip
        translated = len(re.findall(r"^H-", output, re.MULTILINE))
        assert translated == self._number, f"fairseq translated {translated} of {self._number} sentences"
        (rate,) = RATE.findall(output)
        return translated / COPIES / float(rate)


def _run(tool: str, *options: str) -> str:
    threads = str(torch.get_num_threads())
    environment = {**fairseq_environment(own_checkpoint=True), "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    command = [sys.executable, "-m", f"fairseq_cli.{tool}", *options]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"fairseq_cli.{tool} failed:\n{done.stderr[-2000:]}")
    return done.stdout + done.stderr
