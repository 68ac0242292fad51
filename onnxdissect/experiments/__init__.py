"""Experiments: what is made of finished runs, or of many passes, to answer a question about a network.

`basis_findings` tells what the units under a basis detect that the layer's own units do not, and the reverse.
The room ``rotation`` turns the space of a layer, ``matching`` pairs the units of two.
"""

from __future__ import annotations

from onnxdissect.experiments.basis_findings import BasisFindings, basis_findings

__all__ = ["BasisFindings", "basis_findings"]
