"""`segmenter`: plain images, labelled by a segmentation network, as a `Dataset`.

`spec` reads what is asked for, `class_list` what classes are called, `heads` brings them together with the
outputs of the network, `labeller` runs it, `dataset` and `source` make it known to `open_data`.
"""
