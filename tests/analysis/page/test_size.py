"""The page of a large study, 288 heads on four domains of 3,000 examples, stays below 10 MB."""

import numpy as np
import pytest
from fixtures.results import fill

from analysis import analyse, read_results, write_report
from analysis.inference import Inference
from study.record.units import AttentionKind, HeadLayout


@pytest.mark.slow
def test_a_large_study_makes_a_light_page(results, tmp_path):
    layout = HeadLayout(dict.fromkeys(AttentionKind, (16,) * 6))
    masks = {layout.key(mask): mask for mask in (layout.full(), *layout.each_off())}
    weights = np.random.default_rng(0).gamma(0.35, 0.06, len(layout)) - 0.004
    for seed in range(4):
        options = {"layout": layout, "seed": seed, "count": 3000, "weights": weights, "masks": masks}
        fill(results, "accuracy", model="large", data=f"domain{seed}", **options)
    page = write_report(analyse(read_results(results), Inference(resamples=400), splits=10), tmp_path / "out")
    assert page.stat().st_size < 10e6
    html = page.read_text(encoding="utf-8")
    assert html.count('data-kind="') == 288
