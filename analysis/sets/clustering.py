"""The order in which units of a heat map of pairs stand: those that are redundant beside each other."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.cluster import hierarchy
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform


def families(matrix: Float[np.ndarray, "units units"]) -> list[list[int]]:
    """The units that pairs connect, directly or by others, each family in the order of its clusters.

    Clusters are by average linkage; two units are the nearer, the lower their interaction. Where they are no pair they
    are as far apart as can be. Branches are turned so that neighbours are near (Bar-Joseph et al. 2001).

    Args:
        matrix: interactions; NaN where two units are no pair.
    """
    known: Bool[np.ndarray, "units units"] = ~np.isnan(matrix)
    count, family = connected_components(csr_array(known), directed=False)
    members = (np.flatnonzero(family == number) for number in range(count))
    return [_clustered(matrix, own) for own in members if len(own) > 1]


def _clustered(matrix: Float[np.ndarray, "units units"], own: np.ndarray) -> list[int]:
    part = matrix[np.ix_(own, own)]
    far = np.nanmax(part) + (np.nanmax(part) - np.nanmin(part) or 1.0)
    apart = np.nan_to_num(part, nan=far) - np.nanmin(part)
    np.fill_diagonal(apart, 0.0)
    if len(own) < 3:
        return own.tolist()
    tree = hierarchy.linkage(squareform(apart, checks=False), "average", optimal_ordering=True)
    return own[hierarchy.leaves_list(tree)].tolist()
