"""Published results: files of the original NetDissect and of NetDissect-Lite become runs without images.

``table`` and ``columns`` read a file, ``cells`` its numbers, ``layers`` what it says of each unit; ``naming``
and ``concepts`` bring files together, ``nameless`` tells what concepts without a name change, ``importing``
is the whole.
"""
