//! `wirefault flows`: one row per flow. Zeek's `conn.log` columns come first, in Zeek's order and with Zeek's
//! meaning (<https://docs.zeek.org/en/master/scripts/base/protocols/conn/main.zeek.html>), then ours.
//!
//! Text is Zeek's own log format, so that `zeek-cut` and every reader of `conn.log` take it: tabs, a header of
//! `#` lines, `-` for what is absent, seconds since 1970. CSV has the same cells with `true` and `false`, empty
//! where absent. JSON has times as RFC 3339 and leaves absent members out.

use std::net::IpAddr;

use serde_json::{Value as Json, json};

use crate::engine::row::Row;
use crate::report::{csv::quote, id};
use crate::time::{Nanos, SECOND, Timestamp};

/// Name and Zeek type of each column.
const COLUMNS: [(&str, &str); 33] = [
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("proto", "enum"),
    ("service", "string"),
    ("duration", "interval"),
    ("orig_bytes", "count"),
    ("resp_bytes", "count"),
    ("conn_state", "string"),
    ("local_orig", "bool"),
    ("local_resp", "bool"),
    ("missed_bytes", "count"),
    ("history", "string"),
    ("orig_pkts", "count"),
    ("orig_ip_bytes", "count"),
    ("resp_pkts", "count"),
    ("resp_ip_bytes", "count"),
    ("tunnel_parents", "set[string]"),
    ("ip_proto", "count"),
    ("attempt_outcome", "string"),
    ("tls_outcome", "string"),
    ("server_rtt_ms", "double"),
    ("client_rtt_ms", "double"),
    ("syn_retries", "count"),
    ("orig_retransmitted", "count"),
    ("resp_retransmitted", "count"),
    ("server_name", "string"),
    ("codes", "set[string]"),
    ("flow", "string"),
    ("community_id", "string"),
];

/// What stands in one place of the table.
enum Cell {
    Absent,
    Text(String),
    Number(u64),
    Bool(bool),
    Time(Timestamp),
    Seconds(Nanos),
    Milliseconds(Nanos),
    Set(Vec<&'static str>),
}

/// Zeek's log format.
pub fn text(rows: &[Row]) -> String {
    let mut text = String::from(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#fields",
    );
    for (name, _) in COLUMNS {
        text.push('\t');
        text.push_str(name);
    }
    text.push_str("\n#types");
    for (_, kind) in COLUMNS {
        text.push('\t');
        text.push_str(kind);
    }
    text.push('\n');
    for row in rows {
        let cells: Vec<String> = cells(row)
            .iter()
            .map(|cell| plain(cell).unwrap_or_else(|| "-".to_owned()))
            .collect();
        text.push_str(&cells.join("\t"));
        text.push('\n');
    }
    text
}

/// CSV (RFC 4180) with a header row.
pub fn csv(rows: &[Row]) -> String {
    let mut text = COLUMNS.map(|(name, _)| name).join(",");
    text.push_str("\r\n");
    for row in rows {
        let cells: Vec<String> = cells(row)
            .iter()
            .map(|cell| match cell {
                Cell::Bool(flag) => flag.to_string(),
                Cell::Set(items) => items.join(" "),
                cell => plain(cell).map_or_else(String::new, |cell| quote(&cell)),
            })
            .collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// One object: `schema` and `flows`, one flow a line.
pub fn json(rows: &[Row]) -> String {
    let flows: Vec<String> = rows
        .iter()
        .map(|row| format!("    {}", object(row)))
        .collect();
    let list = if flows.is_empty() {
        "[]".to_owned()
    } else {
        format!("[\n{}\n  ]", flows.join(",\n"))
    };
    format!("{{\n  \"schema\": \"wirefault.flows/1\",\n  \"flows\": {list}\n}}\n")
}

/// One flow a line.
pub fn jsonl(rows: &[Row]) -> String {
    rows.iter().map(|row| object(row) + "\n").collect()
}

/// The members of a row in the order of the columns; a map of `serde_json` would sort them.
fn object(row: &Row) -> String {
    let members: Vec<String> = COLUMNS
        .iter()
        .zip(cells(row))
        .filter_map(|((name, _), cell)| Some(format!("{}:{}", Json::from(*name), value(cell)?)))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn value(cell: Cell) -> Option<Json> {
    Some(match cell {
        Cell::Absent => return None,
        Cell::Text(text) => json!(text),
        Cell::Number(number) => json!(number),
        Cell::Bool(flag) => json!(flag),
        Cell::Time(time) => json!(time.to_string()),
        Cell::Seconds(span) => json!(span as f64 / SECOND as f64),
        Cell::Milliseconds(span) => json!((span / 1_000) as f64 / 1_000.0),
        Cell::Set(items) => json!(items),
    })
}

/// A cell in Zeek's words; `None` where nothing is known.
fn plain(cell: &Cell) -> Option<String> {
    Some(match cell {
        Cell::Absent => return None,
        Cell::Text(text) => escape(text),
        Cell::Number(number) => number.to_string(),
        Cell::Bool(flag) => if *flag { "T" } else { "F" }.to_owned(),
        Cell::Time(time) => format!("{}.{:09}", time.second(), time.ns().rem_euclid(SECOND)),
        Cell::Seconds(span) => format!("{}.{:09}", span / SECOND, span % SECOND),
        Cell::Milliseconds(span) => format!("{}.{:03}", span / 1_000_000, span / 1_000 % 1_000),
        Cell::Set(items) if items.is_empty() => "(empty)".to_owned(),
        Cell::Set(items) => items.join(","),
    })
}

/// Names come from the wire: what would end a cell or steer a terminal is written as Zeek writes it, `\x1b`.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || letter == '\\' {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                safe.push_str(&format!("\\x{byte:02x}"));
            }
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// The cells of a row in the order of `COLUMNS`.
fn cells(row: &Row) -> [Cell; 33] {
    let word = |word: &str| {
        if word.is_empty() {
            Cell::Absent
        } else {
            Cell::Text(word.to_owned())
        }
    };
    let span = |span: Option<Nanos>| span.map_or(Cell::Absent, Cell::Milliseconds);
    let flow = id::flow(&row.key, row.ts);
    // Zeek leaves the duration of a single packet unset.
    let single = row.orig_pkts + row.resp_pkts < 2;
    [
        Cell::Time(row.ts),
        Cell::Text(flow.clone()),
        Cell::Text(row.orig.0.to_string()),
        Cell::Number(row.orig.1.into()),
        Cell::Text(row.resp.0.to_string()),
        Cell::Number(row.resp.1.into()),
        word(row.proto),
        word(row.service.unwrap_or("")),
        if single {
            Cell::Absent
        } else {
            Cell::Seconds(row.duration_ns.max(0))
        },
        Cell::Number(row.orig_bytes),
        Cell::Number(row.resp_bytes),
        word(row.conn_state),
        Cell::Bool(is_local(row.orig.0)),
        Cell::Bool(is_local(row.resp.0)),
        Cell::Number(row.missed_bytes),
        word(&row.history),
        Cell::Number(row.orig_pkts),
        Cell::Number(row.orig_ip_bytes),
        Cell::Number(row.resp_pkts),
        Cell::Number(row.resp_ip_bytes),
        Cell::Absent,
        Cell::Number(row.key.protocol.into()),
        word(row.attempt_outcome),
        word(row.tls_outcome.unwrap_or("")),
        span(row.server_rtt_ns),
        span(row.client_rtt_ns),
        Cell::Number(row.syn_retries.into()),
        Cell::Number(row.orig_retransmitted.into()),
        Cell::Number(row.resp_retransmitted.into()),
        word(row.name.as_deref().unwrap_or("")),
        Cell::Set(row.codes.clone()),
        Cell::Text(flow),
        Cell::Text(id::community(&row.key)),
    ]
}

/// Zeek's `Site::private_address_space`, which is its default of what is local.
fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
