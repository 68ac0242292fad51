"""Principal components of a run against scikit-learn's, on the activations of the run's own images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from support import models
from support.datasets import random_broden, write_broden
from support.models import save

from onnxdissect.core.progress import Silent
from onnxdissect.model import Session, open_session
from onnxdissect.model.bases.components import principal_components
from onnxdissect.model.bases.kept import read_kept_basis
from onnxdissect.model.layers.basis import BasisLayer, basis_layers
from onnxdissect.pipeline.execution.moments_pass import gather_moments
from onnxdissect.pipeline.options import (
    ExecutionOptions,
    MethodOptions,
    PreprocessingOptions,
    RunOptions,
    StatisticsOptions,
)
from onnxdissect.pipeline.prepare import Prepared, prepare
from onnxdissect.pipeline.request import open_request
from onnxdissect.pipeline.run import run
from onnxdissect.results.formats.reader import load

N = 4


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> RunOptions:
    folder = tmp_path_factory.mktemp("components")
    return RunOptions(
        model=save(models.plain(), folder / "net.onnx"),
        data=write_broden(folder / "data", random_broden(5, pictures=24, size=(32, 32))),
        method=MethodOptions(layers=("relu3",), quantiles=(0.1,), bases=(f"pca:n={N}",)),
        preprocessing=PreprocessingOptions(preset="raw"),
        # the last batch is a smaller one
        execution=ExecutionOptions(batch_size=5),
        statistics=StatisticsOptions(bootstrap=0, null=0),
        out=folder / "run",
    )


@pytest.fixture(scope="module")
def prepared(options: RunOptions) -> Prepared:
    return prepare(open_request(options, Silent()), lambda said: None)


def all_places(prepared: Prepared, session: Session) -> NDArray[np.float64]:
    """Activations of a layer at all places of all images, (places, units), from all images at once."""
    preparer, dataset = prepared.preparer, prepared.request.dataset
    batch = np.empty((len(dataset), *preparer.shape), preparer.dtype)
    for i, row in enumerate(batch):
        preparer(dataset.read_image(i), row)
    (found,) = session(batch)
    return found.transpose(0, 2, 3, 1).reshape(-1, found.shape[1]).astype(np.float64)


def test_components_gathered_in_a_pass_are_scikit_learns(prepared: Prepared) -> None:
    places = all_places(prepared, prepared.session)
    units = places.shape[1]
    theirs = PCA(n_components=units, svd_solver="full").fit(places)
    (moments,) = gather_moments(prepared, Silent())
    assert moments.count == len(places)
    scale = theirs.explained_variance_[0]
    np.testing.assert_allclose(moments.mean, theirs.mean_, rtol=0, atol=1e-6 * np.sqrt(scale))
    ours = principal_components(moments, N)
    # scikit-learn divides by one place less
    expected = theirs.explained_variance_[:N] * (len(places) - 1) / len(places)
    np.testing.assert_allclose(ours.variances, expected, rtol=1e-6)
    assert ours.share == pytest.approx(theirs.explained_variance_ratio_[:N].sum(), rel=1e-6)
    gaps = -np.diff(theirs.explained_variance_[: N + 1]) / scale
    assert gaps.min() > 1e-4, "components of one variance would be any in their plane"
    cosines = np.sum(ours.matrix * theirs.components_[:N], axis=1)
    np.testing.assert_allclose(np.abs(cosines), 1, rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        ours.matrix, theirs.components_[:N] * np.sign(cosines)[:, np.newaxis], rtol=0, atol=1e-5
    )


def test_what_the_graph_computes_are_scikit_learns_scores(options: RunOptions, prepared: Prepared) -> None:
    found = run(options)
    places = all_places(prepared, prepared.session)
    theirs = PCA(n_components=N, svd_solver="full").fit(places)
    under = under_basis(prepared, found.path)
    scores = all_places(prepared, open_session(prepared.request.network, [under]))
    expected = theirs.transform(places)
    signs = np.sign(np.sum(scores * expected, axis=0))
    np.testing.assert_allclose(scores, expected * signs, rtol=0, atol=2e-5 * np.abs(expected).max())
    # and the run's thresholds cut these scores
    m = int(0.1 * len(places))
    np.testing.assert_allclose(
        found.counts(under.name).thresholds[0],
        -np.sort(-expected * signs, axis=0)[m],
        rtol=0,
        atol=2e-5 * np.abs(expected).max(),
    )


def under_basis(prepared: Prepared, folder: Path) -> BasisLayer:
    """The layer under the components that a run has kept."""
    info = load(folder).layers[1]
    assert info.basis is not None
    basis = read_kept_basis(folder / "layers" / info.slug / "basis.npz", info.basis)
    (under,) = basis_layers(prepared.request.layers[0], [basis])
    return under
