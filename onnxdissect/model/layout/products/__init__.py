"""What products and picks by stored numbers do to axes and to the order of cells.

``matrices`` knows MatMul and its kin, ``einsum`` equations, ``contracted`` and ``picked`` stored indices.
"""
