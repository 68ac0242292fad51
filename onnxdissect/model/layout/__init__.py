"""Which axis is the channel: the meaning of every axis, followed through the graph.

``axes`` holds the rules, ``tokens``, ``token_order``, ``regroup``, ``undone`` and ``order`` the harder cases,
``layout_overrides`` what a person states, ``quantised`` integer twins. ``to_nchw`` gives (n, units, h, w).
"""
