"""Kernels of annotations.

``label_runs`` packs the planes of annotations, ``label_sets`` numbers the sets of concepts that pixels hold,
``truth`` counts the pixels of each concept, and ``label_sample`` reads what images show at common points.
"""
