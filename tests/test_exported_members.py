import types

import onnxdissect


def test_all_is_what_is_public() -> None:
    public = {
        name
        for name in dir(onnxdissect)
        if not name.startswith("_") and not isinstance(getattr(onnxdissect, name), types.ModuleType)
    }
    assert public | {"__version__"} == set(onnxdissect.__all__)
    for name in onnxdissect.__all__:
        assert getattr(onnxdissect, name) is not None
