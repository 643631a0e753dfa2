//! TLCP's key exchange (GB/T 38636 6.4.5.4): the server signs both random numbers and its encryption certificate, so that a
//! reader can tell whether it holds the key of the signing certificate that it shows.

use super::Session;
use super::chain::{Certificate, sm2_signed};

/// Version of TLCP's records and hellos.
const VERSION: u16 = 0x0101;
/// Longest ServerKeyExchange that is kept.
const MESSAGE_MAX: usize = 512;
/// Suites by whose key exchange the server signs its encryption certificate: ECC_SM4_CBC_SM3, ECC_SM4_GCM_SM3.
const ECC: [u16; 2] = [0xe013, 0xe053];
/// The same of ephemeral keys: ECDHE_SM4_CBC_SM3, ECDHE_SM4_GCM_SM3.
const ECDHE: [u16; 2] = [0xe011, 0xe051];

/// What the signature is over, and the message that holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyExchange {
    client_random: Vec<u8>,
    server_random: Vec<u8>,
    message: Vec<u8>,
}

impl Session {
    /// Keeps what the server's signature speaks of. `message` is a whole handshake message.
    pub(super) fn on_tlcp(&mut self, message: &[u8]) {
        let version = message.get(4..6) == Some(&VERSION.to_be_bytes());
        let random = || message.get(6..38).unwrap_or(&[]).to_vec();
        match (message.first(), &mut self.key_exchange) {
            (Some(1), empty @ None) if version => {
                empty.get_or_insert_default().client_random = random();
            }
            (Some(2), Some(known)) if version => known.server_random = random(),
            (Some(12), Some(known)) if message.len() <= MESSAGE_MAX => {
                known.message = message.get(4..).unwrap_or(&[]).to_vec();
            }
            _ => {}
        }
    }

    /// Did the server sign its key exchange with the key of the signing certificate that it shows? `None` where that cannot
    /// be told: no TLCP, another kind of key exchange, or messages that were not seen.
    pub fn server_signed(&self) -> Option<bool> {
        let known = self.key_exchange.as_deref()?;
        let suite = self.server_hello.as_ref()?.value.suite;
        let sent = &self.certificates.as_ref()?.value;
        let own = || sent.iter().filter_map(|der| Certificate::parse(der));
        let own = || own().filter(|one| !one.authority);
        let signing = own().find(Certificate::may_sign)?;
        let (said, signature) = if ECC.contains(&suite) {
            let other = own().find(|one| one.der != signing.der && one.may_encrypt())?;
            let len = u32::try_from(other.der.len()).ok()?.to_be_bytes();
            let said = [len.get(1..)?, &other.der].concat();
            (said, known.message.as_slice())
        } else if ECDHE.contains(&suite) {
            // The kind of curve, its number, and the point behind its length (RFC 8422 5.4).
            let len = usize::from(*known.message.get(3)?);
            let (said, signature) = known.message.split_at_checked(4 + len)?;
            (said.to_vec(), signature)
        } else {
            return None;
        };
        let (len, signature) = signature.split_first_chunk::<2>()?;
        let signature = signature.get(..usize::from(u16::from_be_bytes(*len)))?;
        if known.client_random.len() != 32 || known.server_random.len() != 32 {
            return None;
        }
        let whole = [&known.client_random, &known.server_random, &said].map(Vec::as_slice);
        sm2_signed(&signing, &whole.concat(), signature)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::mark::{Mark, Seen};
    use crate::protocol::tls::ServerHello;
    use crate::protocol::tls::chain::sm2_tests::signed;

    const ID: &str = "1234567812345678";

    /// A session of one suite that showed `sent` and said `exchange`.
    fn session(suite: u16, sent: &[&[u8]], exchange: &[u8]) -> Session {
        let mut session = Session::default();
        let hello = |kind: u8, byte: u8| [&[kind, 0, 0, 34, 1, 1][..], &[byte; 32]].concat();
        session.on_tlcp(&hello(1, 7));
        session.on_tlcp(&hello(2, 8));
        session.on_tlcp(&[&[12, 0, 0, 0][..], exchange].concat());
        session.server_hello = Some(Seen {
            value: ServerHello {
                suite,
                ..ServerHello::default()
            },
            at: Mark::default(),
        });
        session.certificates = Some(Seen {
            value: sent.iter().map(|der| Arc::from(*der)).collect(),
            at: Mark::default(),
        });
        session
    }

    #[test]
    fn what_cannot_be_told_is_not_told() {
        let (signature, _) = signed(7, ID, b"x");
        let len = (signature.len() as u16).to_be_bytes();
        let exchange = [&len[..], &signature].concat();
        for suite in [0xe013, 0xe011, 0xe019] {
            assert_eq!(session(suite, &[], &exchange).server_signed(), None);
            assert_eq!(
                session(suite, &[b"no certificate"], &exchange).server_signed(),
                None
            );
        }
        assert_eq!(Session::default().server_signed(), None);
    }

    #[test]
    fn of_tls_and_of_endless_messages_nothing_is_kept() {
        let mut session = Session::default();
        session.on_tlcp(&[&[1, 0, 0, 34, 3, 3][..], &[7; 32]].concat());
        session.on_tlcp(&[12; 40]);
        assert_eq!(session.key_exchange, None);
        session.on_tlcp(&[&[1, 0, 0, 34, 1, 1][..], &[7; 32]].concat());
        session.on_tlcp(&[12; MESSAGE_MAX + 1]);
        assert!(
            session
                .key_exchange
                .is_some_and(|known| known.message.is_empty())
        );
    }
}
