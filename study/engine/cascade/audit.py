"""The audit of a job's drafts: first where errors are likely, then at random, which bounds how many are wrong.

The first may raise thresholds, and no bound follows from it. The second is drawn from the drafts that stand once
nothing is open any more, with a seed that depends on no outcome; all that is drawn is computed exactly and stored.
Where one is wrong, thresholds rise under its mask, what they open is computed, and another round is drawn, judged at
half of the probability of error.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool

from study.engine.evaluator import Evaluator
from study.engine.pairs import TableRequest
from study.engine.precision import Cascade
from study.record.cascade import Audit, MaskSample, PartialRequest, Stage, Thresholds
from study.record.cascade.audit_files import AuditError, read_audits, write_audit
from study.record.cascade.decisions import differ
from study.record.cascade.limits import round_alpha, sample_size
from study.record.cascade.stage import STAGE, is_draft
from study.record.errors import are
from study.record.files import short_hash
from study.record.parts import StoreError
from study.record.store import read_examples
from study.record.tables import OUTCOMES

log = logging.getLogger(__name__)

KEYS = ["mask", "example"]

TRIES = 10
"""How often what is missing is computed: a draft that another share has opened meanwhile is exact next time."""


@dataclass(frozen=True)
class Auditor:
    """What audits a job.

    Attributes:
        evaluator: what gives and computes its outcomes.
        requests: the outcomes that it asked for, the full mask's among them; some perhaps of a part of the examples.
        cascade: how careful to be.
        share: number of the share of the examples that it computes, from 0.
        shards: how many shares there are.
    """

    evaluator: Evaluator
    requests: Sequence[TableRequest]
    cascade: Cascade
    share: int
    shards: int

    @property
    def passed(self) -> bool:
        """Whether all outcomes are stored, and an audit has spoken for all drafts among them; computes nothing."""
        if self._missing():
            return False
        drafts = dict(self._drafts().group_by("mask").len().iter_rows())
        return any(
            audit.passed and all(number <= audit.masks[mask].left for mask, number in drafts.items())
            for audit in self._rounds()
        )

    def run(self) -> bool:
        """Audit until a round is passed; whether thresholds rose, so that outcomes may be others than before."""
        raised = False
        while True:  # a round is passed, or makes a wrong draft exact: there are only so many drafts, and none anew
            self._require()
            if self.passed:
                return raised
            begun = next((audit for audit in self._rounds() if audit.passed is None), None)
            if begun is None:
                looked, wrong = self._look_where_likely()
                raised |= wrong > 0
                begun = self._draw({"looked": float(looked), "wrong": float(wrong)})
            audit, wrong_rows = self._judged(begun)
            if wrong_rows.height:
                self._raise(wrong_rows)
                raised = True
            write_audit(audit, self._folder)
            _say(audit)

    def _require(self) -> None:
        """Compute the outcomes that are missing, until none is: other shares may open drafts meanwhile.

        Raises:
            StoreError: when some are missing however often they are computed.
        """
        missing, tries = self._missing(), 0
        while missing and tries < TRIES:
            self.evaluator.require(self.requests)
            missing, tries = self._missing(), tries + 1
        if not missing:
            return
        number, (mask, places) = sum(len(places) for _, places in missing), missing[0]
        first = self.evaluator.examples.ids[places[0]]
        raise StoreError(
            f"{self._folder}: {number:,} decisions are missing still, though they were "
            f"computed {TRIES} times, the first is example '{first}' under mask {mask}. "
            f"Either other jobs raise thresholds all the time, then run this one again when they have ended; or this "
            f"is a fault of the cascade, then compute with precision=float32"
        )

    def _missing(self) -> list[tuple[str, list[int]]]:
        """The masks that lack outcomes, with the positions of their examples."""
        return [lacking for one in self.requests for lacking in self.evaluator.lacking(one).items()]

    @property
    def _keys(self) -> list[str]:
        return list(dict.fromkeys(key for asked in self.requests for key in self.evaluator.keys(asked.masks)))

    @property
    def _folder(self) -> Path:
        return self.evaluator.store.folder

    def _rows(self) -> pl.DataFrame:
        """The outcomes of the job that stand."""
        rows = self.evaluator.store.read(OUTCOMES).rows
        own, asked = self.evaluator.examples.ids, []
        for one in self.requests:
            examples = own if one.examples is None else set(own) & set(one.examples)
            asked.append(pl.col("mask").is_in(self.evaluator.keys(one.masks)) & pl.col("example").is_in(list(examples)))
        return rows.filter(pl.any_horizontal(asked))

    def _drafts(self) -> pl.DataFrame:
        """Those that are drafts, in an order that depends on nothing else."""
        return self._rows().filter(is_draft()).sort(KEYS)

    def _rounds(self) -> list[Audit]:
        """The rounds of this audit so far: those of the same masks and examples."""
        own = set(self._keys), len(self.evaluator.whole), self._partly()
        return [audit for audit in self._spent() if (set(audit.masks), audit.examples, audit.partly) == own]

    def _partly(self) -> tuple[PartialRequest, ...]:
        """The masks that were asked on some examples of this share alone, by the examples."""
        if all(one.examples is None for one in self.requests):
            return ()
        places, share = self._places(), set(self.evaluator.examples.ids)
        asked: dict[str, set[str]] = defaultdict(set)
        for one in self.requests:
            for key in self.evaluator.keys(one.masks):
                asked[key] |= share if one.examples is None else share & set(one.examples)
        groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
        for key, names in asked.items():
            if names != share:
                groups[tuple(sorted(places[name] for name in names))].append(key)
        return tuple(PartialRequest(tuple(sorted(masks)), examples) for examples, masks in sorted(groups.items()))

    def _places(self) -> dict[str, int]:
        """The place of each example in the setting's file."""
        return {name: place for place, name in enumerate(read_examples(self._folder)["example"])}

    def _spent(self) -> list[Audit]:
        """The rounds so far of all audits of this share, of whatever masks: each has spent some probability of error.

        Raises:
            AuditError: when a file cannot be read: a round that is forgotten would be drawn again at the same alpha.
        """
        rounds, wrong = read_audits(self._folder)
        if wrong:
            raise AuditError(f"{'; '.join(wrong)}, once the file is removed")
        return [audit for audit in rounds if (audit.share, audit.shards) == (self.share, self.shards)]

    def _look_where_likely(self) -> tuple[int, int]:
        """Compute decisions near their thresholds and predicted flips exactly, until none is wrong.

        Returns:
            How many were looked at, and how many of them were wrong.
        """
        looked = found = 0
        while self.cascade.purposive:
            chosen = self._likely_wrong()
            self.evaluator.exactly(chosen.select(KEYS))
            wrong = self._wrong(chosen)[0]
            looked, found = looked + chosen.height, found + wrong.height
            if not wrong.height:
                break
            self._raise(wrong)
            self._require()
        return looked, found

    def _likely_wrong(self) -> pl.DataFrame:
        """The drafts nearest their thresholds, half of them of those that differ from the full mask's decision."""
        drafts, thresholds = self._drafts(), self.evaluator.store.thresholds
        known = [(str(stage), mask, value) for stage, own in thresholds.values.items() for mask, value in own.items()]
        of = pl.DataFrame(known, schema={STAGE: pl.String, "mask": pl.String, "limit": pl.Float64}, orient="row")
        near = drafts.join(of, on=[STAGE, "mask"], how="left").with_columns(
            flips=pl.Series(self._flips(drafts), dtype=pl.Boolean), near=pl.col("margin") / pl.col("limit")
        )
        near = near.sort("near", *KEYS, nulls_last=True)
        half = self.cascade.purposive // 2
        some = near.filter("flips").head(half)
        return pl.concat([some, near.join(some, on=KEYS, how="anti").head(self.cascade.purposive - some.height)])

    def _flips(self, rows: pl.DataFrame) -> Bool[np.ndarray, " rows"]:
        """Whether each decision is another one than under the full mask."""
        full = self.evaluator.layout.key(self.evaluator.layout.full())
        whole = self.evaluator.store.read(OUTCOMES).rows.filter(pl.col("mask") == full)
        base = rows.select("example").join(whole, on="example", how="left", maintain_order="left")
        return differ(rows, base, self._examples)

    @property
    def _examples(self) -> pl.DataFrame:
        return self.evaluator.examples.to_frame()

    def _wrong(self, chosen: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The drafts that decide otherwise than what is exact, and the exact rows of all."""
        pairs = chosen.select(KEYS)
        drafts = pairs.join(self.evaluator.store.drafts(), on=KEYS, how="inner", maintain_order="left")
        exact = drafts.select(KEYS).join(
            self.evaluator.store.read(OUTCOMES).rows, on=KEYS, how="inner", maintain_order="left"
        )
        assert exact.height == pairs.height, "decisions that were to be looked at are not stored"
        return drafts.filter(differ(drafts, exact, self._examples)), exact

    def _raise(self, wrong: pl.DataFrame) -> None:
        """Let thresholds rise where drafts were wrong; an error is at least the margin of a wrong draft."""
        least: dict[Stage, dict[str, float]] = {}
        for stage, mask, margin in wrong.select(STAGE, "mask", "margin").iter_rows():
            own = least.setdefault(Stage(stage), {})
            own[mask] = max(own.get(mask, 0.0), self.cascade.safety * margin)
        self.evaluator.raise_thresholds(wrong, Thresholds(least))
        masks = wrong["mask"].n_unique()
        were = "was" if wrong.height == 1 else "were"
        log.info(
            f"cascade: {wrong.height} of the drafts looked at {were} wrong, under {masks} "
            f"{'mask' if masks == 1 else 'masks'}: thresholds rise, and what they open is computed"
        )

    def _draw(self, purposive: dict[str, float]) -> Audit:
        """The next round, its sample drawn and kept, so that a killed job goes on with it."""
        number = 1 + max((audit.round for audit in self._spent()), default=0)
        alpha = round_alpha(self.cascade.confidence, number, self.shards)
        identity = [self.evaluator.setting.id, self.share, self.shards, number]
        seed, drafts = int(short_hash(identity), 16) % 2**32, self._drafts().select(KEYS)
        size = sample_size(drafts.height, self.cascade.bound, alpha)
        places = np.sort(np.random.default_rng(seed).choice(drafts.height, size, replace=False))
        place = self._places()
        drawn = {
            str(mask): tuple(place[name] for name in rows["example"])
            for (mask,), rows in drafts[places].group_by("mask", maintain_order=True)
        }
        counts = dict(drafts.group_by("mask").len().iter_rows())
        stages = self._rows().group_by(STAGE).len().sort(STAGE)
        audit = Audit(
            round=number,
            seed=seed,
            share=self.share,
            shards=self.shards,
            examples=len(self.evaluator.whole),
            bound=self.cascade.bound,
            confidence=self.cascade.confidence,
            alpha=alpha,
            masks={key: MaskSample(counts.get(key, 0), len(drawn.get(key, ()))) for key in self._keys},
            drawn=drawn,
            stages=dict(stages.iter_rows()),
            purposive=purposive,
            partly=self._partly(),
        )
        write_audit(audit, self._folder)
        return audit

    def _judged(self, audit: Audit) -> tuple[Audit, pl.DataFrame]:
        """The round once its sample is computed, and the drafts of it that are wrong."""
        began = time.monotonic()
        names = read_examples(self._folder)["example"]
        drawn = [(mask, names[place]) for mask, places in audit.drawn.items() for place in places]
        chosen = pl.DataFrame(drawn, schema=dict.fromkeys(KEYS, pl.String), orient="row")
        exact = self.evaluator.store.read(OUTCOMES).rows.filter(~is_draft())
        self.evaluator.exactly(chosen.join(exact, on=KEYS, how="anti", maintain_order="left"))
        wrong, exact = self._wrong(chosen)
        flipped = exact.filter(self._flips(exact)) if exact.height else exact
        counts = dict(wrong.group_by("mask").len().iter_rows())
        judged = replace(
            audit,
            masks={key: replace(one, wrong=counts.get(key, 0)) for key, one in audit.masks.items()},
            flips=flipped.height,
            wrong_flips=flipped.join(wrong, on=KEYS, how="semi").height,
            passed=not wrong.height,
            seconds=time.monotonic() - began,
        )
        return judged, wrong


def _say(audit: Audit) -> None:
    of, seen = audit.together, f"cascade: audit, round {audit.round}"
    if not of.population:
        log.info("%s: no decision is a draft, all are exact", seen)
    elif audit.passed:
        others = (
            f"of the other {of.left:,}, at most {are(of.unseen(audit.alpha))}, with {100 * audit.confidence:g} % "
            f"confidence over all rounds"
            if of.left
            else "there are no others"
        )
        log.info(
            f"{seen}: none of {of.sample:,} drafts drawn at random is wrong ({audit.flips:,} of them decide otherwise "
            f"than the full mask); {others}"
        )
    else:
        wrong = are(of.wrong, f" of {of.sample:,} drafts drawn at random")
        log.info(
            f"{seen}: {wrong} wrong ({audit.wrong_flips:,} of {audit.flips:,} that decide otherwise than the full "
            f"mask): another round follows"
        )
