"""Numbers on the command line, of whatever length and digits."""

from __future__ import annotations

import pytest
from support.commands import run_command
from support.models import plain

from onnxdissect.cli.options import image_size
from onnxdissect.errors import ParameterError

LONG = "9" * 5000


def test_sizes() -> None:
    assert image_size(None) is None
    assert image_size("224x0128") == (224, 128)
    assert image_size("1X1") == (1, 1)


@pytest.mark.parametrize(
    "text", ["224", "0x5", "²x5", "٣x٣", "5x", "x", "1_0x5", "-1x5", f"5x{LONG}", f"{LONG}x5"]
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ParameterError, match="--image-size takes height x width") as caught:
        image_size(text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "words",
    [
        ("--image-size", f"5x{LONG}"),
        ("--layout", f"conv=NTC:{LONG}"),
        ("--layout", f"conv=NTC:1:{LONG}x2"),
        ("--layout", "conv=NTC:²"),
        ("--limit", LONG),
    ],
)
def test_commands_refuse_them(
    tmp_path: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
) -> None:
    import onnx

    onnx.save(plain(), f"{tmp_path}/net.onnx")
    command = "run" if words[0] == "--limit" else "layers"
    assert run_command(monkeypatch, command, f"{tmp_path}/net.onnx", *words) == 2
    assert "bug" not in capsys.readouterr().err.splitlines()[0]
