"""Running the network over the images: who does it, in what batches, and where it may stop.

``executor`` is the interface and the workers of this process, ``image_pass`` what one worker does,
``batching`` how many images it takes at a time, ``stopping`` how a run is interrupted between two batches,
``warmup`` makes kernels ready meanwhile, ``clients`` finds the executor of a cluster's client.
"""
