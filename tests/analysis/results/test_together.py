"""Several results folders as one."""

import numpy as np
from fixtures.results import fill

from analysis.results.read import read_results
from analysis.results.together import together


def test_every_setting_stands_once_and_what_was_left_out_says_where(tmp_path):
    for folder, seeds in (("a", (0, 1)), ("b", (1, 2))):
        for seed in seeds:
            weights = np.full(16, 0.1 * seed)
            made = {"model": f"toy{seed}", "data": "home", "seed": seed, "weights": weights, "weights_file": f"w{seed}"}
            fill(tmp_path / folder, "accuracy", **made)
    (tmp_path / "b" / "notes.txt").write_text("one died\n")
    a, b = (read_results(tmp_path / name) for name in "ab")
    assert together([a]) is a
    both = together([a, b])
    assert [domain.model for domain in both.domains] == ["toy0", "toy1", "toy2"]
    assert both.domains[1].folder.is_relative_to(tmp_path / "a")
    assert both.left_out[0] == f"{tmp_path / 'b'}: one died"
    assert both.left_out[1].startswith(f"{b.domains[0].folder}: the same setting as in {a.domains[1].folder}")
    assert not both.damaged
