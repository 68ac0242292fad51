"""Geometry of the report's figures, in pixels, and the same figures as files for a paper.

``bars`` and ``depth`` compute, a template writes SVG; ``plots`` draws with matplotlib.
"""
