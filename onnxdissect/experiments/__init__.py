"""Experiments: what is made of a finished run, or of many passes.

Each has a room: ``rotation`` turns the space of a layer.
"""
