//! `live --tui`: endpoints by minute, incidents and losses on a terminal. It draws on a thread of its own, from a view that
//! the run only puts values into.

mod draw;
#[cfg(test)]
mod tests;
mod view;
mod words;

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Seek as _, SeekFrom};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::report::schema::{Finding, Incident, Withdrawn};
use crate::report::stream::{Pulse, Tell};
use crate::report::{Findings, Settings, Told};
use crate::tell::Say;
use crate::time::Timestamp;

use draw::{Cursor, Manner};
use view::View;

/// How long keys are waited for before what has changed is drawn.
const PAUSE: Duration = Duration::from_millis(250);
/// Endpoints are taken over no more often.
const TAKEN: Duration = Duration::from_millis(900);

/// The screen as a listener of the run.
pub struct Screen {
    view: Arc<Mutex<View>>,
    over: Arc<AtomicBool>,
    drawing: Option<JoinHandle<()>>,
    memory: Option<File>,
    taken: Option<Instant>,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").finish_non_exhaustive()
    }
}

fn locked(view: &Mutex<View>) -> std::sync::MutexGuard<'_, View> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Screen {
    /// Takes the terminal over. `stop` is set when the user quits, and where nobody else is told (`alone`) when the
    /// terminal is gone; `source` is what is read. Fails where standard output
    /// is no terminal, or cannot be made to show it.
    #[expect(
        clippy::disallowed_methods,
        reason = "a screen waits for keys, which must not stop the run"
    )]
    pub fn start(
        source: &str,
        settings: &Settings,
        (stop, alone): (Arc<AtomicBool>, bool),
    ) -> Result<Self, String> {
        if !io::stdout().is_terminal() {
            return Err(
                "--tui: standard output is no terminal; leave it out, and -o FILE keeps the lines"
                    .to_owned(),
            );
        }
        let view = Arc::new(Mutex::new(View {
            source: source.to_owned(),
            changed: true,
            ..View::default()
        }));
        let over = Arc::new(AtomicBool::new(false));
        let manner = Manner {
            lang: settings.lang,
            zone: settings.zone.clone(),
            color: settings.color,
        };
        let failed = |error: io::Error| format!("--tui: the terminal cannot be used: {error}");
        let terminal = ratatui::try_init().map_err(failed)?;
        // Where keys come from is opened now: later there may be no right to it.
        if let Err(error) = event::poll(Duration::ZERO) {
            ratatui::restore();
            return Err(failed(error));
        }
        let keys = keys().map_err(failed)?;
        let (seen, ended) = (Arc::clone(&view), Arc::clone(&over));
        let drawing = std::thread::spawn(move || {
            // A terminal that is gone takes the screen with it; the run goes on where others hear of it.
            let shown = shown(terminal, &keys, &seen, &manner, (&ended, &stop));
            if alone && shown.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
        });
        Ok(Self {
            view,
            over,
            drawing: Some(drawing),
            memory: File::open("/proc/self/statm").ok(),
            taken: None,
        })
    }

    /// Sentences for standard error stand on the screen instead.
    pub fn say(&self) -> Say {
        let view = Arc::clone(&self.view);
        Arc::new(move |sentence: &str| locked(&view).say(sentence))
    }

    /// Pages in memory, of `man 5 proc_pid_statm`.
    fn memory(&mut self) -> u64 {
        const PAGE: u64 = 4_096;
        let mut text = String::new();
        let read = self.memory.as_mut().and_then(|file| {
            file.seek(SeekFrom::Start(0)).ok()?;
            file.read_to_string(&mut text).ok()
        });
        let pages = read.and_then(|_| text.split_whitespace().nth(1)?.parse().ok());
        pages.map_or(0, |pages: u64| pages.saturating_mul(PAGE))
    }

    /// Gives the terminal back.
    fn leave(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(drawing) = self.drawing.take() {
            // It looks four times a second; a terminal that hangs up just then may keep it for ever.
            for _ in 0..20 {
                if drawing.is_finished() {
                    break;
                }
                std::thread::park_timeout(PAUSE / 2);
            }
            let _ = ratatui::try_restore();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Where keys come from: standard input, or the terminal beside it where a capture comes from there.
fn keys() -> io::Result<File> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return stdin.as_fd().try_clone_to_owned().map(File::from);
    }
    File::open("/dev/tty")
}

/// Waits for a key; fails when the terminal is gone, which crossterm itself would wait for without end.
fn waited(keys: &File) -> io::Result<bool> {
    let mut ready = [PollFd::new(keys, PollFlags::IN)];
    let pause = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(PAUSE.subsec_nanos()),
    };
    match poll(&mut ready, Some(&pause)) {
        // A signal, such as that of another size: it is asked what it was.
        Err(Errno::INTR) => Ok(true),
        Err(error) => Err(error.into()),
        Ok(_) => {
            let [key] = &ready;
            let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
            if key.revents().intersects(gone) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            Ok(key.revents().contains(PollFlags::IN))
        }
    }
}

/// Draws and takes keys until the run or the user ends it.
fn shown(
    mut terminal: DefaultTerminal,
    keys: &File,
    view: &Mutex<View>,
    manner: &Manner,
    (over, stop): (&AtomicBool, &AtomicBool),
) -> io::Result<()> {
    let mut cursor = Cursor::default();
    let mut keyed = true;
    while !over.load(Ordering::Relaxed) {
        let now = {
            let mut view = locked(view);
            let changed = std::mem::replace(&mut view.changed, false);
            (changed || keyed).then(|| view.clone())
        };
        if let Some(view) = now {
            cursor.chosen = cursor.chosen.min(view.incidents.len().saturating_sub(1));
            terminal.draw(|frame| {
                let area = frame.area();
                draw::draw(area, frame.buffer_mut(), &view, &cursor, manner);
            })?;
        }
        waited(keys)?;
        // Also what no key says, such as another size.
        keyed = event::poll(Duration::ZERO)?;
        if keyed && let Event::Key(key) = event::read()? {
            if quits(&key) {
                stop.store(true, Ordering::Relaxed);
            } else {
                pressed(&key, &mut cursor);
            }
        }
    }
    Ok(())
}

/// `q`, and Ctrl-C, which is no signal while keys come one by one.
fn quits(key: &KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('q') => !control,
        KeyCode::Char('c') => control,
        _ => false,
    }
}

fn pressed(key: &KeyEvent, cursor: &mut Cursor) {
    if key.kind == KeyEventKind::Release {
        return;
    }
    match (key.code, &mut cursor.details) {
        (KeyCode::Up | KeyCode::Char('k'), Some(scrolled)) => {
            *scrolled = scrolled.saturating_sub(1)
        }
        (KeyCode::Down | KeyCode::Char('j'), Some(scrolled)) => {
            *scrolled = scrolled.saturating_add(1).min(500)
        }
        (KeyCode::Esc | KeyCode::Enter | KeyCode::Backspace, Some(_)) => cursor.details = None,
        (KeyCode::Up | KeyCode::Char('k'), None) => cursor.chosen = cursor.chosen.saturating_sub(1),
        (KeyCode::Down | KeyCode::Char('j'), None) => {
            cursor.chosen = cursor.chosen.saturating_add(1)
        }
        (KeyCode::Enter, None) => cursor.details = Some(0),
        _ => {}
    }
}

impl Tell for Screen {
    fn begin(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn finding(&mut self, _: &Finding) -> io::Result<()> {
        Ok(())
    }

    fn incident(&mut self, row: &Incident) -> io::Result<()> {
        locked(&self.view).incident(row);
        Ok(())
    }

    fn withdrawn(&mut self, past: &Withdrawn) -> io::Result<()> {
        locked(&self.view).withdrawn(&past.id);
        Ok(())
    }

    fn endpoints(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how often a screen is drawn is the machine's time"
    )]
    fn look(&mut self, told: &Told<Findings>, now: Timestamp) -> io::Result<()> {
        if self.taken.is_none_or(|taken| taken.elapsed() >= TAKEN) {
            self.taken = Some(Instant::now());
            let report = &told.report;
            locked(&self.view).look(&report.endpoints, report.summary.availability, now);
        }
        Ok(())
    }

    fn pulse(&mut self, pulse: &Pulse) -> io::Result<()> {
        let memory = self.memory();
        locked(&self.view).pulse(pulse, memory);
        Ok(())
    }

    fn end(&mut self, _: &Told<Findings>) -> io::Result<()> {
        self.leave();
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }
}
