"""Layers: which values can be dissected, what each costs, and how they are chosen.

``records`` holds `Layer`, ``basis`` layers under a basis, ``listing`` finds them all, ``selection`` reads
selectors, ``cost`` counts, and ``coverage`` says how much of a network was understood.
"""
