"""`python -m ekyc_tasks`."""

from ekyc_tasks.cli import main

main()
