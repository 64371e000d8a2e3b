"""What a person reads: forecasts, summaries, funnels, exports.

Begin with `summary`, the words for a run and a batch; `estimate` says beforehand what a run would buy,
`export` hands out rows. May import everything below the tasks.
"""
