"""One run: its lease, its way through the batches, and when it is over.

Begin with `session.Run`, which every flow holds; `lease` says which runs still live, `policies` makes values
of the settings. May import the steps below it, and values of the provider's, but never calls it.
"""
