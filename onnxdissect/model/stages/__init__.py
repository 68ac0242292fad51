"""Which layers people mean by ``stages``, ``last``, ``neck`` and ``heads``.

``trunk`` follows the way down, ``blocks`` finds their outputs, ``heads`` what stands behind; ``stages`` and
``parts`` choose.
"""
