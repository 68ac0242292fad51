"""Where cells lie in the image: offset, stride and size, composed operator by operator, and measured.

``geometry`` walks the graph; ``windows``, ``resampling`` and ``crop_pad`` each know one kind of operator;
``effective`` measures centres and ``probe`` compares them with what was derived.
"""
