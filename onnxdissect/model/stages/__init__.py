"""Which layers people mean by ``stages``, ``last``, ``neck`` and ``heads``.

``trunk`` and ``blocks`` read the structure off the graph, ``stages`` and ``parts`` choose; ``stem``,
``parallel`` and ``activated`` know one pattern each. `onnxdissect.model.layers.listing` asks them.
"""
