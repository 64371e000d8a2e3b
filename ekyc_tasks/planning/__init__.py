"""Numbers become batches: which line is bought, which waits, and in which batch it goes.

Begin with `plan`, one locked turn from landed files to planned batches; `draft` decides and packs before
anything is written, `allocation` says what becomes of each line. May import `intake`, `installation`,
`storage` and the ledger, never the provider: nothing in here spends.
"""
