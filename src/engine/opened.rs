//! What a key log opened of a conversation, handed to the readers of clear conversations.

use crate::engine::conversation::{Application, on_chunk};
use crate::engine::setting::Setting;
use crate::failure::episode::Web;
use crate::mark::Both;
use crate::mark::Direction::{self, ToClient, ToServer};
use crate::mark::Mark;
use crate::protocol::tls::{Plain, Session};
use crate::protocol::{Chunk, Next};

/// Bytes kept while the reader inside waits for more; a reader that wants more reads no further.
const WAITING_MAX: usize = 160 * 1024;

/// What is spoken inside TLS, and by whom it is read.
#[derive(Debug, Default)]
pub struct Opened {
    /// Who reads it: recognised by its bytes as in clear.
    pub application: Application,
    first_bytes: Both<Vec<u8>>,
    sides: Both<Side>,
}

/// A side's bytes as its reader wants them: what `tcp::stream` does for bytes of the wire.
#[derive(Debug, Default)]
struct Side {
    waiting: Vec<u8>,
    want: usize,
    skip: u64,
    done: bool,
}

/// Who takes a chunk for the application inside.
pub(super) type Reader<'r> =
    &'r mut dyn FnMut(&mut Application, &mut Both<Vec<u8>>, Direction, Chunk<'_>, Mark) -> Next;

/// Hands on what came out of the session of a conversation since the last call.
pub(super) fn hand_on_to(
    application: &mut Application,
    opened: &mut Option<Box<Opened>>,
    reader: Reader<'_>,
) {
    let Some(session) = session_of(application) else {
        return;
    };
    for plain in session.take_plain() {
        let opened = match (&mut *opened, &plain) {
            (Some(opened), _) => opened,
            // Nothing was said inside yet.
            (None, Plain::Gap(..) | Plain::Fin(..)) => continue,
            (none, Plain::Data(..)) => none.insert(Box::default()),
        };
        match plain {
            Plain::Data(from, bytes, at) => opened.data(from, &bytes, at, reader),
            Plain::Gap(from, bytes, at) => opened.gap(from, bytes, at, reader),
            Plain::Fin(from, at) => opened.fin(from, at, reader),
        }
    }
}

/// Hands what a key log opened to the readers of clear conversations.
pub(super) fn hand_on(
    application: &mut Application,
    opened: &mut Option<Box<Opened>>,
    setting: &Setting<'_>,
) {
    if setting.keys.is_some() {
        hand_on_to(application, opened, &mut reader(&setting.inside()));
    }
}

/// Reads what is inside TLS as if it stood in clear.
pub(super) fn reader<'s>(
    setting: &'s Setting<'s>,
) -> impl FnMut(&mut Application, &mut Both<Vec<u8>>, Direction, Chunk<'_>, Mark) -> Next + 's {
    move |application, first_bytes, from, chunk, at| {
        on_chunk(application, first_bytes, setting, from, chunk, at)
    }
}

fn session_of(application: &mut Application) -> Option<&mut Session> {
    match application.inside_mut() {
        Application::Tls(session) | Application::Tunnel(_, session) => Some(session),
        _ => None,
    }
}

impl Application {
    /// Nothing more comes: what waits is told.
    pub fn finish(&mut self) {
        if let Self::Http(web) | Self::Tunnel(web, _) = self.inside_mut() {
            web.log.finish();
            web.collect();
        }
    }
}

impl Opened {
    /// HTTP that was read inside.
    pub fn web(&self) -> Option<&Web> {
        match self.application.inside() {
            Application::Http(web) | Application::Tunnel(web, _) => Some(web),
            _ => None,
        }
    }

    /// The flow ends: what still waits is delivered.
    pub(super) fn finish(&mut self, at: Mark, reader: Reader<'_>) {
        for from in [ToServer, ToClient] {
            let rest = std::mem::take(&mut self.sides[from].waiting);
            if !rest.is_empty() && !self.sides[from].done {
                self.give(from, Chunk::Data(&rest), at, reader);
            }
        }
        self.application.finish();
    }

    fn data(&mut self, from: Direction, bytes: &[u8], at: Mark, reader: Reader<'_>) {
        let side = &mut self.sides[from];
        let skipped = usize::try_from(side.skip)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        side.skip -= skipped as u64;
        let bytes = bytes.get(skipped..).unwrap_or(&[]);
        if side.done || bytes.is_empty() {
            return;
        }
        if side.waiting.is_empty() {
            self.deliver(from, bytes, at, reader);
            return;
        }
        side.waiting.extend_from_slice(bytes);
        if side.waiting.len() >= side.want {
            let whole = std::mem::take(&mut side.waiting);
            self.deliver(from, &whole, at, reader);
        }
    }

    fn deliver(&mut self, from: Direction, bytes: &[u8], at: Mark, reader: Reader<'_>) {
        let next = self.give(from, Chunk::Data(bytes), at, reader);
        let side = &mut self.sides[from];
        match next {
            Next::More => {}
            Next::Wait { used, want } => {
                let rest = bytes.get(used..).unwrap_or(&[]);
                side.done = want > WAITING_MAX || rest.len() > WAITING_MAX;
                side.waiting = rest.to_vec();
                side.want = want.max(rest.len() + 1);
            }
            Next::Skip(bytes) => side.skip = bytes,
            Next::Done => side.done = true,
            Next::Broken(_) => self.sides.0.iter_mut().for_each(|side| side.done = true),
        }
    }

    fn gap(&mut self, from: Direction, bytes: u64, at: Mark, reader: Reader<'_>) {
        let side = &mut self.sides[from];
        // How many bytes a record holds is not known to the byte: what was to be skipped has no end now.
        (side.skip, side.want) = (0, 0);
        side.waiting.clear();
        if !side.done {
            let next = self.give(from, Chunk::Gap(bytes), at, reader);
            self.sides[from].done |= matches!(next, Next::Done | Next::Broken(_));
        }
    }

    fn fin(&mut self, from: Direction, at: Mark, reader: Reader<'_>) {
        let side = &mut self.sides[from];
        let rest = std::mem::take(&mut side.waiting);
        if side.done {
            return;
        }
        side.done = true;
        if !rest.is_empty() {
            self.give(from, Chunk::Data(&rest), at, reader);
        }
        self.give(from, Chunk::Fin, at, reader);
    }

    fn give(&mut self, from: Direction, chunk: Chunk<'_>, at: Mark, reader: Reader<'_>) -> Next {
        reader(
            &mut self.application,
            &mut self.first_bytes,
            from,
            chunk,
            at,
        )
    }
}
