"""Which layers people mean by ``stages``, ``last``, ``neck`` and ``heads``.

``flow`` and ``products`` read the graph; ``trunk``, ``blocks`` and ``predictions`` its structure; ``stages``
and ``parts`` choose; each of the others knows one pattern.
"""
