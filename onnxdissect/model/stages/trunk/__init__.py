"""The trunk: what the picture's values flow through on the way down, before necks and heads.

``flow`` follows them through the graph, ``trunk`` says where the way down ends. ``stem`` is what stands in
front of the first block, ``parallel`` is for resolutions side by side, ``products`` tells kinds of products
with weights.
"""
