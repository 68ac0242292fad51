"""Axes behind reshapes: those left whole, those put together again, and values cut up and joined.

``regroup`` is for one reshape, ``undone`` for reshapes that the graph takes back, ``pieces`` for cutting
along one axis and concatenating again.
"""
