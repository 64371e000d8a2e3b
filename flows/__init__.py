"""The Prefect flows, their forms, and the server that runs them.

Begin with `check_numbers`, the pipeline as on a whiteboard; `replay` and `resolve` are the two that a person
starts. Inside the package this folder is `ekyc_tasks.flows`. May import everything but the commands.
"""
