"""Reads the tables of `wirefault batch` with DuckDB and with Polars, and prints what both must agree on as JSON."""

import json
import sys

import duckdb
import polars

out = sys.argv[1]


def by_duckdb():
    def ask(query):
        return duckdb.sql(query.replace("T(", f"read_parquet('{out}/").replace(")T", "/**/*.parquet', hive_partitioning=true)")).fetchall()

    return {
        "findings": [list(row) for row in ask("select id, code, count, first_time_ns, day::varchar, point, len(also), epoch_us(first_time) from T(findings)T order by first_time_ns, id")],
        "incidents": [list(row) for row in ask('select id, cause, clients, len(findings), epoch_us("end") from T(incidents)T order by id')],
        "attempts": list(ask("select sum(ok)::bigint, sum(failed)::bigint, sum(answered_no)::bigint, sum(undetermined)::bigint, sum(list_sum(connect_counts))::bigint, min(len(tls_counts)) from T(attempts)T")[0]),
        "sets": list(ask("select count(*), sum(packets)::bigint, sum(flows)::bigint, sum(len(files))::bigint, count(distinct point) from T(sets)T")[0]),
        "flows": list(ask("select count(*), sum(orig_bytes)::bigint, count(distinct flow) from T(flows)T")[0]),
        "partials": [list(row) for row in ask("select what, count(*), sum(ok)::bigint, sum(failed)::bigint, count(established), min(first_time_ns) from T(partials)T group by what order by what")],
        "zone": ask("select typeof(first_time) from T(findings)T limit 1")[0][0],
    }


def by_polars():
    def table(name):
        return polars.read_parquet(f"{out}/{name}/**/*.parquet", hive_partitioning=True)

    column = polars.col
    findings = table("findings").sort("first_time_ns", "id")
    incidents = table("incidents").sort("id")
    attempts, sets, flows = table("attempts"), table("sets"), table("flows")
    return {
        "findings": [list(row) for row in findings.select("id", "code", "count", "first_time_ns", column("day").cast(polars.String), "point", column("also").list.len(), column("first_time").dt.epoch("us")).rows()],
        "incidents": [list(row) for row in incidents.select("id", "cause", "clients", column("findings").list.len(), column("end").dt.epoch("us")).rows()],
        "attempts": [attempts[name].sum() for name in ("ok", "failed", "answered_no", "undetermined")] + [attempts["connect_counts"].list.sum().sum(), attempts["tls_counts"].list.len().min()],
        "sets": [sets.height, sets["packets"].sum(), sets["flows"].sum(), sets["files"].list.len().sum(), sets["point"].n_unique()],
        "flows": [flows.height, flows["orig_bytes"].sum(), flows["flow"].n_unique()],
        "partials": [[what, len(rows), rows["ok"].sum() if what == "connection" else None, rows["failed"].sum() if what == "connection" else None, rows["established"].count(), rows["first_time_ns"].min()] for (what,), rows in sorted(table("partials").group_by("what"))],
        "zone": str(findings.schema["first_time"]),
    }


def by_spark():
    """The sums alone, where Spark's wheel is there: it needs Java and four hundred megabytes."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        return None
    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()

    def table(name):
        return spark.read.option("pathGlobFilter", "*.parquet").parquet(f"{out}/{name}")

    attempts = table("attempts").groupBy().sum("ok", "failed", "answered_no", "undetermined").collect()[0]
    sets = table("sets").groupBy().sum("packets", "flows").collect()[0]
    return {
        "attempts": list(attempts),
        "sets": list(sets),
        "findings": [list(row) for row in table("findings").orderBy("first_time_ns", "id").select("id", "code", "count", "first_time_ns").collect()],
        "partials": [list(row) for row in table("partials").groupBy("what").count().orderBy("what").collect()],
    }


print(json.dumps({"duckdb": by_duckdb(), "polars": by_polars(), "spark": by_spark()}))
