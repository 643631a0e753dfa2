//! The loop of a run that goes on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use crate::cli::filter::Filter;
use crate::cli::live::evidence::Evidence;
use crate::cli::{Common, Failure, FormatArg, endpoints, output};
use crate::engine::Engine;
use crate::ingest::{Batch, Feed, Interface, live};
use crate::report::stream::{Moment, Pulse, Stream, Tell};
use crate::report::{self, Findings, Settings, Told};
use crate::time::{Nanos, SECOND, Timestamp};

/// How often a look is taken, unless looking takes more of the machine's time than a share of `LOOK_SHARE`.
const LOOK: Nanos = SECOND / 2;
const LOOK_SHARE: u32 = 8;
/// Endpoints are told so often.
const ENDPOINTS: Nanos = 60 * SECOND;
/// What is told of the past is kept for so long at least, and for half as long again at most.
const WINDOW: Nanos = 600 * SECOND;
/// How often it is told how the run itself stands, by the machine's time.
const BEAT: Duration = Duration::from_secs(1);

/// A run that goes on.
pub(super) struct Run<'a> {
    pub(super) engine: Engine,
    pub(super) feed: Feed,
    pub(super) filter: Option<Filter>,
    pub(super) ticking: bool,
    pub(super) settings: Settings,
    pub(super) stop: Arc<AtomicBool>,
    /// The endpoint rules are to be read again.
    pub(super) reload: Arc<AtomicBool>,
    /// What becomes of the interfaces.
    pub(super) says: Receiver<String>,
    pub(super) evidence: Option<Evidence>,
    pub(super) common: &'a Common,
}

/// When what is done next, by the capture's clock.
#[derive(Default)]
struct Next {
    look: Option<Timestamp>,
    looked: Option<Timestamp>,
    endpoints: Option<Timestamp>,
    forget: Option<Timestamp>,
    rest: Rest,
}

/// Looking costs time of the machine, the more the more there is to tell: this keeps it to a share.
#[derive(Clone, Copy, Default)]
struct Rest {
    began: Option<Instant>,
    until: Option<Instant>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "what looking costs is the machine's time"
)]
impl Rest {
    fn begin() -> Self {
        Self {
            began: Some(Instant::now()),
            until: None,
        }
    }

    /// The look is over: the next one comes after as long again as many times as `LOOK_SHARE` says.
    fn end(self) -> Self {
        let now = Instant::now();
        let took = self.began.map_or(Duration::ZERO, |began| now - began);
        Self {
            began: None,
            until: Some(now + took * (LOOK_SHARE - 1)),
        }
    }

    fn is_over(self) -> bool {
        self.until.is_none_or(|until| Instant::now() >= until)
    }
}

/// Says once a second of the machine's time that it is time.
#[derive(Default)]
struct Beat(Option<Instant>);

impl Beat {
    #[expect(
        clippy::disallowed_methods,
        reason = "how the run stands is told by the machine's time"
    )]
    fn due(&mut self) -> bool {
        let now = Instant::now();
        let due = self.0.is_none_or(|last| now.duration_since(last) >= BEAT);
        if due {
            self.0 = Some(now);
        }
        due
    }
}

impl Run<'_> {
    /// Captures, looks, tells, until the stream ends or `stop` is set; gives the exit status.
    pub(super) fn told<T: Tell>(mut self, mut stream: Stream<T>) -> Result<u8, Failure> {
        let (common, settings) = (self.common, self.settings.clone());
        let mut next = Next::default();
        let mut batch = Batch::default();
        let mut beat = Beat::default();
        let written = (|| {
            stream.begin(&self.look())?;
            // Interfaces end by themselves when they are to, with what they have taken; a stream may never.
            while self.feed.next(&mut batch) && (self.ticking || !self.stop.load(Ordering::Relaxed))
            {
                if let Some(filter) = &mut self.filter
                    && let Err(failure) = filter.apply(&mut batch)
                {
                    return Ok(Err(failure));
                }
                self.take(&batch);
                self.in_time(&mut stream, &mut next, batch.frames.is_empty())?;
                self.keep_evidence();
                if beat.due() {
                    stream.pulse(&self.pulse())?;
                    self.attend();
                }
            }
            Ok(Ok(()))
        })();
        let written = match written {
            Ok(Ok(())) => {
                let now = self.engine.clock();
                let interfaces = self.feed.interfaces().to_vec();
                let mut evidence = self.evidence.take();
                let told = self.finished();
                let written = stream.finish(&told, now);
                if let Some(evidence) = &mut evidence {
                    evidence.in_time(now, &interfaces, true);
                }
                written.map(|()| told)
            }
            Ok(Err(failure)) => return Err(failure),
            Err(error) => Err(error),
        };
        let told = match written {
            Ok(told) => told,
            Err(error) if closed(&error) => return Ok(0),
            Err(error) => return Err(Failure::usage(format!("cannot be written: {error}"))),
        };
        if common.format == FormatArg::Text && !common.quiet {
            let text = report::text::write(&told.whole(), &settings);
            output::write(None, text.as_bytes())?;
        }
        Ok(0)
    }

    /// The run as it is told at its end.
    fn finished(self) -> Told<Findings> {
        let files = self.feed.files().to_vec();
        let diagnosis = self.engine.finish(&files);
        let mut told = Told::lazily(diagnosis, &files, self.feed.interfaces(), &self.settings);
        told.options.filter.clone_from(&self.common.filter);
        told
    }

    fn keep_evidence(&mut self) {
        let now = self.engine.clock();
        if let Some(evidence) = &mut self.evidence {
            evidence.in_time(now, self.feed.interfaces(), false);
        }
    }

    fn take(&mut self, batch: &Batch) {
        self.engine.push(batch);
        if let Some(evidence) = &mut self.evidence {
            evidence.keep(batch);
        }
        if self.ticking && batch.frames.is_empty() {
            self.engine.tick(live::now());
        }
    }

    /// What is asked for or said from outside.
    fn attend(&mut self) {
        for said in self.says.try_iter() {
            output::complain(&said);
        }
        if self.reload.swap(false, Ordering::Relaxed) {
            self.read_rules_again();
        }
    }

    /// The endpoint rules as they are now; flows that are open go on. Where they cannot be had, the old ones stay.
    fn read_rules_again(&mut self) {
        let Some(path) = &self.common.endpoints else {
            output::complain("SIGHUP: nothing to read again, --endpoints was not given");
            return;
        };
        match endpoints::read(path) {
            Ok((rules, anchors)) => {
                self.engine.judge_by(Arc::new(rules), &anchors);
                output::complain(&format!("SIGHUP: {} is read again", path.display()));
            }
            Err(failure) => output::complain(&format!(
                "SIGHUP: the endpoint rules stay as they were: {}",
                failure.message
            )),
        }
    }

    fn pulse(&self) -> Pulse {
        let faces = self.feed.interfaces().iter();
        let lost = |(by_interface, by_system): (u64, u64), face: &Interface| {
            (
                by_interface.saturating_add(face.interface_drops),
                by_system.saturating_add(face.system_drops),
            )
        };
        let (interface_drops, system_drops) = faces.fold((0, 0), lost);
        Pulse {
            clock: self.engine.clock(),
            packets: self.feed.progress().packets,
            interface_drops,
            system_drops,
        }
    }

    /// What is due by the capture's clock; and a look at what came last, where nothing more comes for now.
    fn in_time<T: Tell>(
        &mut self,
        stream: &mut Stream<T>,
        next: &mut Next,
        idle: bool,
    ) -> io::Result<()> {
        let now = self.engine.clock();
        if now == Timestamp::default() {
            return Ok(());
        }
        let due = |when: &mut Option<Timestamp>, pause: Nanos| {
            let due = when.is_some_and(|when| now >= when);
            if due || when.is_none() {
                *when = Some(now.plus(pause));
            }
            due
        };
        let last = idle && next.looked.is_some_and(|looked| looked < now);
        if next.rest.is_over() && (due(&mut next.look, LOOK) || last) {
            next.looked = Some(now);
            let looked = Rest::begin();
            let told = self.look();
            let moment = Moment {
                now,
                lingering: self.engine.lingering(),
                ends: false,
            };
            stream.look(&told, &moment)?;
            if due(&mut next.endpoints, ENDPOINTS) {
                stream.endpoints(&told)?;
            }
            if due(&mut next.forget, WINDOW / 2) {
                stream.forget_before(now.plus(-WINDOW), now);
                self.engine.forget_before(now.plus(-WINDOW));
                // What left is the difference between two looks at one moment.
                let kept = self.look();
                stream.forgotten((&told, &kept), now);
            }
            next.rest = looked.end();
        }
        Ok(())
    }

    fn look(&mut self) -> Told<Findings> {
        let files = self.feed.files().to_vec();
        let diagnosis = self.engine.look(&files);
        let mut told = Told::lazily(diagnosis, &files, self.feed.interfaces(), &self.settings);
        told.options.filter.clone_from(&self.common.filter);
        told
    }
}

/// The reader went away, which is no failure.
fn closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
