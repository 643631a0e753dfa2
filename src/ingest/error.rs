//! Why an input cannot be read at all.
//!
//! Each message names the input, what was expected, what was found and what to do. Damage inside a file that
//! can be read is no error: it is a `Note` of its report.

use std::fmt;
use std::io;

/// An input that gives no frames; the others are still read.
#[derive(Debug)]
pub enum IngestError {
    /// No file, folder or matching name of this argument exists.
    NotFound {
        /// The argument as given.
        path: String,
    },
    /// A shell pattern that matches no name, or is none.
    NoMatch {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with the pattern itself, where that is the cause.
        reason: Option<String>,
    },
    /// A folder in which no file is a capture.
    NoCaptures {
        /// The folder as given.
        path: String,
    },
    /// The system refused to open or read it.
    Unreadable {
        /// The file.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Not a byte in it.
    Empty {
        /// The file.
        path: String,
    },
    /// Its first bytes are those of no capture.
    NotACapture {
        /// The file.
        path: String,
        /// What the first bytes look like.
        found: String,
    },
    /// An archive, which may hold captures but is none.
    Archive {
        /// The file.
        path: String,
        /// `zip`, `tar` and so on.
        kind: &'static str,
        /// The command that unpacks it.
        unpack: &'static str,
    },
    /// Captured by another tool in its own format.
    OtherFormat {
        /// The file.
        path: String,
        /// The format's name.
        kind: &'static str,
    },
    /// Compressed in a way that is not read here, or damaged before its first packet.
    Compressed {
        /// The file.
        path: String,
        /// The compression.
        kind: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// A capture of a version that nobody reads.
    Version {
        /// The file.
        path: String,
        /// `pcap` or `pcapng`.
        kind: &'static str,
        /// The version that it names.
        found: String,
        /// The version that is read.
        expected: &'static str,
    },
    /// Begins like a capture but ends within the file header.
    ShortHeader {
        /// The file.
        path: String,
        /// `pcap` or `pcapng`.
        kind: &'static str,
        /// Bytes that a header takes.
        expected: u32,
        /// Bytes there are.
        found: u64,
    },
    /// Standard input was named more than once.
    InputTwice,
}

impl fmt::Display for IngestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { path } => {
                write!(f, "{path}: no such file or folder; check the path")
            }
            Self::NoMatch {
                pattern,
                reason: None,
            } => {
                write!(
                    f,
                    "{pattern}: no file matches this pattern; check the folder and the spelling"
                )
            }
            Self::NoMatch {
                pattern,
                reason: Some(reason),
            } => {
                write!(
                    f,
                    "{pattern}: not a valid pattern: {reason}; put a literal [ in brackets as [[]"
                )
            }
            Self::NoCaptures { path } => write!(
                f,
                "{path}: no capture in this folder; expected at least one pcap or pcapng file, plain or compressed"
            ),
            Self::Unreadable { path, source } => {
                write!(
                    f,
                    "{path}: cannot be read: {source}; check that it exists and who may read it"
                )
            }
            Self::InputTwice => {
                f.write_str("-: standard input can be read only once; give - a single time")
            }
            content => content.of_content(f),
        }
    }
}

impl IngestError {
    /// What was expected of a file's bytes, what they are, and what to do.
    fn of_content(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { path } => {
                write!(
                    f,
                    "{path}: expected a capture, found an empty file; was it closed or copied completely?"
                )
            }
            Self::NotACapture { path, found } => write!(
                f,
                "{path}: expected a pcap or pcapng capture, found {found}; save the packets with tcpdump -w or in Wireshark"
            ),
            Self::Archive { path, kind, unpack } => write!(
                f,
                "{path}: expected a capture, found a {kind} archive; unpack it first ({unpack}) and give the captures or their folder"
            ),
            Self::Version {
                path,
                kind,
                found,
                expected,
            } => write!(
                f,
                "{path}: expected {kind} version {expected}, found version {found}; was the head of the file damaged? Capture or convert it again"
            ),
            Self::OtherFormat { path, kind } => write!(
                f,
                "{path}: expected a pcap or pcapng capture, found the format {kind}; convert it with editcap -F pcapng"
            ),
            Self::Compressed { path, kind, reason } => write!(
                f,
                "{path}: {kind} data that cannot be unpacked: {reason}; unpack it by hand or copy the file again"
            ),
            Self::ShortHeader {
                path,
                kind,
                expected,
                found,
            } => write!(
                f,
                "{path}: expected a {kind} header of {expected} bytes, found the end of the file after {found}; copy the file again"
            ),
            // All others are told by `fmt`.
            _ => Ok(()),
        }
    }
}

impl std::error::Error for IngestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            _ => None,
        }
    }
}
