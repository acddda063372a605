"""Child processes with limits on CPU time and memory, for code that untrusted input can slow down or crash.

A thread is not enough: it can't be ended from outside, and a running regular expression holds the GIL, which would
block the web worker or the publisher. Input that loops in a regular expression, recurses, exhausts memory or crashes
the interpreter ends only the child, which is started again for the next request.

`process` is the parent's side, and `child` the child's. The child has no secrets in its environment, and after its
imports it can't open files or connections (`confinement`). This file imports nothing, so that children start fast.
"""
