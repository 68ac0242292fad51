"""The paper, literally: every fast path once more, from the formulas, importing nothing of the package."""
