"""A verdict in the formats that others read, a module for each.

``markdown``, ``sarif``, ``junit``, ``github`` (annotations of a workflow) and ``page`` (HTML). Each is given
a `Verdict`. They share ``location``.
"""
