"""The data folder: the place of each file, the files of a batch, and the dataset.

Begin with `paths`, which names every place once; `batch_files` writes what is sent, `dataset` what was
answered. May import `normalize`, `phone` and what lies below them; never the ledger or the provider.
"""
