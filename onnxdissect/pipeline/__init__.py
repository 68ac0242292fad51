"""One run, from a request to a finished run directory.

``run`` joins the stages, a module each: ``request``, ``prepare``, the pass (``execution``),
``tally`` and ``write_run``; thresholds are settled in `onnxdissect.core.state`. ``options`` says what can be
asked for, ``run_directory`` guards what a former run left there.
"""
