//! Who else hears what a run has to tell, beside its own lines.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;

use crate::cli::{Common, Failure, SeverityArg, analyze, input, language, output};
use crate::report::stream::Tell;
use crate::tell::http::Server;
use crate::tell::metrics::Metrics;
#[cfg(feature = "live")]
use crate::tell::screen::Screen;
use crate::tell::syslog::{Syslog, Target};
use crate::tell::webhook::{self, Webhook};
use crate::tell::zabbix::{self, Zabbix};
use crate::tell::{Say, Vitals};

/// Options of who is told.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Who is told")]
pub(crate) struct Telling {
    /// Show endpoints, incidents and losses on the terminal (builds with the feature `live`); -o FILE keeps the lines
    #[arg(long)]
    tui: bool,
    /// Serve /metrics for Prometheus and /healthz here; a port alone means the loopback address
    #[arg(long, value_name = "[ADDR:]PORT")]
    listen: Option<String>,
    /// /healthz fails when no packet came for so long; 0: never for that
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 300,
        requires = "listen"
    )]
    stall_after: u64,
    /// POST each incident as JSON when it opens, grows and closes; retried until it is taken
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// POST findings of this severity and above too
    #[arg(long, value_enum, value_name = "SEVERITY", requires = "webhook")]
    webhook_findings: Option<SeverityArg>,
    /// A further header, such as `Authorization: Bearer …`; @FILE reads them from a file, one a line
    #[arg(long, value_name = "HEADER", requires = "webhook")]
    webhook_header: Vec<String>,
    /// A line for each incident to this syslog: a socket such as /dev/log, or a server by UDP
    #[arg(long, value_name = "PATH|ADDR[:PORT]")]
    syslog: Option<String>,
    /// Send figures of each endpoint to this Zabbix server or proxy every minute, as zabbix_sender does
    #[arg(long, value_name = "SERVER[:PORT]")]
    zabbix: Option<String>,
    /// This host's name as the Zabbix server knows it; else the machine's
    #[arg(long, value_name = "NAME", requires = "zabbix")]
    zabbix_host: Option<String>,
    /// Where events wait for the receiver; else `webhook` in $STATE_DIRECTORY, or ~/.local/state/wirefault
    #[arg(long, value_name = "DIR", requires = "webhook")]
    webhook_queue: Option<PathBuf>,
    /// The most that may wait there; then the oldest go
    #[arg(long, value_name = "SIZE", default_value = "16M", requires = "webhook")]
    webhook_queue_max: String,
    /// Trust these certificates (PEM) of an https receiver alone; else Mozilla's and the machine's
    #[arg(long, value_name = "FILE", requires = "webhook")]
    webhook_ca: Option<PathBuf>,
}

impl Telling {
    /// The screen, where it is wanted; taken over before rights are given up.
    #[cfg(feature = "live")]
    pub(super) fn screen(
        &self,
        source: &str,
        common: &Common,
        stop: &Arc<AtomicBool>,
    ) -> Result<Option<Box<dyn Tell>>, Failure> {
        if !self.tui {
            return Ok(None);
        }
        let mut settings = analyze::settings(common)?;
        // Its own lines may go to a file, and it is a terminal all the same.
        settings.color = output::color(common.color, true);
        let screen = Screen::start(
            source,
            &settings,
            (Arc::clone(stop), common.output.is_none()),
        )
        .map_err(Failure::usage)?;
        output::aside(Some(screen.say()));
        Ok(Some(Box::new(screen)))
    }

    /// The screen, which this build has not.
    #[cfg(not(feature = "live"))]
    pub(super) fn screen(
        &self,
        _: &str,
        _: &Common,
        _: &Arc<AtomicBool>,
    ) -> Result<Option<Box<dyn Tell>>, Failure> {
        if self.tui {
            return Err(Failure::usage(
                "--tui: this build has no screen; build it with `cargo build --release --features live`",
            ));
        }
        Ok(None)
    }

    /// Folders that are written to while the run goes on, when root was given up.
    #[cfg_attr(
        not(feature = "live"),
        expect(dead_code, reason = "only a capture gives up rights")
    )]
    pub(super) fn folders(&self) -> Result<Vec<PathBuf>, Failure> {
        let queue = self.webhook.is_some().then(|| self.queue()).transpose()?;
        Ok(queue.into_iter().collect())
    }

    /// Where events wait for the receiver.
    fn queue(&self) -> Result<PathBuf, Failure> {
        match &self.webhook_queue {
            Some(folder) => Ok(folder.clone()),
            None => Ok(state_folder()?.join("webhook")),
        }
    }

    /// Everybody who is to hear of it; none of them may end the run by an error of its own.
    pub(super) fn tellers(&self, common: &Common) -> Result<Vec<Box<dyn Tell>>, Failure> {
        let stall = (self.stall_after > 0).then(|| Duration::from_secs(self.stall_after));
        let vitals = Arc::new(Vitals::new(stall));
        let quiet = common.quiet;
        let say: Say = Arc::new(move |sentence: &str| {
            if !quiet {
                output::complain(sentence);
            }
        });
        let mut tellers: Vec<Box<dyn Tell>> = Vec::new();
        if let Some(address) = &self.listen {
            let address = listening(address)?;
            let metrics = Metrics::new(analyze::settings(common)?, &vitals);
            let server = Server::start(address, metrics.page(), Arc::clone(&vitals));
            let server = server.map_err(Failure::usage)?;
            say(&format!(
                "serves http://{0}/metrics and http://{0}/healthz",
                server.address
            ));
            tellers.push(Box::new(metrics));
        }
        if let Some(url) = &self.webhook {
            let options = self.webhook(url, common)?;
            let webhook = Webhook::start(options, &vitals, Arc::clone(&say));
            tellers.push(Box::new(webhook.map_err(Failure::usage)?));
        }
        if let Some(to) = &self.syslog {
            let target = Target::parse(to).ok_or_else(|| {
                Failure::usage(format!(
                    "--syslog {to}: write a socket or a server: /dev/log, logs.example, 192.0.2.1:514"
                ))
            })?;
            let syslog = Syslog::start(&target, host_name(), language(common.lang), &vitals);
            tellers.push(Box::new(syslog.map_err(Failure::usage)?));
        }
        if let Some(server) = &self.zabbix {
            let options = zabbix::Options {
                server: zabbix::Options::server(server).ok_or_else(|| {
                    Failure::usage(format!(
                        "--zabbix {server}: write a server, or a server and a port: zabbix.example, 192.0.2.1:10051"
                    ))
                })?,
                host: self.zabbix_host.clone().unwrap_or_else(host_name),
            };
            let zabbix = Zabbix::start(options, &vitals, Arc::clone(&say));
            tellers.push(Box::new(zabbix.map_err(Failure::usage)?));
        }
        Ok(tellers)
    }

    fn webhook(&self, url: &str, common: &Common) -> Result<webhook::Options, Failure> {
        let target = webhook::Target::parse(url);
        let target = target.map_err(|why| Failure::usage(format!("--webhook {why}")))?;
        Ok(webhook::Options {
            target,
            headers: headers(&self.webhook_header)?,
            folder: self.queue()?,
            bytes_max: input::sized("--webhook-queue-max", &self.webhook_queue_max)?,
            findings: self.webhook_findings.map(Into::into),
            trust: self.webhook_ca.clone(),
            lang: language(common.lang),
            host: host_name(),
        })
    }
}

/// `9469`, `127.0.0.1:9469`, `[::1]:9469`.
fn listening(text: &str) -> Result<SocketAddr, Failure> {
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    text.parse().map_err(|_| {
        Failure::usage(format!(
            "--listen {text}: write a port, or an address and a port: 9469, 0.0.0.0:9469, [::1]:9469"
        ))
    })
}

/// The headers given, and those of the files named with @.
fn headers(given: &[String]) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    for header in given {
        let Some(path) = header.strip_prefix('@') else {
            all.push(header.clone());
            continue;
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("--webhook-header {header}: {error}")))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        all.extend(lines.map(str::to_owned));
    }
    Ok(all)
}

/// Where what must outlive the run is kept.
fn state_folder() -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    // systemd may name several, with colons between them.
    if let Some(folders) = set("STATE_DIRECTORY") {
        let folders = folders.to_string_lossy();
        return Ok(PathBuf::from(folders.split(':').next().unwrap_or("")));
    }
    let home = || set("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let state = set("XDG_STATE_HOME").map(PathBuf::from).or_else(home);
    state.map(|state| state.join("wirefault")).ok_or_else(|| {
        Failure::usage("--webhook: no place for events that wait; name one by --webhook-queue DIR")
    })
}

/// Name of this machine, for receivers that hear several.
fn host_name() -> String {
    // A unit that hides /proc/sys leaves the file.
    let places = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let names = places
        .iter()
        .filter_map(|place| std::fs::read_to_string(place).ok());
    let mut names = names.map(|name| name.trim().to_owned());
    let found = names.find(|name| !name.is_empty());
    found.unwrap_or_else(|| "unknown".to_owned())
}
