//! Incidents, and findings if asked for, to a receiver over HTTP: one JSON object a POST.
//!
//! An event is on disk before it is sent, and leaves the disk when the receiver took it (2xx): it arrives at least once,
//! in order, whatever happens to the receiver or to this process in between. Its `id` is the same when it is repeated.
//! What the receiver will never take (400, 413, 415, 422, three times) is dropped and counted; everything else is tried
//! again, with pauses up to five minutes.

mod post;
mod queue;
#[cfg(feature = "https")]
mod secure;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::failure::{Lang, Severity};
use crate::limits::WEBHOOK_LISTED;
use crate::report::schema::{Finding, Incident, Withdrawn};
use crate::report::stream::{Tell, line};
use crate::report::{Findings, Told};
use crate::tell::backoff::Backoff;
use crate::tell::vitals::{Receiver, held, instant};
use crate::tell::{Say, Vitals};
pub use post::Target;
use queue::{Place, Queue};

/// The first pause after a try that came to nothing.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How often an event is tried that the receiver refuses for what it says.
const REFUSED_MAX: u32 = 3;
/// At the end of a run, what waits may still be delivered for so long; the next run delivers the rest.
const LAST_TRY: Duration = Duration::from_secs(5);
/// What the disk did not take is tried again so often.
const AGAIN: Duration = Duration::from_secs(10);

/// Who is told, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to.
    pub target: Target,
    /// Further lines of the head, `Name: value`.
    pub headers: Vec<String>,
    /// Where events wait.
    pub folder: PathBuf,
    /// How many bytes of them.
    pub bytes_max: u64,
    /// Findings from this severity on.
    pub findings: Option<Severity>,
    /// Trust anchors of the receiver as PEM; else Mozilla's and the machine's.
    pub trust: Option<PathBuf>,
    /// Language of the texts.
    pub lang: Lang,
    /// Name of this machine.
    pub host: String,
}

/// What the run and the thread that delivers share.
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    /// The run ended: when to stop trying.
    ends: Mutex<Option<std::time::Instant>>,
    counts: Arc<Receiver>,
    vitals: Arc<Vitals>,
    say: Say,
}

/// The listener that puts events into the queue.
pub struct Webhook {
    shared: Arc<Shared>,
    options: Options,
    severities: BTreeMap<&'static str, Severity>,
    worker: Option<JoinHandle<()>>,
}

impl Webhook {
    /// Takes up what a former run left, and begins to deliver. The error says what is wrong with the options.
    pub fn start(options: Options, vitals: &Arc<Vitals>, say: Say) -> Result<Self, String> {
        let tls = tls(&options)?;
        for header in &options.headers {
            check(header)?;
        }
        let queue = Queue::open(&options.folder, options.bytes_max)
            .map_err(|error| format!("--webhook-queue {error}"))?;
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            wake: Condvar::new(),
            ends: Mutex::default(),
            counts: vitals.receiver("webhook"),
            vitals: Arc::clone(vitals),
            say,
        });
        shared.count();
        let (own, target) = (Arc::clone(&shared), options.target.clone());
        let headers = options.headers.clone();
        let thread = std::thread::Builder::new().name("webhook".to_owned());
        let worker = thread.spawn(move || deliver(&own, &target, tls.as_ref(), &headers));
        let worker = worker.map_err(|error| format!("--webhook: {error}"))?;
        let all = [
            Severity::Info,
            Severity::Warning,
            Severity::Error,
            Severity::Critical,
        ];
        Ok(Self {
            shared,
            options,
            severities: all.into_iter().map(|one| (one.name(), one)).collect(),
            worker: Some(worker),
        })
    }

    fn push(&self, event: &Value) {
        let pushed = held(&self.shared.queue).push(event.to_string());
        self.shared.written(pushed);
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn written(&self, written: io::Result<()>) {
        match written {
            Ok(()) => self.vitals.works("webhook queue"),
            Err(error) => self.vitals.fails("webhook queue", error.to_string()),
        }
        self.count();
    }

    fn count(&self) {
        let mut queue = held(&self.queue);
        let dropped = queue.dropped();
        self.counts.dropped.fetch_add(dropped, Ordering::Relaxed);
        self.counts.queued.store(queue.waiting(), Ordering::Relaxed);
    }

    /// The first that waits, once what could not be written before is.
    fn next(&self) -> io::Result<Option<(Place, String)>> {
        let mut queue = held(&self.queue);
        let written = queue.write();
        let next = queue.peek();
        drop(queue);
        self.written(written);
        next
    }

    /// Waits for `pause`, or less where the run ends; says whether to go on.
    fn wait(&self, pause: Duration) -> bool {
        let until = instant() + pause;
        let mut queue = held(&self.queue);
        loop {
            let now = instant();
            let left = until.saturating_duration_since(now);
            let ends = *held(&self.ends);
            if ends.is_some_and(|ends| now + left >= ends) {
                return false;
            }
            if left.is_zero() {
                return true;
            }
            let waited = self.wake.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A header that would break the request's head is refused.
fn check(header: &str) -> Result<(), String> {
    let name = header.split_once(':').map(|(name, _)| name);
    let token = |name: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !name.is_empty() && name.bytes().all(fits)
    };
    let clean = !header.bytes().any(|byte| byte < b' ' || byte == 0x7f);
    if name.is_some_and(token) && clean {
        Ok(())
    } else {
        Err("--webhook-header: write it as `Name: value`, on one line".to_owned())
    }
}

#[cfg(feature = "https")]
fn tls(options: &Options) -> Result<Option<post::Tls>, String> {
    let secured = options.target.https;
    secured
        .then(|| secure::config(options.trust.as_deref()))
        .transpose()
}

#[cfg(not(feature = "https"))]
fn tls(options: &Options) -> Result<Option<post::Tls>, String> {
    if options.target.https {
        return Err(format!(
            "--webhook {}: this build speaks http only; build it with `cargo build --release --features https`",
            options.target
        ));
    }
    Ok(None)
}

/// What became of a try.
enum Tried {
    Taken,
    Again(String, Option<Duration>),
    Refused(String),
}

fn tried(answer: io::Result<post::Answer>) -> Tried {
    match answer {
        Ok(answer) => match answer.status {
            200..=299 => Tried::Taken,
            400 | 413 | 415 | 422 => Tried::Refused(format!("it answers {}", answer.status)),
            status => Tried::Again(format!("it answers {status}"), answer.retry_after),
        },
        Err(error) => Tried::Again(error.to_string(), None),
    }
}

/// Delivers until the run ends.
fn deliver(shared: &Shared, target: &Target, tls: Option<&post::Tls>, headers: &[String]) {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut refused = 0;
    loop {
        let next = shared.next();
        let (place, line) = match next {
            Ok(Some(next)) => next,
            Ok(None) if held(&shared.ends).is_some() => return,
            Ok(None) => {
                idle(shared);
                continue;
            }
            Err(error) => {
                shared.vitals.fails("webhook queue", error.to_string());
                if !shared.wait(AGAIN) {
                    return;
                }
                continue;
            }
        };
        let tried = tried(post::post(target, tls, headers, &line));
        let (done, pause) = match tried {
            Tried::Taken => {
                if backoff.tries() > 0 {
                    (shared.say)(&format!("webhook {target}: it takes events again"));
                }
                shared.counts.sent.fetch_add(1, Ordering::Relaxed);
                (true, None)
            }
            Tried::Refused(why) if refused + 1 >= REFUSED_MAX => {
                (shared.say)(&format!(
                    "webhook {target}: {why} three times: the event is dropped"
                ));
                shared.counts.failures.fetch_add(1, Ordering::Relaxed);
                shared.counts.dropped.fetch_add(1, Ordering::Relaxed);
                (true, None)
            }
            Tried::Refused(why) => {
                refused += 1;
                (false, Some((why, None)))
            }
            Tried::Again(why, after) => (false, Some((why, after))),
        };
        if done {
            refused = 0;
            backoff.reset();
            // Killed before this is written, the event is delivered again: at least once.
            let done = held(&shared.queue).done(place);
            shared.written(done);
        }
        if let Some((why, after)) = pause {
            shared.counts.failures.fetch_add(1, Ordering::Relaxed);
            if backoff.tries() == 0 {
                (shared.say)(&format!("webhook {target}: {why}; events wait on disk"));
            }
            let pause = backoff
                .pause()
                .max(after.unwrap_or_default().min(LONGEST_PAUSE));
            if !shared.wait(pause) {
                return;
            }
        }
    }
}

/// Nothing is to be delivered: waits for an event, or for the end.
fn idle(shared: &Shared) {
    let queue = held(&shared.queue);
    if queue.waiting() == 0 && held(&shared.ends).is_none() {
        let _ = shared.wake.wait_timeout(queue, AGAIN);
    }
}

/// The first so many of `list`, and how many are left out.
fn shortened(body: &mut Value, list: &str) {
    let Some(items) = body.get_mut(list).and_then(Value::as_array_mut) else {
        return;
    };
    let omitted = items.len().saturating_sub(WEBHOOK_LISTED);
    items.truncate(WEBHOOK_LISTED);
    if omitted > 0
        && let Some(members) = body.as_object_mut()
    {
        members.insert(format!("{list}_omitted"), json!(omitted));
    }
}

impl Tell for Webhook {
    fn begin(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn finding(&mut self, row: &Finding) -> io::Result<()> {
        let severity = self.severities.get(row.severity);
        if severity.is_some_and(|one| self.options.findings.is_some_and(|least| *one >= least)) {
            self.push(&json!({
                "schema": "wirefault.webhook/1",
                "id": row.id,
                "type": "finding",
                "host": self.options.host,
                "text": line::finding(row, self.options.lang),
                "finding": row,
            }));
        }
        Ok(())
    }

    fn incident(&mut self, row: &Incident) -> io::Result<()> {
        let mut incident = json!(row);
        shortened(&mut incident, "findings");
        shortened(&mut incident, "endpoints");
        self.push(&json!({
            "schema": "wirefault.webhook/1",
            "id": format!("{}.{}", row.id, row.revision),
            "type": "incident",
            "host": self.options.host,
            "text": line::incident(row, self.options.lang),
            "incident": incident,
        }));
        Ok(())
    }

    /// Of findings only to whom findings are told.
    fn withdrawn(&mut self, past: &Withdrawn) -> io::Result<()> {
        if past.id.starts_with("i-") || self.options.findings.is_some() {
            self.push(&json!({
                "schema": "wirefault.webhook/1",
                "id": format!("{}.withdrawn", past.id),
                "type": "withdrawn",
                "host": self.options.host,
                "text": line::withdrawn(past, self.options.lang),
                "withdrawn": past,
            }));
        }
        Ok(())
    }

    fn endpoints(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Webhook {
    /// The run ended: what waits has a few seconds, the rest stays on disk.
    fn drop(&mut self) {
        *held(&self.shared.ends) = Some(instant() + LAST_TRY);
        drop(held(&self.shared.queue));
        self.shared.wake.notify_one();
        let until = instant() + LAST_TRY;
        while let Some(worker) = &self.worker
            && !worker.is_finished()
            && instant() < until
        {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let left = held(&self.shared.queue).waiting();
        if left > 0 {
            (self.shared.say)(&format!(
                "webhook {}: {left} events wait in {} for the next run",
                self.options.target,
                self.options.folder.display()
            ));
        }
    }
}
