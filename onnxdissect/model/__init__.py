"""The ONNX side: read, inspect, cut, run and feed a network.

What the rest of the package needs is here; heavy libraries load with the first name that needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxdissect.model.effective import (
        PROBE_IMAGES,
        EffectiveCentre,
        contradicts,
        measure_centres,
        nearer_to_rule,
        rule_distance,
    )
    from onnxdissect.model.layers import ImageInput, Layer, ReceptiveField
    from onnxdissect.model.network import Network, load_network
    from onnxdissect.model.prepare import Preparer
    from onnxdissect.model.preprocess import PRESETS, Preprocessing, choose_preprocessing
    from onnxdissect.model.providers import PROVIDERS, ProviderState, installed_wheels, provider_states
    from onnxdissect.model.session import Session, open_session

__all__ = [
    "PRESETS",
    "PROBE_IMAGES",
    "PROVIDERS",
    "EffectiveCentre",
    "ImageInput",
    "Layer",
    "Network",
    "Preparer",
    "Preprocessing",
    "ProviderState",
    "ReceptiveField",
    "Session",
    "choose_preprocessing",
    "contradicts",
    "installed_wheels",
    "load_network",
    "measure_centres",
    "nearer_to_rule",
    "open_session",
    "provider_states",
    "rule_distance",
]

_HOMES = {
    "EffectiveCentre": "effective",
    "ImageInput": "layers",
    "Layer": "layers",
    "Network": "network",
    "PRESETS": "preprocess",
    "PROBE_IMAGES": "effective",
    "PROVIDERS": "providers",
    "Preparer": "prepare",
    "Preprocessing": "preprocess",
    "ProviderState": "providers",
    "ReceptiveField": "layers",
    "Session": "session",
    "choose_preprocessing": "preprocess",
    "contradicts": "effective",
    "installed_wheels": "providers",
    "load_network": "network",
    "measure_centres": "effective",
    "nearer_to_rule": "effective",
    "open_session": "session",
    "provider_states": "providers",
    "rule_distance": "effective",
}


def __getattr__(name: str) -> object:
    # onnx, onnx-ir and onnxruntime together take longer to import than `onnxdissect --help` may.
    if name in _HOMES:
        return getattr(import_module(f"onnxdissect.model.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
