"""Getting a published data set: an archive over HTTP that may break off, and what of it may be unpacked.

``download`` brings it together, ``transfer`` goes on where a connection ended, ``contents`` says which
archives are refused. Callers use `download_broden` of `onnxdissect.data`.
"""
