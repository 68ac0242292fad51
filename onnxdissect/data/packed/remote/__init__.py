"""Packed files behind addresses, of which only what is asked for is fetched.

``remote_file`` gives ranges of bytes in blocks that are fetched ahead; ``web`` fetches from ``https://`` and
``http://`` without further libraries, ``fsspec_files`` from anything that fsspec knows, such as ``s3://``.
"""
