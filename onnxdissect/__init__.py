"""Network Dissection for ONNX networks: the visual concept that each unit detects.

The method is that of Bau, Zhou, Khosla, Oliva and Torralba (CVPR 2017; Zhou et al., arXiv 1711.05611).

`dissect` runs it, `load` reads a finished run, `import_netdissect` makes one of published results; all give a
`Dissection`, whose labels `threshold_sweep` follows from one quantile to the next. `rotate` asks what is left
of a layer's detectors when its space is rotated, and gives a `RotationResult`, as `load_rotation` does.
`compare` puts runs side by side, and gives a `ComparisonResult`, as `load_comparison` does.
`explain` tells which labelled units made predictions, and gives an `Explanation` for each. `explain_labelled`
tells which detectors made the wrong ones among many, and gives `LabelledExplanations`. `ablate` removes units
and measures what the network can no longer tell: an `AblationResult`, as `load_ablation` gives it too.
`relabel` scores the masks that a run has kept against other labels of its images.
`register_operator` says what an `Operator` of your own means, and a `Basis` is a matrix for the units of a
layer.
"""

from __future__ import annotations

from importlib import import_module

# As `typing` has it, which takes long to import: until `onnxdissect.__main__` runs, Ctrl-C is Python's.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from onnxdissect.errors import OnnxDissectError
    from onnxdissect.experiments.ablation import AblationResult, load_ablation
    from onnxdissect.experiments.ablation.ablate import ablate
    from onnxdissect.experiments.comparison import ComparisonResult, load_comparison
    from onnxdissect.experiments.comparison.compare import compare
    from onnxdissect.experiments.confusions import LabelledExplanations
    from onnxdissect.experiments.confusions.explain_labelled import explain_labelled
    from onnxdissect.experiments.explanation import Explanation, load_explanations
    from onnxdissect.experiments.explanation.explain import explain
    from onnxdissect.experiments.published.importing import import_netdissect
    from onnxdissect.experiments.relabelling.relabel import relabel
    from onnxdissect.experiments.rotation import RotationResult, load_rotation
    from onnxdissect.experiments.rotation.rotate import rotate
    from onnxdissect.model import Basis, Operator, register_operator
    from onnxdissect.pipeline.dissect import dissect
    from onnxdissect.results import Dissection, load, threshold_sweep

__all__ = [
    "AblationResult",
    "Basis",
    "ComparisonResult",
    "Dissection",
    "Explanation",
    "LabelledExplanations",
    "OnnxDissectError",
    "Operator",
    "RotationResult",
    "__version__",
    "ablate",
    "compare",
    "dissect",
    "explain",
    "explain_labelled",
    "import_netdissect",
    "load",
    "load_ablation",
    "load_comparison",
    "load_explanations",
    "load_rotation",
    "register_operator",
    "relabel",
    "rotate",
    "threshold_sweep",
]

__version__ = "0.1.0"

_HOMES = {
    "AblationResult": "onnxdissect.experiments.ablation",
    "Basis": "onnxdissect.model",
    "ComparisonResult": "onnxdissect.experiments.comparison",
    "Dissection": "onnxdissect.results",
    "Explanation": "onnxdissect.experiments.explanation",
    "LabelledExplanations": "onnxdissect.experiments.confusions",
    "OnnxDissectError": "onnxdissect.errors",
    "Operator": "onnxdissect.model",
    "RotationResult": "onnxdissect.experiments.rotation",
    "ablate": "onnxdissect.experiments.ablation.ablate",
    "compare": "onnxdissect.experiments.comparison.compare",
    "dissect": "onnxdissect.pipeline.dissect",
    "explain": "onnxdissect.experiments.explanation.explain",
    "explain_labelled": "onnxdissect.experiments.confusions.explain_labelled",
    "import_netdissect": "onnxdissect.experiments.published.importing",
    "load": "onnxdissect.results",
    "load_ablation": "onnxdissect.experiments.ablation",
    "load_comparison": "onnxdissect.experiments.comparison",
    "load_explanations": "onnxdissect.experiments.explanation",
    "load_rotation": "onnxdissect.experiments.rotation",
    "register_operator": "onnxdissect.model",
    "relabel": "onnxdissect.experiments.relabelling.relabel",
    "rotate": "onnxdissect.experiments.rotation.rotate",
    "threshold_sweep": "onnxdissect.results",
}


def __getattr__(name: str) -> object:
    # `onnxdissect --help` must not wait for onnxruntime, OpenCV and numba.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
