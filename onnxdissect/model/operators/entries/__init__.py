"""The entries of the table, one an operator, family by family.

Each module has a tuple ``OPERATORS``; what an entry leaves out is as `Operator` says by default.
"""
