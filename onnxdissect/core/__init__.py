"""The method: kernels, thresholds, spool, tally, scoring and the pass that joins them."""
