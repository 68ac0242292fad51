"""The ONNX side: read, inspect, cut, run and feed a network.

What the rest of the package needs is here; heavy libraries load with the first name that needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxdissect.model.bases.basis import Basis
    from onnxdissect.model.bases.moments import Moments
    from onnxdissect.model.bases.spec import BasisSpec, make_bases, parse_bases
    from onnxdissect.model.layers.basis import BasisLayer, basis_layers
    from onnxdissect.model.layers.records import ImageInput, Layer, ReceptiveField
    from onnxdissect.model.network import Network, load_network
    from onnxdissect.model.operators.installed import installed_operators, register_operator
    from onnxdissect.model.operators.operator import Operator
    from onnxdissect.model.operators.table import OperatorTable
    from onnxdissect.model.preprocessing.choice import choose_preprocessing
    from onnxdissect.model.preprocessing.preparer import Preparer
    from onnxdissect.model.preprocessing.presets import PRESETS, Preprocessing
    from onnxdissect.model.receptive_field.effective import (
        PROBE_IMAGES,
        EffectiveCentre,
        contradicts,
        measure_centres,
        nearer_to_rule,
        rule_distance,
    )
    from onnxdissect.model.runtime.providers import (
        PROVIDERS,
        ProviderState,
        installed_wheels,
        provider_states,
    )
    from onnxdissect.model.runtime.round_trip import round_trip_errors
    from onnxdissect.model.runtime.session import Session, open_session

__all__ = [
    "PRESETS",
    "PROBE_IMAGES",
    "PROVIDERS",
    "Basis",
    "BasisLayer",
    "BasisSpec",
    "EffectiveCentre",
    "ImageInput",
    "Layer",
    "Moments",
    "Network",
    "Operator",
    "OperatorTable",
    "Preparer",
    "Preprocessing",
    "ProviderState",
    "ReceptiveField",
    "Session",
    "basis_layers",
    "choose_preprocessing",
    "contradicts",
    "installed_operators",
    "installed_wheels",
    "load_network",
    "make_bases",
    "measure_centres",
    "nearer_to_rule",
    "open_session",
    "parse_bases",
    "provider_states",
    "register_operator",
    "round_trip_errors",
    "rule_distance",
]

_HOMES = {
    "Basis": "bases.basis",
    "BasisLayer": "layers.basis",
    "BasisSpec": "bases.spec",
    "EffectiveCentre": "receptive_field.effective",
    "ImageInput": "layers.records",
    "Layer": "layers.records",
    "Moments": "bases.moments",
    "Network": "network",
    "Operator": "operators.operator",
    "OperatorTable": "operators.table",
    "PRESETS": "preprocessing.presets",
    "PROBE_IMAGES": "receptive_field.effective",
    "PROVIDERS": "runtime.providers",
    "Preparer": "preprocessing.preparer",
    "Preprocessing": "preprocessing.presets",
    "ProviderState": "runtime.providers",
    "ReceptiveField": "layers.records",
    "Session": "runtime.session",
    "basis_layers": "layers.basis",
    "choose_preprocessing": "preprocessing.choice",
    "contradicts": "receptive_field.effective",
    "installed_operators": "operators.installed",
    "installed_wheels": "runtime.providers",
    "load_network": "network",
    "make_bases": "bases.spec",
    "measure_centres": "receptive_field.effective",
    "nearer_to_rule": "receptive_field.effective",
    "open_session": "runtime.session",
    "parse_bases": "bases.spec",
    "provider_states": "runtime.providers",
    "register_operator": "operators.installed",
    "round_trip_errors": "runtime.round_trip",
    "rule_distance": "receptive_field.effective",
}


def __getattr__(name: str) -> object:
    # onnx, onnx-ir and onnxruntime together take longer to import than `onnxdissect --help` may.
    if name in _HOMES:
        return getattr(import_module(f"onnxdissect.model.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
