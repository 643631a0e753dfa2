//! `--keylog FILE`: read once, before anything else.

use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use crate::cli::{Common, Failure, output};
use crate::protocol::tls::{KeyLog, Lines};

/// The secrets of the key log that was asked for. Lines that are none are told in one sentence.
pub(crate) fn read(common: &Common) -> Result<Option<Arc<KeyLog>>, Failure> {
    let Some(path) = &common.keylog else {
        return Ok(None);
    };
    let name = path.display();
    let keys = KeyLog::default();
    let lines = File::open(path)
        .and_then(|file| keys.read(BufReader::with_capacity(256 << 10, file)))
        .map_err(|error| Failure::usage(format!("--keylog {name}: cannot be read: {error}")))?;
    if let Some(remark) = remark(&lines) {
        output::complain(&format!("--keylog {name}: {remark}"));
    }
    Ok(Some(Arc::new(keys)))
}

/// What is to be said of a key log's lines.
fn remark(lines: &Lines) -> Option<String> {
    let Lines {
        used,
        malformed,
        first_malformed,
        beyond,
        ..
    } = lines;
    let what = "a line reads CLIENT_RANDOM, or another label, then the client random and the secret in hexadecimal";
    match (*used, *malformed, *beyond) {
        (0, 0, 0) => Some("no secret of a TLS session in it: nothing is decrypted".to_owned()),
        (0, malformed, 0) => Some(format!(
            "none of its {malformed} lines is one of a key log: nothing is decrypted; {what}"
        )),
        (_, 0, 0) => None,
        (_, 0, beyond) => Some(format!(
            "{beyond} secrets beyond the first {} are not kept",
            crate::limits::KEYS_MAX
        )),
        (_, 1, _) => Some(format!(
            "line {first_malformed} is not one of a key log and is passed over; {what}"
        )),
        (_, malformed, _) => Some(format!(
            "{malformed} lines are not those of a key log and are passed over, the first is line {first_malformed}; {what}"
        )),
    }
}
