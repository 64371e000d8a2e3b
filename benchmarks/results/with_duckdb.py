"""DuckDB: one script, two threads.

The rows are read once into a table whose ``rowid`` is their line. The few that are rejected are found apart
and left out by an anti join, instead of a window over all; ages, links and verdicts are told by plain
comparisons before any regular expression; COPY need not keep the order of the rows.
"""

from __future__ import annotations

import duckdb
import phonenumbers

from benchmarks.results.candidate import (
    BATCH_ID,
    CHECKED_AT,
    COLUMNS,
    NOT_DETERMINED,
    TASK_ID,
    Job,
    measured,
    unpacked,
)

FIRST_LINE = 2


def load(job: Job) -> int:
    table = unpacked(job)
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        _read(connection, job, str(table))
        _set_apart(connection, job)
        connection.execute("SET preserve_insertion_order = false")
        _write(connection, job)
        ((missing,),) = connection.sql("SELECT count(*) FROM sent ANTI JOIN answers USING (key)").fetchall()
    table.unlink()
    return int(missing)


def _read(connection: duckdb.DuckDBPyConnection, job: Job, table: str) -> None:
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS)
    connection.execute(f"""
        CREATE TEMP TABLE sent AS
        SELECT key
        FROM read_csv('{job.numbers}', header=false, auto_detect=false, columns={{'key': 'BIGINT'}});
        CREATE TEMP TABLE answers AS
        SELECT TRY_CAST(number AS BIGINT) AS key, *
        FROM read_csv('{table}', header=true, auto_detect=false, delim=',', quote='"', columns={{{columns}}});
    """)


def _set_apart(connection: duckdb.DuckDBPyConnection, job: Job) -> None:
    cells = ", ".join(f"{name} := coalesce({name}, '')" for name in COLUMNS)
    connection.execute(rf"""
        CREATE TEMP TABLE rejected AS
        WITH twice AS (
            SELECT key, min(rowid) AS first FROM answers
            WHERE key IS NOT NULL GROUP BY key HAVING count(*) > 1
        )
        SELECT rowid AS line, 'number cannot be read' AS reason FROM answers WHERE key IS NULL
        UNION ALL
        SELECT a.rowid, 'number was not sent' FROM answers a ANTI JOIN sent USING (key) WHERE key IS NOT NULL
        UNION ALL
        SELECT a.rowid, 'number was answered before'
        FROM answers a JOIN twice t ON a.key = t.key AND a.rowid > t.first
        WHERE a.key IN (SELECT key FROM sent);

        COPY (
            SELECT '{BATCH_ID}' AS batch_id, line + {FIRST_LINE} AS line, kind, reason, "column",
                to_json(struct_pack({cells}))::VARCHAR AS raw
            FROM (
                SELECT line, 'row' AS kind, reason, NULL AS "column" FROM rejected
                UNION ALL
                SELECT rowid, 'cell', 'not an age', 'age' FROM answers
                WHERE age IS NOT NULL AND length(age) <> 2 AND lower(age) NOT IN {NOT_DETERMINED}
                    AND NOT regexp_matches(age, '^[0-9]{{1,3}}([-~][0-9]{{1,3}})?$')
                    AND rowid NOT IN (SELECT line FROM rejected)
                UNION ALL
                SELECT rowid, 'cell', 'not an http or https URL', 'avatar' FROM answers
                WHERE NOT starts_with(avatar, 'https://') AND lower(avatar) NOT IN {NOT_DETERMINED}
                    AND NOT regexp_matches(avatar, '(?i)^https?://[^\s/?#]\S*$')
                    AND rowid NOT IN (SELECT line FROM rejected)
            ) bad JOIN answers ON answers.rowid = bad.line
            ORDER BY line
        ) TO '{job.quarantine}' (FORMAT parquet, COMPRESSION zstd);
    """)


def _write(connection: duckdb.DuckDBPyConnection, job: Job) -> None:
    connection.execute("CREATE TEMP TABLE codes (start INTEGER, code INTEGER)")
    connection.executemany("INSERT INTO codes VALUES (?, ?)", _codes())
    words = ", ".join(_words(name) for name in ("gender", "category", "hair_color", "skin_color"))
    connection.execute(rf"""
        COPY (
            SELECT CASE WHEN starts_with(number, '+') THEN number ELSE '+' || key END AS number,
                code AS calling_code,
                CASE telegram WHEN 'yes' THEN true WHEN 'no' THEN false
                    ELSE CASE lower(telegram) WHEN 'yes' THEN true WHEN 'true' THEN true
                        WHEN 'no' THEN false WHEN 'false' THEN false END END AS telegram,
                CASE WHEN starts_with(avatar, 'https://')
                    OR regexp_matches(avatar, '(?i)^https?://[^\s/?#]\S*$') THEN avatar END AS avatar,
                {_age(1)} AS age_min, {_age(2)} AS age_max, {words},
                NULL::VARCHAR AS extra, TIMESTAMPTZ '{CHECKED_AT.isoformat()}' AS checked_at,
                '{BATCH_ID}' AS batch_id, '{TASK_ID}' AS task_id
            FROM answers LEFT JOIN codes ON start = TRY_CAST(
                CASE WHEN starts_with(number, '+') THEN number[2:4] ELSE number[1:3] END AS INTEGER)
            WHERE answers.rowid NOT IN (SELECT line FROM rejected)
        ) TO '{job.rows}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 250000);
    """)


def _age(end: int) -> str:
    """Two digits are an age; a span has two ends."""
    pattern = "^([0-9]{1,3})" if end == 1 else "([0-9]{1,3})$"
    return (
        "CASE WHEN length(age) = 2 THEN TRY_CAST(age AS INTEGER) "
        f"WHEN age IS NOT NULL THEN TRY_CAST(regexp_extract(age, '{pattern}', 1) AS INTEGER) END"
    )


def _words(name: str) -> str:
    return (
        f"CASE WHEN {name} IS NOT NULL AND lower({name}) NOT IN {NOT_DETERMINED} "
        f"THEN replace(lower({name}), '_', ' ') END AS {name}"
    )


def _codes() -> list[tuple[int, int]]:
    """The calling code behind each first three digits."""
    return [
        (start, code)
        for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE
        for start in range(code * 10 ** (3 - len(str(code))), (code + 1) * 10 ** (3 - len(str(code))))
    ]


if __name__ == "__main__":
    measured(load)
