"""Geometry of the report's figures, in pixels, and the same figures as files for a paper.

``figures`` and ``depth`` compute, a template writes SVG; ``plots`` draws with matplotlib.
"""
