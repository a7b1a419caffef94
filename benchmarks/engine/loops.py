"""The other ways: plain transformers in a loop over masks, as anybody would write it, and as well as it can be."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from benchmarks.measure import Way, clocked, fastest
from study.certification.certify import columns_zeroed
from study.subjects.classifier import Classifier
from study.subjects.subject import TokenRow

PUBLIC_BATCH = 32
BATCHES = (4, 8, 16, 32, 64)


def spread(masks: Bool[np.ndarray, "masks heads"], number: int) -> Bool[np.ndarray, "some heads"]:
    """Some masks, spread evenly: over the layers where masks turn one head off after the other."""
    return masks[np.linspace(0, len(masks) - 1, min(number, len(masks))).round().astype(int)]


class Loop:
    """A plain pass of transformers for each mask and batch; batches are made beforehand.

    Attributes:
        batch: examples at once.
        padded: the length that each example has with its padding.
    """

    def __init__(self, subject: Classifier, rows: Sequence[TokenRow], batch: int, pad_to: int | None = None) -> None:
        """Make the batches.

        Args:
            subject: the classifier.
            rows: the examples.
            batch: examples at once.
            pad_to: a fixed length; otherwise sorted by length, each batch is padded to its longest.
        """
        self.batch, self._subject = batch, subject
        lengths = np.array([len(row.source) for row in rows])
        order = np.arange(len(rows)) if pad_to else np.argsort(lengths, kind="stable")
        self._batches, self.padded = [], []
        for some in np.split(order, range(batch, len(rows), batch)):
            longest = pad_to or int(lengths[some].max())
            self.padded += [longest] * len(some)
            self._batches.append((some, self._inputs([rows[i] for i in some.tolist()], longest)))
        self._number = len(rows)

    def _inputs(self, rows: Sequence[TokenRow], longest: int) -> dict[str, Tensor]:
        def padded(texts: Sequence[Sequence[int]]) -> Tensor:
            return torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts]).to(self._subject.device)

        inputs = {
            "input_ids": padded([row.source for row in rows]),
            "attention_mask": padded([[1] * len(row.source) for row in rows]),
        }
        segments = [row.segments for row in rows if row.segments is not None]
        return {**inputs, "token_type_ids": padded(segments)} if segments else inputs

    @torch.inference_mode()
    def predictions(self, mask: Bool[np.ndarray, " heads"]) -> Int[np.ndarray, " examples"]:
        """Predictions of all examples under a mask."""
        found = np.zeros(self._number, dtype=np.int64)
        with columns_zeroed(self._subject, mask):
            for some, inputs in self._batches:
                found[some] = self._subject.module(**inputs).logits.argmax(1).cpu().numpy()
        return found

    def way(self, masks: Bool[np.ndarray, "masks heads"], number: int) -> Way:
        """Measurement on some of the masks, scaled to all."""
        return Way([clocked(lambda mask=mask: self.predictions(mask)) for mask in spread(masks, number)], len(masks))


def best_loop(subject: Classifier, rows: Sequence[TokenRow], batches: Sequence[int] = BATCHES) -> Loop:
    """Sorted by length, at the batch size that a short scan finds best."""
    loops = {batch: Loop(subject, rows, batch) for batch in batches if batch == batches[0] or batch < 2 * len(rows)}
    full = subject.layout.full()
    loops[batches[0]].predictions(full)  # warm
    return loops[fastest({batch: lambda loop=loop: loop.predictions(full) for batch, loop in loops.items()})]
