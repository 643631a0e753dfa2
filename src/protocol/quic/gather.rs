//! A ClientHello out of the CRYPTO frames of several Initials, in any order: browsers deal it out over two datagrams, and
//! its pieces within them.

use crate::protocol::tls::{ClientHello, hello};

/// Longest ClientHello that is put together.
const HELLO_MAX: usize = 8 * 1024;
/// Pieces that wait for those before them.
const PIECES_MAX: usize = 128;

/// The pieces so far.
#[derive(Clone, Debug, Default)]
pub struct Gather {
    bytes: Vec<u8>,
    /// What of them is there: sorted, apart from each other.
    have: Vec<(usize, usize)>,
}

impl Gather {
    /// Takes a piece. The hello, once its last piece is there; what no longer fits a limit is left out.
    pub fn add(&mut self, offset: u64, piece: &[u8]) -> Option<ClientHello> {
        let from = usize::try_from(offset).ok()?;
        let to = from
            .checked_add(piece.len())
            .filter(|to| *to <= HELLO_MAX)?;
        if piece.is_empty() || self.have.len() >= PIECES_MAX {
            return None;
        }
        if self.bytes.len() < to {
            self.bytes.resize(to, 0);
        }
        self.bytes.get_mut(from..to)?.copy_from_slice(piece);
        self.have.push((from, to));
        self.have.sort_unstable();
        self.have.dedup_by(|later, earlier| {
            let joins = later.0 <= earlier.1;
            if joins {
                earlier.1 = earlier.1.max(later.1);
            }
            joins
        });
        let &(0, end) = self.have.first()? else {
            return None;
        };
        let &[1, high, middle, low] = self.bytes.first_chunk::<4>()? else {
            return None;
        };
        let len = 4 + (usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low));
        hello::client(self.bytes.get(..len).filter(|_| len <= end)?)
    }
}
