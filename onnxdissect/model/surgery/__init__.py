"""Changes to a graph, each on a clone: expose, prune, free a batch or a size.

``passes`` holds the passes, ``free_size`` frees the image size, ``describe`` says in sentences what is done.
The model that was given is never changed.
"""
