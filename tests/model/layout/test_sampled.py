"""Maps sampled by grids computed from stored numbers, cut by conditions, or warped by a flow."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.models import Builder, images, run_whole, save
from support.probing import assert_exact, inspect, refusal

from onnxdissect.errors import LayerLayoutError
from onnxdissect.model import Network, ReceptiveField, load_network, open_session
from onnxdissect.model.layers.coverage_warnings import order_warnings

CELLS = 16
Theta = list[list[float]]


def ints(b: Builder, *values: int) -> str:
    return b.constant(values, np.int64)


def start(size: int = 2 * CELLS) -> tuple[Builder, str]:
    # a batch for each row and column of the image, so that the probe runs at once
    b = Builder((1 + 2 * size, 1, size, size), opset=20, positive=True)
    return b, b.conv(b.image, 4, 2, stride=2, pads=(0, 0, 0, 0), name="before")


def grid(b: Builder, theta: Theta, way: str, batch: int) -> str:
    lines = (np.arange(CELLS) * 2 + 1) / CELLS - 1
    across, down = np.meshgrid(lines, lines)
    points = np.stack([across, down, np.ones_like(across)], -1).reshape(1, CELLS**2, 3)
    if way == "AffineGrid":
        repeated = np.repeat(np.array(theta)[None], batch, 0)
        return b.node("AffineGrid", b.constant(repeated), ints(b, batch, 4, CELLS, CELLS), align_corners=0)
    x = b.node("MatMul", b.constant(points), b.constant(np.array(theta).T[None]))
    x = b.node("Reshape", x, ints(b, 1, CELLS, CELLS, 2))
    return b.node("Expand", x, ints(b, batch, CELLS, CELLS, 2))


def sampled(theta: Theta, way: str) -> onnx.ModelProto:
    b, x = start()
    x = b.node("GridSample", x, grid(b, theta, way, 1 + 4 * CELLS), align_corners=0, name="sampled")
    b.units[x] = 4
    return b.model(b.relu(b.conv(x, 4), name="deep"))


@pytest.mark.parametrize("way", ["AffineGrid", "MatMul"])
@pytest.mark.parametrize(
    ("theta", "offset", "stride"),
    [
        ([[1, 0, 0], [0, 1, 0]], (0.5, 0.5), (2.0, 2.0)),
        ([[0.5, 0, 0], [0, 0.5, 0]], (8.0, 8.0), (1.0, 1.0)),
        ([[1, 0, 0.25], [0, 1, 0]], (0.5, 4.5), (2.0, 2.0)),
        ([[0.25, 0, 0], [0, 1, 0]], (0.5, 11.75), (2.0, 0.5)),
    ],
)
def test_grids_of_stored_transformations_are_followed(
    way: str, theta: Theta, offset: tuple[float, float], stride: tuple[float, float]
) -> None:
    model = sampled(theta, way)
    for name in ("sampled", "deep"):
        field = inspect(model, name).receptive_field
        assert field is not None
        np.testing.assert_allclose((*field.offset, *field.stride), (*offset, *stride), atol=1e-3)


@pytest.mark.parametrize("way", ["AffineGrid", "MatMul"])
@pytest.mark.parametrize(
    "theta", [[[-1, 0, 0], [0, 1, 0]], [[0.8, -0.6, 0], [0.6, 0.8, 0]]], ids=["flip", "turn"]
)
def test_flips_and_turns_stay_refused(way: str, theta: Theta) -> None:
    for name in ("sampled", "deep"):
        said = refusal(sampled(theta, way), name)
        assert "its cells are not in the order of the picture since operator GridSample" in said


@pytest.mark.parametrize("kept", [slice(2, 14), slice(None, None, 2), slice(0, 5)])
@pytest.mark.parametrize("computed", [False, True])
def test_cells_left_out_by_a_stored_condition(kept: slice, computed: bool) -> None:
    condition = np.zeros(CELLS, bool)
    condition[kept] = True
    b, x = start()
    which = b.constant(~condition if computed else condition, bool)
    which = b.node("Not", which) if computed else which
    x = b.node("Compress", x, which, axis=2, name="cut")
    b.units[x] = 4
    model = b.model(b.relu(b.conv(x, 4, 1), name="deep"))
    field = assert_exact(model, "deep")
    assert field.offset == (0.5 + 2 * (kept.start or 0), 0.5)
    assert field.stride == (2.0 * (kept.step or 1), 2.0)


def test_units_left_out_by_a_stored_condition() -> None:
    b, x = start()
    x = b.node("Compress", x, b.constant([True, False, True, True], bool), axis=1, name="units")
    layer = inspect(b.model(b.relu(x, name="bent")), "bent")
    assert (layer.layout, layer.units) == ("NCHW", 3)
    assert layer.receptive_field == ReceptiveField((0.5, 0.5), (2.0, 2.0), (2.0, 2.0))


def test_cells_left_out_unevenly_are_out_of_order() -> None:
    b, x = start()
    condition = np.arange(CELLS) % 8 < 3
    x = b.node("Compress", x, b.constant(condition, bool), axis=3, name="cut")
    b.units[x] = 4
    assert "order of the picture" in refusal(b.model(b.conv(x, 4, 1, name="deep")), "deep")


def flow_decoder(folder: Path, layouts: dict[str, str] | None = None) -> Network:
    """SFNet: the coarse map is sampled where a flow that is computed from both maps says."""
    b = Builder((1, 3, 32, 32))
    fine = b.conv(b.image, 4, stride=2, name="fine")
    coarse = b.conv(fine, 4, stride=2, name="coarse")
    up = b.node("Resize", coarse, "", b.constant((1, 1, 2, 2), np.float32), mode="linear")
    both = b.node("Concat", fine, up, axis=1)
    b.units[both] = 8
    flow = b.node("Transpose", b.conv(both, 2), perm=(0, 2, 3, 1))
    lines = np.linspace(-1, 1, CELLS)
    even = b.constant(np.stack(np.meshgrid(lines, lines), -1)[None])
    where = b.node("Add", even, b.node("Div", flow, b.constant([16.0, 16.0])))
    warped = b.node("GridSample", coarse, where, align_corners=1, name="warped")
    fused = b.node("Add", warped, fine, name="fused")
    b.units[fused] = 4
    deep = b.relu(b.conv(fused, 4), name="deep")
    return load_network(save(b.model(deep), folder / "m.onnx"), layouts=layouts)


def test_what_a_flow_warps_is_refused_with_what_to_state(tmp_path: Path) -> None:
    network = flow_decoder(tmp_path)
    for name in ("warped", "fused", "deep"):
        with pytest.raises(LayerLayoutError, match="since operator GridSample") as caught:
            network.select([name])
        assert str(caught.value.hint).endswith("--layout warped=NCHW")
    (warning,) = order_warnings(network.listing)
    assert warning.endswith("--layout warped=NCHW states that they are spread over the picture evenly")


def test_a_person_states_that_it_is_spread_evenly(tmp_path: Path) -> None:
    network = flow_decoder(tmp_path, {"warped": "NCHW"})
    layers = network.select(["warped", "fused", "deep"])
    assert [layer.layout for layer in layers] == ["NCHW"] * 3
    # where exactly, nothing tells: they are upsampled by `resize`
    assert all(layer.receptive_field is None for layer in layers)
    assert order_warnings(network.listing) == []
    batch = images(network, 2)
    maps = open_session(network, layers, verify=batch)(batch)
    whole = run_whole(network.path, ["warped", "fused", "deep"], batch[:1])
    for found, expected in zip(maps, whole, strict=True):
        np.testing.assert_allclose(found[:1], expected, atol=1e-5)


def test_only_the_sampled_map_itself_is_stated() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.raises(LayerLayoutError, match="not where cells lie"),
    ):
        flow_decoder(Path(folder), {"deep": "NCHW"})
