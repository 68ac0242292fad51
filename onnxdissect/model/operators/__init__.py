"""The one table of operators: what each means for axes, places, numbers, compute, weights and randomness.

``operator`` says what an entry holds and ``rules`` what it can name; the entries stand in ``entries/``, by
family. `operator_of` (``lookup``) gives a node's entry, `register_operator` (``installed``) adds one.
"""
