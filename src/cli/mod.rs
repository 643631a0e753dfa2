//! Arguments into what runs. Nothing else reads them.
//!
//! Exit status: 0 done, 1 findings at or above `--fail-on`, 2 usage or configuration, 3 no input could be read,
//! 4 some input was skipped or cut short. If several apply: 2, 3, 1, 4. A closed pipe is 0.

mod again;
mod analyze;
mod batch;
mod chosen;
mod endpoints;
mod explain;
mod extract;
mod filter;
mod flows;
mod input;
mod keys;
mod live;
mod output;
mod report;
mod schema;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::failure::{Lang, Severity};

/// Why a client could not reach its invoicing server, with the frames that prove it.
#[derive(Debug, Parser)]
#[command(
    name = "wirefault",
    version,
    about,
    disable_help_subcommand = true,
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read captures and say which clients failed to reach which servers, and why
    Analyze {
        #[command(flatten)]
        common: Common,
    },
    /// The same diagnosis on live interfaces, or on a capture that comes through a pipe
    Live {
        #[command(flatten)]
        source: live::Source,
        #[command(flatten)]
        keeping: live::Keeping,
        #[command(flatten)]
        telling: Box<live::Telling>,
        #[command(flatten)]
        common: Common,
    },
    /// Analyse an archive set by set, in parallel and resumable, and keep what reports and queries need
    Batch {
        #[command(flatten)]
        target: batch::Target,
        #[command(flatten)]
        common: Common,
    },
    /// Make a report from what `batch` wrote, without the captures; PATH are folders of results
    Report {
        #[command(flatten)]
        common: Common,
    },
    /// List what can be captured
    Interfaces,
    /// Print one row per flow: Zeek's conn.log columns, then ours
    Flows {
        #[command(flatten)]
        common: Common,
    },
    /// Draw one flow as a ladder, or list the frames of a finding
    Show {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        ids: Ids,
        /// Leave out nothing of a long flow
        #[arg(long)]
        all: bool,
    },
    /// Write the packets behind findings, or of whole flows, to a pcapng file with comments
    Extract {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        ids: Ids,
    },
    /// Say what a code means, how it is told, what it is not, and what to do
    Explain {
        /// Code of the catalogue, such as `transport.syn-refused`, or what a client shows: `12029`, `curl 7`
        #[arg(required_unless_present = "list", allow_negative_numbers = true)]
        code: Vec<String>,
        /// List all codes
        #[arg(long)]
        list: bool,
        /// Language of the guide
        #[arg(long, value_enum)]
        lang: Option<LangArg>,
    },
    /// Print the built-in endpoint rules, or say what is wrong with a file of rules
    #[command(arg_required_else_help = true)]
    Endpoints {
        /// Write the built-in rules as TOML
        #[arg(long)]
        print: bool,
        /// Check a file of rules
        #[arg(long, value_name = "FILE", conflicts_with = "print")]
        check: Option<PathBuf>,
    },
    /// Print the JSON Schema of the report, or of one line of jsonl
    Schema {
        /// Which schema
        #[arg(value_enum, default_value = "report")]
        which: SchemaArg,
    },
}

/// Options of every command that analyses.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// Files, folders, globs, or `-` for standard input: pcap or pcapng, also gzip, zstd, lz4 or xz
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,
    /// How to write the report
    #[arg(long, value_enum, default_value = "text")]
    pub format: FormatArg,
    /// Write to this file, whole or not at all
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Trust anchors as PEM; else the bundled Mozilla roots
    #[arg(long, value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,
    /// Secrets of TLS sessions, as SSLKEYLOGFILE makes browsers, curl and OpenSSL write them: what these open is judged
    /// as if it stood in clear. Read once, before the packets
    #[arg(long, value_name = "FILE")]
    pub keylog: Option<PathBuf>,
    /// Endpoint rules as TOML: only servers that a rule fits are told of; see `wirefault endpoints`
    #[arg(long, value_name = "FILE")]
    pub endpoints: Option<PathBuf>,
    /// Read only frames that fit this libpcap filter (builds with the feature `live`)
    #[arg(long, value_name = "BPF")]
    pub filter: Option<String>,
    /// Trust the machine's roots too
    #[arg(long)]
    pub native_roots: bool,
    /// Findings from this time on (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Findings up to this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Language of texts; else from the locale
    #[arg(long, value_enum)]
    pub lang: Option<LangArg>,
    /// Time zone of text, html and markdown; JSON and csv are UTC
    #[arg(long, value_name = "NAME")]
    pub tz: Option<String>,
    /// Threads; the report does not depend on them
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Bound of the flow table, such as 512M or 2G: the flow that was to be looked at next is judged early
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Findings of one code and endpoint before further ones fold by client
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub findings_max: usize,
    /// Exit with 1 if a finding is at least this severe
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<SeverityArg>,
    /// Mask taxpayer ids, invoice numbers and phones; credentials are masked always
    #[arg(long, value_enum, default_value = "on", value_name = "on|off")]
    pub redact: SwitchArg,
    /// Print run figures on standard error
    #[arg(long)]
    pub stats: bool,
    /// No progress, no remarks
    #[arg(long)]
    pub quiet: bool,
    /// Colours
    #[arg(long, value_enum, default_value = "auto")]
    pub color: ColorArg,
}

/// What of a report is meant.
#[derive(Args, Clone, Debug)]
pub(crate) struct Ids {
    /// Id of a finding, as JSON and csv tell it; several with commas, or the option again
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub finding: Vec<String>,
    /// Id of a flow, as `wirefault flows` tells it
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub flow: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    Text,
    Json,
    Jsonl,
    Html,
    Markdown,
    Csv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LangArg {
    En,
    Zh,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SeverityArg {
    Info,
    Warning,
    Error,
    Critical,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorArg {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SwitchArg {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaArg {
    Report,
    Events,
}

impl From<SeverityArg> for Severity {
    fn from(arg: SeverityArg) -> Self {
        match arg {
            SeverityArg::Info => Self::Info,
            SeverityArg::Warning => Self::Warning,
            SeverityArg::Error => Self::Error,
            SeverityArg::Critical => Self::Critical,
        }
    }
}

/// Why a run ends early: the exit status and the sentence for standard error.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: u8,
    pub(crate) message: String,
}

impl Failure {
    /// Bad arguments or configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            status: 2,
            message: message.into(),
        }
    }
}

/// Parses the arguments, runs, and gives the exit status.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let done = match cli.command {
        Command::Analyze { common } => analyze::run(&common),
        Command::Live {
            source,
            keeping,
            telling,
            common,
        } => live::run(&source, &keeping, &telling, &common),
        Command::Batch { target, common } => batch::run(&target, &common),
        Command::Report { common } => report::run(&common),
        Command::Interfaces => live::list(),
        Command::Flows { common } => flows::run(&common),
        Command::Show { common, ids, all } => show::run(common, ids, all),
        Command::Extract { common, ids } => extract::run(common, ids),
        Command::Explain { code, list, lang } => {
            explain::run(Some(&code.join(" ")), list, language(lang))
        }
        Command::Endpoints { print, check } => endpoints::run(print, check.as_deref()),
        Command::Schema { which } => schema::run(which),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            output::complain(&failure.message);
            ExitCode::from(failure.status)
        }
    }
}

/// The language asked for, else the locale's.
pub(crate) fn language(arg: Option<LangArg>) -> Lang {
    match arg {
        Some(LangArg::En) => Lang::En,
        Some(LangArg::Zh) => Lang::Zh,
        None => {
            let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            let locale = set("LC_ALL")
                .or_else(|| set("LC_MESSAGES"))
                .or_else(|| set("LANG"))
                .unwrap_or_default();
            if locale.starts_with("zh") {
                Lang::Zh
            } else {
                Lang::En
            }
        }
    }
}
