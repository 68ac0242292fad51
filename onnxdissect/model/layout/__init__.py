"""Which axis is the channel: the meaning of every axis, followed through the graph.

``axes`` holds the rules, ``tokens``, ``reshapes``, ``products`` and ``order`` the harder cases. ``overrides``
is what a person says, ``quantised`` finds integer twins, and ``to_nchw`` gives (n, units, h, w).
"""
