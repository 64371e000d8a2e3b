"""Archives become rows of the dataset, each number once.

Begin with `load`, the step, and `load_archive`, the work: read the archive, compare with what was sent, write
rows and quarantine. `import_archive` and `recover` do it for archives that this ledger did not buy. May
import everything below `runs`, never the provider.
"""
