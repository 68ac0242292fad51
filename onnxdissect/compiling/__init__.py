"""How kernels are compiled, and where compiled kernels are kept.

``kernel`` has the decorators that kernels are written with; it and its neighbours alone know numba.
``folder`` finds the folder that compiled kernels are kept in, ``files`` writes and reads them.
"""
