"""One run, from a request to a finished run directory.

``run`` joins the stages: parameters are checked, the network and the data prepared, ``passes`` makes the pass
and the tally, ``write_run`` writes. ``run_directory`` guards what a former run left there.
"""
