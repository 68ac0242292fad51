"""Units of two layers, one to one: how alike they are, which pairs are best, and what chance gives.

``mask_correlations`` and ``profile_cosines`` score every unit of one layer with every unit of the other,
``assignment`` chooses the pairs, ``baselines`` says what the same number is where there is nothing to find.
"""
