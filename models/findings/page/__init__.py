"""The page of the findings: what the tables say, what follows of it, how it is told and drawn.

Nothing is dissected.
"""
