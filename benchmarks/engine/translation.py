"""All single heads off, by a translation model: against fairseq's command line and transformers' `generate`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool

from benchmarks.counted.arithmetic import translation_bound
from benchmarks.engine.loops import spread
from benchmarks.engine.sweeps import job_engine, single_heads_off, sweep
from benchmarks.engine.translators import FairseqGenerate, Translation, translator
from benchmarks.measure import Way, clocked, fastest, in_turns, repeated
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from study.certification.certify import columns_zeroed
from study.record.errors import MissingPackageError

BATCHES = (16, 32, 64, 128)
FAIRSEQ, GENERATE = "(c) fairseq-generate per mask", "(d) transformers' generate per mask"
TARGETS = {FAIRSEQ: 3.5, GENERATE: 5.0}


def translation(sizes: Sizes) -> Iterator[Row]:
    """The Multi30k model with beam 5; each of the others at its best batch size."""
    work = translator(sizes.sentences)
    if work is None:
        yield Row(part="translation", work="Multi30k model", note="skipped: HEADS_REAL names no folder that has it")
        return
    masks = single_heads_off(work.subject.layout)
    bound = translation_bound(work.subject.module, work.subject.layout, masks, work.source.beam)
    engine = job_engine(work.subject)
    name = f"{work.name}, beam {work.source.beam}: {len(masks)} masks × {len(work.rows)} sentences"
    sweep(engine, work.rows[:2], masks)()  # warm
    with TemporaryDirectory() as folder:
        others: dict[str, tuple[Way, str]] = {}
        try:
            others[FAIRSEQ] = _fairseq(work, Path(folder), len(masks), sizes)
        except MissingPackageError:
            yield Row(part="translation", work=name, against=FAIRSEQ, note="skipped: fairseq is not installed")
        others[GENERATE] = _generate(work, masks, sizes)
        ways = {against: way for against, (way, _) in others.items()}
        timed = in_turns({"ours": repeated(sweep(engine, work.rows, masks), sizes.repeats), **ways}, sizes.repeats)
    for against, (_, how) in others.items():
        yield Row(
            part="translation",
            work=name,
            against=against,
            ours=timed["ours"].seconds,
            theirs=timed[against].seconds,
            bound=bound,
            target=TARGETS[against],
            memory=timed["ours"].memory,
            note=how,
        )


def _fairseq(work: Translation, folder: Path, num_masks: int, sizes: Sizes) -> tuple[Way, str]:
    """Its decoding time alone, of the full mask; scaled."""
    fairseq = FairseqGenerate(work, folder)
    seconds = {batch: fairseq.seconds(batch) for batch in _batches(work)}
    best = min(seconds, key=seconds.__getitem__)
    way = Way([lambda: fairseq.seconds(best)] * sizes.repeats, num_masks)
    return way, f"batch {best}, its decoding time alone, of the full mask, scaled"


def _generate(work: Translation, masks: Bool[np.ndarray, "masks heads"], sizes: Sizes) -> tuple[Way, str]:
    """Some masks; scaled."""
    full, some = work.subject.layout.full(), spread(masks, sizes.slow_masks)
    _generated(work, full, 16)()  # warm
    best = fastest({batch: _generated(work, full, batch) for batch in _batches(work)})
    way = Way([clocked(_generated(work, mask, best)) for mask in some], len(masks))
    return way, f"batch {best}, timed on {len(some)} masks and scaled"


def _batches(work: Translation) -> list[int]:
    """Those that are not much larger than the data."""
    return [batch for batch in BATCHES if batch == BATCHES[0] or batch < 2 * len(work.rows)]


def _generated(work: Translation, mask: Bool[np.ndarray, " heads"], batch: int) -> Callable[[], object]:
    """Sentences sorted by length, through the model's own `generate`."""
    rows = sorted(work.rows, key=lambda row: len(row.source))
    batches = [work.subject.padded(rows[i : i + batch]) for i in range(0, len(rows), batch)]
    source = work.source
    module: Any = work.subject.module  # of a class that mixes `generate` in

    @torch.inference_mode()
    def generate() -> None:
        with columns_zeroed(work.subject, mask):
            for ids, present in batches:
                module.generate(
                    input_ids=ids,
                    attention_mask=present,
                    num_beams=source.beam,
                    length_penalty=source.lenpen,
                    max_length=1 + source.max_len_b,
                    early_stopping=True,
                    do_sample=False,
                )

    return generate
