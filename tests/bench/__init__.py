"""``make bench``: calls, times and memory, measured against the embedded AWS; ratios within one run.

Calls are counted, so they are the same every time. Times depend on the machine: they are compared with what Python, the
SDK's own clients and that AWS's own times take on the same machine in the same minute. A limit that is broken is named,
and the run ends with 1.
"""
