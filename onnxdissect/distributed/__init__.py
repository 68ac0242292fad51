"""The same run on a Dask cluster: workers run the network, keep what they gathered, and count it.

``connecting`` gives the client of a scheduler, ``executor`` is what a run is given, ``parts`` what a worker
does, ``opened_run`` what it opens once, ``cluster_spool`` counts where parts lie. The rest refuses.
"""
