//! IKE attempts by the initiator's SPI: what was agreed, refused, and said last.

use hashbrown::HashMap;

use super::End;
use crate::mark::Mark;
use crate::protocol::ike::{Message, exchange};
use crate::time::Timestamp;

/// Attempts remembered; further ones are not judged.
const ASSOCIATIONS_MAX: usize = 4_096;

/// One attempt to agree on a security association.
#[derive(Clone, Debug)]
pub struct Association {
    /// The initiator's SPI, which names it.
    pub spi: u64,
    /// 1 or 2.
    pub version: u8,
    /// Who began it.
    pub initiator: End,
    /// With whom.
    pub responder: End,
    /// Its first frame.
    pub first: Mark,
    /// Its last frame.
    pub last: Mark,
    /// The capture holds its first message.
    pub begun: bool,
    /// The responder chose a proposal.
    pub agreed: Option<Mark>,
    /// An error notified in clear: its number, frame, and whether the responder said it.
    pub refused: Option<(u16, Mark, bool)>,
    /// When it was refused first.
    pub refused_since: Option<Timestamp>,
    /// The initiator's last IKE_AUTH request.
    pub auth: Option<Mark>,
    /// The responder's last IKE_AUTH response, with the message's length.
    pub auth_answer: Option<(Mark, u32)>,
    /// It was the first of them.
    pub auth_first: bool,
    /// The first later exchange: who asked (the initiator or not), the frame.
    pub later: Option<(bool, Mark)>,
    /// How many messages belong to later exchanges.
    pub later_count: u32,
}

#[derive(Debug, Default)]
pub(super) struct Associations {
    by_spi: HashMap<u64, Association>,
    pub(super) omitted: u64,
}

impl Associations {
    pub(super) fn on_message(&mut self, from: End, to: End, message: &Message, at: Mark) {
        let spi = message.initiator_spi;
        if self.by_spi.len() >= ASSOCIATIONS_MAX && !self.by_spi.contains_key(&spi) {
            self.omitted += 1;
            return;
        }
        let by_initiator = match message.version {
            2 => message.from_initiator,
            _ => message.responder_spi == 0,
        };
        let (initiator, responder) = if by_initiator || message.version == 1 {
            (from, to)
        } else {
            (to, from)
        };
        let known = self.by_spi.entry(spi).or_insert(Association {
            spi,
            version: message.version,
            initiator,
            responder,
            first: at,
            last: at,
            begun: message.responder_spi == 0 && !message.response,
            agreed: None,
            refused: None,
            refused_since: None,
            auth: None,
            auth_answer: None,
            auth_first: false,
            later: None,
            later_count: 0,
        });
        // Behind an address translation the same attempt is seen again: the side seen first counts.
        let by_initiator = match from.0 {
            ip if ip == known.initiator.0 => true,
            ip if ip == known.responder.0 => false,
            _ => return,
        };
        known.last = at;
        if by_initiator {
            known.responder = to;
        }
        if let Some(error) = message.error {
            known.refused = Some((error, at, !by_initiator));
            known.refused_since.get_or_insert(at.time);
        } else if message.sa && !by_initiator {
            known.agreed = Some(at);
        }
        match (message.exchange, message.response) {
            (exchange::AUTH, false) => known.auth = Some(at),
            (exchange::AUTH, true) if message.fragment == 1 => {
                known.auth_answer = Some((at, message.len));
                known.auth_first = message.id == 1;
            }
            (exchange::CREATE_CHILD | exchange::INFORMATIONAL, _) => {
                known.later_count = known.later_count.saturating_add(1);
                if !message.response {
                    known.later.get_or_insert((by_initiator, at));
                }
            }
            _ => {}
        }
    }

    pub(super) fn all(&self) -> Vec<&Association> {
        let mut all: Vec<&Association> = self.by_spi.values().collect();
        all.sort_by_key(|known| (known.first, known.initiator));
        all
    }

    pub(super) fn forget_before(&mut self, time: Timestamp) {
        self.by_spi.retain(|_, known| known.last.time >= time);
    }
}
