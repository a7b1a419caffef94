"""The plane recovers planted distances; the test of layers agrees with every permutation there is."""

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from fixtures.attention.planted_rows import plant, plant_divergence
from fixtures.results import CLASSIFIER

from analysis.attention.clusters import Form, clusters_table, layer_test, mean_divergence, plane
from analysis.results.readings import read_readings
from study.record.store import Store


def distances_of(points: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(points[:, None] - points).sum(axis=-1))


def test_distances_in_the_plane_are_recovered_without_stress() -> None:
    points = np.random.default_rng(0).normal(size=(12, 2))
    found = plane(distances_of(points), seed=0)
    assert found.stress < 1e-4
    np.testing.assert_allclose(distances_of(found.points), distances_of(points), atol=1e-3)
    np.testing.assert_allclose(found.points.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_array_equal(found.points, plane(distances_of(points), seed=0).points)


def test_stress_is_that_of_distances_that_fit_no_plane() -> None:
    corners = 1.0 - np.eye(5)  # five points, each as far from each
    found = plane(corners, seed=1)
    drawn = distances_of(found.points)
    assert found.stress == pytest.approx(np.sqrt(np.square(corners - drawn).sum() / np.square(corners).sum()))
    assert 0.1 < found.stress < 0.5


def test_labels_of_layers_are_permuted_as_often_as_chance_has_it() -> None:
    rng, layers = np.random.default_rng(3), np.array([0, 0, 0, 1, 1, 1])
    distances = distances_of(rng.normal(size=(6, 2)) + layers[:, None])
    one, other = np.triu_indices(6, 1)

    def difference(labels: np.ndarray) -> float:
        same = labels[one] == labels[other]
        return float(distances[one, other][~same].mean() - distances[one, other][same].mean())

    every = [difference(layers[list(order)]) for order in permutations(range(6))]
    exact = np.mean(np.array(every) >= difference(layers) - 1e-12)
    found = layer_test(distances, layers, rng, 20_000)
    assert found is not None
    assert found.between - found.within == pytest.approx(difference(layers))
    assert found.p == pytest.approx(exact, abs=0.01)


def test_one_layer_has_nothing_to_compare() -> None:
    assert layer_test(np.ones((3, 3)), np.zeros(3, int), np.random.default_rng(0), 99) is None


def test_a_table_has_both_forms_of_every_head(make: Callable[..., Store]) -> None:
    store = make(count=12)
    points = np.random.default_rng(1).normal(size=(16, 2))
    plant(store, {})
    plant_divergence(store, distances_of(points))
    (reading,) = read_readings(store.folder)
    mean = mean_divergence(reading, "auto")
    assert mean is not None
    np.testing.assert_allclose(mean, distances_of(points), atol=1e-12)
    table = clusters_table(reading, "auto", seed=0, resamples=99)
    assert table["distance"].unique(maintain_order=True).to_list() == list(map(str, Form))
    flat = table.filter(distance="divergence")
    np.testing.assert_allclose(distances_of(flat.select("x", "y").to_numpy()), distances_of(points), atol=1e-3)
    root = table.filter(distance="root")
    assert root["within"][0] == pytest.approx(np.sqrt(distances_of(points))[same_layer()].mean())


def same_layer() -> np.ndarray:
    layers = np.array([head.layer for head in CLASSIFIER.heads])
    return np.triu(layers[:, None] == layers, 1)


def test_without_divergences_there_is_no_plane(make: Callable[..., Store]) -> None:
    store = make(count=12)
    plant(store, {})
    (reading,) = read_readings(store.folder)
    assert clusters_table(reading, "auto", 0, 99).is_empty()
