"""In which order a value has the picture's cells, and what put them out of it.

``digits`` follows maps through reshapes and transpositions, ``token_order`` and ``token_row`` rows of tokens,
``scattered`` maps that are rolled, flipped or gathered; ``disturbed`` names the operator that broke an order.
"""
