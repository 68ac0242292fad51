"""How certain a result is: resampled images, shuffled labels, p-values and their corrections.

``bootstrap`` resamples, ``permutation_null`` shuffles, ``significance`` corrects for many units,
``reliability`` says which detectors other images would show again; ``per_image_collector`` gathers.
"""
