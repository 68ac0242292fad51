"""Matrices that others have saved: ``.npy``, ``.npz`` and ``.safetensors``, never a pickle.

``stored_basis`` knows what the arrays of a file are called and mean. ``tensor_file`` tells the formats apart
by their content, ``numpy_file`` and ``safetensors_file`` read them, every size being looked at before.
``faults`` says what can be wrong with any of them.
"""
