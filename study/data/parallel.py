"""Translation test sets: local files that are parallel by line, or one of sacrebleu's sets by its own name."""

import logging
import tarfile
import zlib
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import sacrebleu.utils
from omegaconf import MISSING
from sacrebleu.dataset import DATASETS, WMTXMLDataset

from study.data.raw_text import require_raw
from study.data.source import DataSource
from study.record.errors import InputError, StudyError
from study.record.examples import Examples
from study.record.files import name_of
from study.record.lines import did_you_mean, read_lines
from study.record.metrics import Task

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class ParallelFile(DataSource):
    """Two local text files, one sentence a line, the n-th line of one translating the n-th of the other.

    Examples are named by their line, counted from 1.

    Attributes:
        source: what is translated.
        target: the reference translations.
        documents: the id of each line's document, what makes sentences dependent; None: each stands for itself.
        raw: refuse text that looks tokenised or segmented into subwords (see `study.data.raw_text`).
    """

    task: Task = Task.TRANSLATION
    source: Path = MISSING
    target: Path = MISSING
    documents: Path | None = None
    raw: bool = True

    def __post_init__(self) -> None:
        self.name = self.name or name_of(self.source)

    def languages(self) -> tuple[str, str] | None:
        """The last parts of the two names that differ: `en` and `fr` of test.en and test.fr, or of test.en.txt."""
        names = zip(self.source.name.split(".")[::-1], self.target.name.split(".")[::-1], strict=False)
        return next((pair for pair in names if pair[0] != pair[1]), None)

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        paths = [self.source, self.target] + ([self.documents] if self.documents else [])
        source, target, *documents = texts = _read_parallel([path.expanduser() for path in paths])
        for lines, path in zip(texts, paths, strict=True):
            _require_filled(lines, path)
        if self.raw:
            require_raw(source, self.source)
            require_raw(target, self.target)
        return Examples(
            ids=tuple(str(number) for number in range(1, len(source) + 1)),
            texts=tuple((line,) for line in source),
            targets=tuple(target),
            columns={"group": tuple(documents[0])} if documents else {},
        )


def _require_filled(lines: list[str], path: Path) -> None:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            raise InputError(f"{path}:{number}: the line is empty")


def _read_parallel(paths: list[Path]) -> list[list[str]]:
    """The lines of each file, which must be equally many."""
    texts = [read_lines(path) for path in paths]
    require_parallel(paths, texts)
    return texts


def require_parallel(paths: Sequence[Path], texts: Sequence[Sized], unit: str = "lines") -> None:
    """Refuse files whose texts have not equally many lines."""
    if len(set(map(len, texts))) > 1:
        counts = ", ".join(f"{path} has {len(lines)} {unit}" for path, lines in zip(paths, texts, strict=True))
        raise InputError(f"the files are not parallel: {counts}")


@dataclass(kw_only=True)
class SacrebleuSet(DataSource):
    """Test sets of sacrebleu, one after the other; read from its cache (`$SACREBLEU`, else `~/.sacrebleu`) only.

    Examples are named `wmt13:0`, counted from 0, and grouped by document where every set says which it is. Of several
    references the first is taken. A pair of which one side is empty is left out, and counted in the log.

    Attributes:
        test_set: sacrebleu's names, such as `[wmt13]` or `[mtnt1.1/test]`.
        langpair: source and target language, such as `en-fr`.
    """

    task: Task = Task.TRANSLATION
    test_set: list[str] = MISSING
    langpair: str = MISSING

    def languages(self) -> tuple[str, str] | None:
        """See `DataSource.languages`."""
        source, _, target = self.langpair.partition("-")
        return source, target

    def missing(self) -> list[str]:
        """See `DataSource.missing`."""
        return [
            f"sacrebleu's test set {test_set} ({', '.join(DATASETS[test_set].data or [])})"
            for test_set in self._checked_test_sets()
            if not self._is_cached(test_set)
        ]

    def fetch(self) -> None:
        """See `DataSource.fetch`."""
        for test_set in self._checked_test_sets():
            if self._is_cached(test_set):
                continue
            try:
                sacrebleu.utils.download_test_set(test_set, self.langpair)
            # sacrebleu leaves the process when a checksum is wrong: a reason to stop, but with words
            except (OSError, HTTPException, tarfile.TarError, EOFError, zlib.error, SystemExit) as error:
                raise StudyError(
                    f"cannot fetch sacrebleu's test set {test_set}: {error}. "
                    f"Remove {_cache_folder(test_set)} before another try: it may hold half a download"
                ) from error

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        if missing := self.missing():
            raise InputError(
                f"not in sacrebleu's cache {sacrebleu.utils.SACREBLEU_DIR}: {'; '.join(missing)}. "
                f"Run `study fetch` where there is a network"
            )
        rows = [row for test_set in self._checked_test_sets() for row in self._rows(test_set)]
        names, sources, targets, groups = ([row[i] for row in rows] for i in range(4))
        return Examples(
            ids=tuple(names),
            texts=tuple((source,) for source in sources),
            targets=tuple(targets),
            columns={} if "" in groups else {"group": tuple(groups)},
        )

    def _rows(self, test_set: str) -> list[tuple[str, str, str, str]]:
        """Name, source, target and document of each pair; an empty text where the set has no documents."""
        try:
            source, target, *documents = _read_parallel(self._files(test_set))
        except InputError as error:
            raise InputError(f"{error}. Remove {_cache_folder(test_set)} and run `study fetch` again") from error
        column = [f"{test_set}:{document}" for document in documents[0]] if documents else [""] * len(source)
        pairs = enumerate(zip(source, target, column, strict=True))
        rows = [(f"{test_set}:{i}", *pair) for i, pair in pairs if pair[0].strip() and pair[1].strip()]
        if len(rows) < len(source):
            log.warning(
                "%s: %d of %d pairs left out, one side is empty", test_set, len(source) - len(rows), len(source)
            )
        return rows

    def _is_cached(self, test_set: str) -> bool:
        return all(path.is_file() for path in self._files(test_set))

    def _files(self, test_set: str) -> list[Path]:
        """Where sacrebleu keeps the source, the first reference and, if the set has them, the document ids.

        Its own functions say where, too, but they download what is not there.
        """
        fields = DATASETS[test_set].fieldnames(self.langpair)
        reference = next(field for field in fields if field.startswith("ref"))
        wanted = ["src", reference] + (["docid"] if "docid" in fields else [])
        stem = f"{test_set.replace('/', '_')}.{self.langpair}"
        return [_cache_folder(test_set) / f"{stem}.{field.replace(':', '-')}" for field in wanted]

    def _checked_test_sets(self) -> list[str]:
        for test_set in self.test_set:
            if test_set not in DATASETS:
                raise InputError(f"sacrebleu has no test set '{test_set}'{did_you_mean(test_set, DATASETS)}")
            dataset = DATASETS[test_set]
            if isinstance(dataset, WMTXMLDataset):
                raise InputError(
                    f"the test set {test_set} is of WMT's newer XML format, which is not read here: write it to text "
                    f"files with `sacrebleu -t {test_set} -l {self.langpair} --echo src` (and `ref`), "
                    f"and take data=parallel_file"
                )
            if self.langpair not in dataset.langpairs:
                pairs = ", ".join(dataset.langpairs)
                raise InputError(f"the test set {test_set} has no language pair '{self.langpair}', only {pairs}")
        if len(set(self.test_set)) < len(self.test_set) or not self.test_set:
            raise InputError(f"data.test_set must name one or more sets, each once: {list(self.test_set)}")
        return list(self.test_set)


def _cache_folder(test_set: str) -> Path:
    return Path(sacrebleu.utils.SACREBLEU_DIR) / test_set
