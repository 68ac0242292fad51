"""Changes to a graph, each an onnx_ir pass that checks, changes a clone and checks again; one a file.

``layer_outputs`` joins those that a session needs, ``free_size`` frees the image size, ``describe`` says in
sentences what is done. The model that was given is never changed.
"""
