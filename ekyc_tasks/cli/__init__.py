"""`ekyc`: the commands, a module each. Heavy imports are inside the commands.

Begin with this file, which lists them with their options. May import everything.
Every error that this project raises on purpose ends as one sentence and an exit code of the design;
`--debug` shows the traceback too.
"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ekyc_tasks.cli.terminal import ProgressLine
from ekyc_tasks.models import Account, Decision
from ekyc_tasks.support.redact import without_numbers
from ekyc_tasks.support.safe_errors import reportable

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
out = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 140)
err = Console(stderr=True, soft_wrap=True)
_INTERRUPTED = {130, 143}  # exit codes after Ctrl-C (Typer ends without a message) and after SIGTERM

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        help="Header of a column with numbers in the files named; may be repeated. `*`: all such columns.",
    ),
]
Region = Annotated[
    str | None,
    typer.Option(help="Country of numbers without a calling code in the files named, such as CH."),
]
Sheet = Annotated[str | None, typer.Option(help="Sheet to read in the workbooks named.")]


@app.callback()
def begin(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and Prefect's logs.")] = False,
) -> None:
    """Phone numbers in, validated answers out. Nothing is paid for twice, nothing is lost.

    Exit codes (the first that applies): 1 unexpected error, 2 wrong configuration or usage, 3 something
    waits for your decision, 4 the budget or the balance is too small, 5 a batch was refused or a file
    could not be read, 6 still waiting for the provider, 0 done.
    """
    context.obj = debug


@app.command()
def init(
    account: Annotated[
        Account | None,
        typer.Option(
            help="Provider account: new (has bought nothing), used (has bought outside this ledger), "
            "shared (others buy with it too)."
        ),
    ] = None,
    price: Annotated[
        str | None, typer.Option(help="Price of 10,000 numbers, such as 4.50; saved in .env.")
    ] = None,
    budget_run: Annotated[str | None, typer.Option(help="Most to spend in one run; saved in .env.")] = None,
    budget_day: Annotated[
        str | None, typer.Option(help="Most to spend in one day (UTC); saved in .env.")
    ] = None,
    budget_month: Annotated[
        str | None, typer.Option(help="Most to spend in one month (UTC); saved in .env.")
    ] = None,
    no_budget: Annotated[bool, typer.Option("--no-budget", help="Spend without a limit.")] = False,
    moved: Annotated[
        bool, typer.Option("--moved", help="The ledger was moved here; the old place is no longer used.")
    ] = False,
    copied: Annotated[
        bool, typer.Option("--copy", help="This ledger is a copy; the original is still used.")
    ] = False,
    restored: Annotated[
        bool,
        typer.Option("--restored", help="This ledger is a backup: older than its files or its account."),
    ] = False,
    spent_elsewhere: Annotated[
        bool,
        typer.Option(
            "--spent-elsewhere", help="Somebody else spent the money that this ledger cannot explain."
        ),
    ] = False,
    rebound: Annotated[
        bool,
        typer.Option(
            "--rebind", help="Use the ledger with EKYC_BASE_URL from now on; only if nothing was bought yet."
        ),
    ] = False,
) -> None:
    """Create the data folder and its ledger, or confirm that a ledger was moved, copied or restored."""
    from ekyc_tasks.cli.init import Choices, init

    choices = Choices(
        account,
        price,
        {"budget_run": budget_run, "budget_day": budget_day, "budget_month": budget_month},
        no_budget,
        moved,
        copied,
        restored,
        spent_elsewhere,
        rebound,
    )
    raise typer.Exit(init(choices, out, err))


@app.command()
def recover(
    takes_in: Annotated[
        bool, typer.Option("--import", help="Add these files to the ledger, if it is clear what they are.")
    ] = False,
    sets_aside: Annotated[
        bool, typer.Option("--set-aside", help="Move these files, unchanged, to the folder `set-aside`.")
    ] = False,
    task_type: Annotated[
        str | None, typer.Option(help="Task type of files that do not name theirs, such as tg_avatar.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show, import or move away files in the data folder that the ledger does not know."""
    from ekyc_tasks.cli.recover import recover

    raise typer.Exit(
        recover(out, takes_in=takes_in, sets_aside=sets_aside, task_type=task_type, as_json=as_json)
    )


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="Folder of the backup; later backups add what is new.")],
    as_json: Json = False,
) -> None:
    """Make a consistent, verified copy of all files that cannot be created again. Runs may continue."""
    from ekyc_tasks.cli.backup import back_up

    raise typer.Exit(back_up(folder.absolute(), out, as_json=as_json))


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="Folder of a backup; it is checked before the restore.")],
    as_json: Json = False,
) -> None:
    """Restore a backup. Its planned batches are held, because they may have been uploaded since."""
    from ekyc_tasks.cli.backup import restore_from

    raise typer.Exit(restore_from(folder.absolute(), out, as_json=as_json))


@app.command()
def demo(context: typer.Context) -> None:
    """Run the whole pipeline against the sandbox: no key, no network."""
    with ProgressLine(err, "getting ready").show_progress() as progress:
        from ekyc_tasks.cli.demo import run_demo, show_demo

        demonstration = run_demo(progress, debug=bool(context.obj))
    show_demo(demonstration, out, err)
    raise typer.Exit(demonstration.ending.exit_code)


@app.command()
def run(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(readable=False, help="Use only these files, instead of the landing folder."),
    ] = None,
    column: Columns = None,
    region: Region = None,
    sheet: Sheet = None,
    task_type: Annotated[
        str | None, typer.Option(help="Task type: the provider's check, such as tg_avatar.")
    ] = None,
    max_wait: Annotated[
        str | None,
        typer.Option(
            help="Longest time to wait for results, e.g. `30m` or `2h` [default: EKYC_MAX_WAIT].",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Send at most this many numbers in this run.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(min=0.01, help="Spend at most this much in this run.")
    ] = None,
    recheck: Annotated[
        bool,
        typer.Option(
            "--recheck", help="Buy numbers again even if their answer is still recent (costs money)."
        ),
    ] = False,
    accept_rejected: Annotated[
        bool,
        typer.Option(
            "--accept-rejected",
            help="Also use files of which too many lines are rejected; only their other lines are sent.",
        ),
    ] = False,
    approve: Annotated[
        int | None,
        typer.Option(min=1, help="Send up to this many numbers without a question (see EKYC_ASK_ABOVE)."),
    ] = None,
    in_sandbox: Annotated[
        bool,
        typer.Option("--sandbox", help="Use the sandbox and a separate data folder: no key, no money."),
    ] = False,
) -> None:
    """Run the flow once, on this machine: read the landed files, buy the answers, load them."""
    debug = bool(context.obj)
    with ProgressLine(err, "getting ready").show_progress() as progress:
        from ekyc_tasks.cli.arguments import reading_asked
        from ekyc_tasks.cli.run import approve_at_terminal, run_here, show_ending
        from ekyc_tasks.flows.parameters import check_request

        asked = reading_asked(files or (), columns=column, region=region, sheet=sheet)
        request = check_request(
            files=None if not files else [str(file.absolute()) for file in files],
            columns=list(asked.columns),
            region=asked.region,
            sheet=asked.sheet,
            task_type=task_type,
            max_wait=max_wait,
            limit=limit,
            budget=budget,
            recheck=recheck,
            accept_rejected=accept_rejected,
            approve=approve,
        )
        if in_sandbox:
            from ekyc_tasks.cli.demo import run_in_sandbox, show_demo

            demonstration = run_in_sandbox(request, progress, debug=debug)
        else:
            ending = run_here(request, progress, debug=debug)
    if in_sandbox:
        ending = demonstration.ending
        show_demo(demonstration, out, err)
    else:
        show_ending(ending, out, err)
        while approved := approve_at_terminal(request, ending):
            with ProgressLine(err, "planning again").show_progress() as progress:
                ending = run_here(approved, progress, debug=debug)
            show_ending(ending, out, err)
    raise typer.Exit(ending.exit_code)


@app.command()
def plan(
    files: Annotated[
        list[Path] | None,
        typer.Argument(readable=False, help="Use only these files, instead of the landing folder."),
    ] = None,
    column: Columns = None,
    region: Region = None,
    sheet: Sheet = None,
    task_type: Annotated[
        str | None, typer.Option(help="Task type: the provider's check, such as tg_avatar.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Plan as if `ekyc run --limit N` were used.")
    ] = None,
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Plan as if `ekyc run --recheck` were used.")
    ] = False,
    accept_rejected: Annotated[
        bool, typer.Option("--accept-rejected", help="Plan as if `ekyc run --accept-rejected` were used.")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Show how each file is read and why, with its first numbers, masked."),
    ] = False,
    inputs: Annotated[
        bool,
        typer.Option(
            "--inputs", help="Show what the rules of today find in the files that were planned before."
        ),
    ] = False,
    since: Annotated[
        str | None, typer.Option(help="With --inputs: only files planned within this time, e.g. `30d`.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a run would send and cost. Sends nothing and writes nothing."""
    from ekyc_tasks.cli.arguments import reading_asked, require_inputs_alone
    from ekyc_tasks.cli.plan import show_plan
    from ekyc_tasks.runs.policies import PlanWishes

    others = (files, column, region, sheet, limit, recheck, accept_rejected, explain)
    require_inputs_alone(inputs=inputs, since=since, has_others=any(others))
    if inputs:
        from ekyc_tasks.cli.inputs import show_inputs

        raise typer.Exit(show_inputs(out, task_type=task_type, since=since, as_json=as_json))
    named = [file.absolute() if file.exists() else file for file in files or ()]
    asked = reading_asked(named, columns=column, region=region, sheet=sheet)
    wishes = PlanWishes(asked, limit, recheck, accept_rejected)
    raise typer.Exit(show_plan(named, wishes, out, task_type=task_type, explains=explain, as_json=as_json))


@app.command()
def status(
    batch: Annotated[str | None, typer.Argument(help="Show one batch, with its history.")] = None,
    as_json: Json = False,
) -> None:
    """Show where everything is: files, batches, numbers, money; or one batch with its history."""
    from ekyc_tasks.cli.status import show_batch, show_status

    if batch is None:
        show_status(out, as_json=as_json)
    else:
        show_batch(batch, out, as_json=as_json)


@app.command()
def resolve(
    batch: Annotated[
        str,
        typer.Argument(
            help="A held, failed or refused batch; or the word `restored`: all batches held by a restore."
        ),
    ],
    decision: Annotated[Decision, typer.Argument(help="What to do with the batch.")],
    task_id: Annotated[
        str | None, typer.Argument(help="The id of the provider's task; only with adopt.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why you decide so; saved in the batch's history.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Skip the safety checks; needs a --reason.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    drop: Annotated[
        bool, typer.Option("--drop", help="With abandon: do not plan the batch's numbers again.")
    ] = False,
) -> None:
    """Decide about a batch: adopt TASK_ID (it was charged), resubmit (you may pay again), or abandon."""
    from ekyc_tasks.cli.resolve import decide
    from ekyc_tasks.exchange.resolve import Resolution

    resolution = Resolution(decision, getpass.getuser(), reason, task_id, is_forced=force, drop=drop)
    decide(batch, resolution, out, is_confirmed=yes)


@app.command()
def normalize(
    archive: Annotated[
        Path, typer.Argument(readable=False, help="A result archive: ZIP, CSV, XLSX or gzip.")
    ],
    to: Annotated[Path, typer.Option("--out", help="Folder for the dataset and the quarantine.")],
    numbers: Annotated[
        Path | None,
        typer.Option(help="File with the numbers that were sent. Default: all numbers in the archive."),
    ] = None,
    task_type: Annotated[
        str | None, typer.Option(help="Task type: the provider's check, such as tg_avatar.")
    ] = None,
    checked_at: Annotated[
        str | None, typer.Option(help="Time of the answers (UTC). Default: when the file was written.")
    ] = None,
    task_id: Annotated[str, typer.Option(help="The id of the provider's task, if you know it.")] = "",
    as_json: Json = False,
) -> None:
    """Run only the load step, on any archive: dataset, quarantine, counts. Needs no key and no ledger."""
    from ekyc_tasks.cli.normalize import NormalizeRequest, normalize

    normalize(NormalizeRequest(archive, to, numbers, task_type, checked_at, task_id), out, as_json=as_json)


@app.command(name="import")
def import_(
    archives: Annotated[
        list[Path], typer.Argument(readable=False, help="Result archives that you already have.")
    ],
    task_type: Annotated[
        str | None, typer.Option(help="Task type: the provider's check, such as tg_avatar.")
    ] = None,
    checked_at: Annotated[
        str | None, typer.Option(help="Time of the answers (UTC). Default: when each file was written.")
    ] = None,
    task_id: Annotated[str, typer.Option(help="The id of the provider's task, if you know it.")] = "",
    correct: Annotated[
        bool,
        typer.Option("--correct", help="Import again with a corrected task type, date or task id."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Load archives that you bought earlier. Their numbers are then known and not bought again."""
    from ekyc_tasks.cli.imports import ImportRequest, import_archives

    request = ImportRequest(archives, task_type, checked_at, task_id, correct)
    raise typer.Exit(import_archives(request, out, as_json=as_json))


@app.command()
def replay(
    batches: Annotated[
        list[str] | None, typer.Argument(help="Batches to load again; they must be fetched or loaded.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Load every batch that has an archive.")] = False,
    as_json: Json = False,
) -> None:
    """Load batches again from their kept archives, free of charge; after an upgrade or a failed load."""
    from ekyc_tasks.cli.replay import replay_batches

    raise typer.Exit(replay_batches(batches or (), out, every=every, as_json=as_json))


@app.command()
def export(
    what: Annotated[str, typer.Argument(help="A landed file (its name, path or SHA-256), or a batch.")],
    kind: Annotated[str, typer.Option("--format", help="Format to write: csv, parquet or xlsx.")] = "csv",
    to: Annotated[
        Path | None,
        typer.Option("--out", help="File to write. Default: a file in the data folder's `exports`."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the answers for one landed file or batch: one row per number, from all batches."""
    from ekyc_tasks.cli.export import export_answers

    export_answers(what, out, kind=kind, to=to, as_json=as_json)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="Port of the API; 0: any free port.")] = 8765,
    storage_port: Annotated[int, typer.Option(help="Port for downloads; 0: any free port.")] = 0,
    layout: Annotated[str, typer.Option(help="Layout of the result archives.")] = "folder",
    style: Annotated[
        str, typer.Option(help="Style of the API's answers: documented or older.")
    ] = "documented",
    seconds: Annotated[float, typer.Option(min=0, help="Processing time of a task, in seconds.")] = 4.0,
    minimum: Annotated[int, typer.Option(min=1, help="A task with fewer numbers is refused.")] = 1,
    chaos: Annotated[
        str, typer.Option(help="Errors to simulate: rough, or a script like create:1=429,poll:3-5=503.")
    ] = "",
) -> None:
    """Start a simulated provider until Ctrl-C: no key, no money, and errors on demand."""
    from ekyc_tasks.cli.sandbox import serve_sandbox

    serve_sandbox(
        out,
        port=port,
        storage_port=storage_port,
        layout=layout,
        style=style,
        processing_seconds=seconds,
        minimum=minimum,
        chaos=tuple(filter(None, chaos.split(","))),
    )


@app.command()
def doctor() -> None:
    """Check settings, folders, ledger, provider and Prefect, and say what to fix. Exit code 2 if anything."""
    from ekyc_tasks.cli.doctor import examine

    raise typer.Exit(examine(out))


@app.command()
def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of Prefect's server and UI.")] = 4200,
    workers: Annotated[int, typer.Option(min=1, max=32, help="Number of workers.")] = 1,
    is_demo: Annotated[bool, typer.Option("--demo", help="Use samples and the sandbox: no key.")] = False,
) -> None:
    """Start a Prefect server, work pool, deployments and worker on this machine, until Ctrl-C."""
    from ekyc_tasks.cli.up import Wanted, serve

    serve(Wanted(port, workers, is_demo), out, err)


def main() -> None:
    """The entry point: an error is shown as one sentence; Ctrl-C says that progress is saved."""
    debug = "--debug" in sys.argv
    try:
        app()
    except Exception as error:
        if debug:
            raise
        shown = reportable(error)
        err.print(f"ekyc: {without_numbers(str(shown))}", markup=False, highlight=False)
        sys.exit(shown.exit_code)
    except SystemExit as ended:
        if ended.code in _INTERRUPTED:
            is_run = "run" in sys.argv
            promise = "Progress is saved; `ekyc run` continues from here" if is_run else "Run it again"
            err.print(f"ekyc: Stopped. {promise}.", markup=False, highlight=False)
        raise


__all__ = ["app", "main"]
