"""Attention: what is seen of an example among others against what is seen of it by itself, masked and not."""

from collections.abc import Sequence

import numpy as np

from study.certification.certify import random_masks
from study.observing.observe import observe
from study.record.tables import Attention
from study.record.tables.statistics import ALWAYS
from study.subjects.subject import Subject, TokenRow


def observation_difference(subject: Subject, rows: Sequence[TokenRow]) -> float:
    """The largest difference of a sum of weights or norms, as a share of the largest such sum."""
    table, differences = Attention(), [0.0]
    for mask in (subject.layout.full(), random_masks(subject.layout, 1)[0]):
        among = observe(subject, rows, np.stack([mask] * len(rows)), [table])[table]
        alone = [observe(subject, [row], mask[None], [table])[table] for row in rows]
        for name in ALWAYS:
            found, expected = among[name], np.concatenate([columns[name] for columns in alone])
            scale = np.nanmax(np.abs(expected), initial=0.0) or 1.0
            differences.append(float(np.nanmax(np.abs(found - expected), initial=0.0) / scale))
    return max(differences)
