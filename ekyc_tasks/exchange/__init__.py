"""Batches go to the provider and come back as archives: the only room that spends.

Begin with `submit`: intent, bytes, spool, ledger, in this order, so that a crash at any point leaves one
truth. `poll` waits, `fetch` downloads, `resolve` carries out a person's decision. May import the ledger, the
provider, `installation` and `storage`.
"""
