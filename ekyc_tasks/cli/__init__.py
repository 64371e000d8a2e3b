"""`ekyc`: the commands. Stands above the flows; heavy imports are inside the commands.

Every error that this project raises on purpose ends as one sentence and an exit code of the design;
`--debug` shows the traceback too.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ekyc_tasks.cli.terminal import Progress
from ekyc_tasks.defects import told
from ekyc_tasks.models import Decision
from ekyc_tasks.scrub import without_numbers

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
out = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 140)
err = Console(stderr=True, soft_wrap=True)
_INTERRUPTED = {130, 143}  # what Typer makes of Ctrl-C, without a word, and SIGTERM

Json = Annotated[bool, typer.Option("--json", help="Plain data instead of tables.")]


@app.callback()
def begin(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and Prefect's logs.")] = False,
) -> None:
    """Phone numbers in, validated answers out. Nothing is paid for twice, nothing is lost.

    Exit codes, the first that applies: 1 unexpected, 2 configuration or usage, 3 something waits for a
    person, 4 budget or balance, 5 a batch was refused or a file could not be read, 6 still waiting on
    the provider, 0 done.
    """
    context.obj = debug


@app.command()
def demo(context: typer.Context) -> None:
    """The whole job against the sandbox: no key, no network."""
    with Progress(err, "getting ready").shown() as progress:
        from ekyc_tasks.cli.demo import run_demo, show_demo

        demonstration = run_demo(progress, debug=bool(context.obj))
    show_demo(demonstration, out, err)
    raise typer.Exit(demonstration.ending.exit_code)


@app.command()
def run(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(readable=False, help="Only these files, instead of the landing folder."),
    ] = None,
    task_type: Annotated[str | None, typer.Option(help="The provider's check, such as tg_avatar.")] = None,
    max_wait: Annotated[str | None, typer.Option(help="How long to wait for the provider: 30m.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Send at most this many numbers now.")] = None,
    budget: Annotated[
        float | None, typer.Option(min=0.01, help="Spend at most this much in this run.")
    ] = None,
    recheck: Annotated[bool, typer.Option("--recheck", help="Ask again what is fresh.")] = False,
) -> None:
    """One run of the flow, here: take what landed, buy the answers, load them."""
    with Progress(err, "getting ready").shown() as progress:
        from ekyc_tasks.cli.run import run_here, show_ending
        from flows.parameters import check_request

        request = check_request(
            files=None if not files else [str(file.absolute()) for file in files],
            task_type=task_type,
            max_wait=max_wait,
            limit=limit,
            budget=budget,
            recheck=recheck,
        )
        ending = run_here(request, progress, debug=bool(context.obj))
    show_ending(ending, out, err)
    raise typer.Exit(ending.exit_code)


@app.command()
def plan(
    files: Annotated[
        list[Path] | None,
        typer.Argument(readable=False, help="Only these files, instead of the landing folder."),
    ] = None,
    task_type: Annotated[str | None, typer.Option(help="The provider's check, such as tg_avatar.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="As for a run.")] = None,
    recheck: Annotated[bool, typer.Option("--recheck", help="Ask again what is fresh.")] = False,
    as_json: Json = False,
) -> None:
    """What a run would send and cost; sends and writes nothing."""
    from ekyc_tasks.cli.plan import show_plan

    named = [file.absolute() if file.exists() else file for file in files or ()]
    raise typer.Exit(
        show_plan(named, out, task_type=task_type, limit=limit, recheck=recheck, as_json=as_json)
    )


@app.command()
def status(
    batch: Annotated[str | None, typer.Argument(help="One batch, with its history.")] = None,
    as_json: Json = False,
) -> None:
    """Where everything is: files, batches, numbers, money; or one batch with its history."""
    from ekyc_tasks.cli.status import show_batch, show_status

    if batch is None:
        show_status(out, as_json=as_json)
    else:
        show_batch(batch, out, as_json=as_json)


@app.command()
def resolve(
    batch: Annotated[str, typer.Argument(help="A held, failed or refused batch.")],
    decision: Annotated[Decision, typer.Argument(help="What to do about it.")],
    task_id: Annotated[str | None, typer.Argument(help="The provider's task, to adopt.")] = None,
    reason: Annotated[str, typer.Option(help="Goes into the batch's history.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Overrule the checks.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Abandon without planning its numbers again.")] = False,
) -> None:
    """Decide a batch: adopt TASK_ID (it was charged), resubmit (pay, maybe again), abandon."""
    from ekyc_tasks.cli.resolve import decide

    decide(
        batch,
        decision,
        out,
        task_id=task_id,
        reason=reason,
        is_forced=force,
        is_confirmed=yes,
        drop=drop,
    )


@app.command()
def normalize(
    archive: Annotated[
        Path, typer.Argument(readable=False, help="A result archive: ZIP, CSV, XLSX or gzip.")
    ],
    to: Annotated[Path, typer.Option("--out", help="Folder for the dataset and the quarantine.")],
    numbers: Annotated[
        Path | None,
        typer.Option(help="What was sent, as any file that may land; default: all that came back."),
    ] = None,
    task_type: Annotated[str | None, typer.Option(help="The provider's check, such as tg_avatar.")] = None,
    checked_at: Annotated[
        str | None, typer.Option(help="When the answers were made; default: the file's time.")
    ] = None,
    task_id: Annotated[str, typer.Option(help="The provider's task, if you know it.")] = "",
    as_json: Json = False,
) -> None:
    """The load step alone, on any archive: dataset, quarantine, counts; needs no key and no ledger."""
    from ekyc_tasks.cli.normalize import Request, normalize

    normalize(Request(archive, to, numbers, task_type, checked_at, task_id), out, as_json=as_json)


@app.command(name="import")
def import_(
    archives: Annotated[
        list[Path], typer.Argument(readable=False, help="Result archives that you have already.")
    ],
    task_type: Annotated[str | None, typer.Option(help="The provider's check, such as tg_avatar.")] = None,
    checked_at: Annotated[
        str | None, typer.Option(help="When the answers were made; default: each file's time.")
    ] = None,
    task_id: Annotated[str, typer.Option(help="The provider's task, if you know it.")] = "",
    correct: Annotated[
        bool, typer.Option("--correct", help="What was imported as something else is imported anew.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Load archives that were bought before: batches like any other, whose numbers are not bought again."""
    from ekyc_tasks.cli.imports import Request, import_archives

    request = Request(archives, task_type, checked_at, task_id, correct)
    raise typer.Exit(import_archives(request, out, as_json=as_json))


@app.command()
def replay(
    batches: Annotated[list[str] | None, typer.Argument(help="Fetched or loaded batches.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every batch that has an archive.")] = False,
    as_json: Json = False,
) -> None:
    """Load again from kept archives, free of charge; after an upgrade, or when a load failed."""
    from ekyc_tasks.cli.replay import replay_batches

    raise typer.Exit(replay_batches(batches or (), out, every=every, as_json=as_json))


@app.command()
def export(
    what: Annotated[str, typer.Argument(help="A landed file (name, path or SHA-256), or a batch.")],
    kind: Annotated[str, typer.Option("--format", help="csv, parquet or xlsx.")] = "csv",
    to: Annotated[
        Path | None, typer.Option("--out", help="Default: in `exports` of the data folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """The answers for one landed file, one row a number, whichever batch brought them."""
    from ekyc_tasks.cli.export import export_answers

    export_answers(what, out, kind=kind, to=to, as_json=as_json)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="Port of the API; 0: any free one.")] = 8765,
    storage_port: Annotated[int, typer.Option(help="Port of the results; 0: any free one.")] = 0,
    layout: Annotated[str, typer.Option(help="Layout of the result archives.")] = "folder",
    style: Annotated[str, typer.Option(help="documented or older answers.")] = "documented",
    seconds: Annotated[float, typer.Option(min=0, help="Processing time of a task.")] = 4.0,
    minimum: Annotated[int, typer.Option(min=1, help="Fewest numbers in a task.")] = 1,
    chaos: Annotated[str, typer.Option(help="Scripted trouble: rough, or create:1=429,poll:3-5=503.")] = "",
) -> None:
    """The stand-in provider, until Ctrl-C: no key, no money, and trouble on demand."""
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
    """Check settings, folders, ledger, provider and Prefect; say what to mend. Exit code 2 if anything."""
    from ekyc_tasks.cli.doctor import examine

    raise typer.Exit(examine(out))


@app.command()
def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of Prefect's server and UI.")] = 4200,
    workers: Annotated[int, typer.Option(min=1, max=32, help="How many workers.")] = 1,
    is_demo: Annotated[bool, typer.Option("--demo", help="Samples and the sandbox: no key.")] = False,
) -> None:
    """Prefect server, work pool, deployments and a worker on this machine, until Ctrl-C."""
    from ekyc_tasks.cli.up import Wanted, serve

    serve(Wanted(port, workers, is_demo), out, err)


def main() -> None:
    """The entry point: errors become sentences, Ctrl-C becomes a promise that nothing is lost."""
    debug = "--debug" in sys.argv
    try:
        app()
    except Exception as error:
        if debug:
            raise
        shown = told(error)
        err.print(f"ekyc: {without_numbers(str(shown))}", markup=False, highlight=False)
        sys.exit(shown.exit_code)
    except SystemExit as ended:
        if ended.code in _INTERRUPTED:
            is_run = "run" in sys.argv
            promise = "the ledger knows what was begun, and `ekyc run` goes on" if is_run else "say it again"
            err.print(f"ekyc: interrupted; {promise}.", markup=False, highlight=False)
        raise


__all__ = ["app", "main"]
