"""Layouts that a person states where the graph leaves them open.

``layout_overrides`` reads them, ``contradictions`` refuses those that the graph settles otherwise, and
``hints`` says which to offer.
"""
