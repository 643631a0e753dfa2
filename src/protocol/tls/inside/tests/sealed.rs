//! Sessions as their ends would write them: hellos in clear, records sealed by the library that opens them elsewhere.

use std::sync::Arc;

use aws_lc_rs::cipher::{EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::{aead, hmac};

use super::super::Plain;
use super::super::derive::{expand_label, prf};
use super::super::keys::{KeyLog, Secret};
use super::super::suite::{Protection, Suite};
use super::super::updated;
use super::{DATA, HANDSHAKE, at};
use crate::mark::Direction::{self, ToClient, ToServer};
use crate::protocol::tls::Session;
use crate::protocol::{Chunk, Next, Observer};

const CLIENT: [u8; 32] = [0xc1; 32];
const SERVER: [u8; 32] = [0x5e; 32];

/// One side of a session of TLS 1.3 as it is sealed by its sender.
pub(super) struct Sealer {
    pub(super) suite: Suite,
    pub(super) secret: Secret,
    pub(super) number: u64,
}

impl Sealer {
    pub(super) fn new(id: u16, secret: &[u8]) -> Self {
        Self {
            suite: Suite::of(0x0304, id).unwrap(),
            secret: Secret::new(secret).unwrap(),
            number: 0,
        }
    }

    pub(super) fn seal(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
        let Protection::Numbered(algorithm) = self.suite.protection else {
            panic!("a suite of TLS 1.3");
        };
        let (mut key, mut nonce) = (vec![0; algorithm.key_len()], [0; 12]);
        expand_label(self.suite.hash, self.secret.bytes(), "key", &mut key);
        expand_label(self.suite.hash, self.secret.bytes(), "iv", &mut nonce);
        for (byte, number) in nonce.iter_mut().skip(4).zip(self.number.to_be_bytes()) {
            *byte ^= number;
        }
        self.number += 1;
        let mut sealed = [content, &[kind, 0, 0]].concat();
        let length = u16::try_from(sealed.len() + 16).unwrap().to_be_bytes();
        let header = [DATA, 3, 3, length[0], length[1]];
        let key = aead::LessSafeKey::new(aead::UnboundKey::new(algorithm, &key).unwrap());
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, aead::Aad::from(header), &mut sealed)
            .unwrap();
        [&header[..], &sealed].concat()
    }

    pub(super) fn update(&mut self) {
        self.secret = updated(&self.suite, &self.secret).unwrap().1;
        self.number = 0;
    }
}

pub(super) fn keys(lines: &[(&str, &[u8])]) -> Arc<KeyLog> {
    let digits = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let text: String = lines
        .iter()
        .map(|(label, secret)| format!("{label} {} {}\n", digits(&CLIENT), digits(secret)))
        .collect();
    let keys = KeyLog::default();
    assert_eq!(keys.read(text.as_bytes()).unwrap().malformed, 0);
    Arc::new(keys)
}

pub(super) fn all_keys() -> Arc<KeyLog> {
    keys(&[
        ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", &[1; 32]),
        ("SERVER_HANDSHAKE_TRAFFIC_SECRET", &[2; 32]),
        ("CLIENT_TRAFFIC_SECRET_0", &[3; 32]),
        ("SERVER_TRAFFIC_SECRET_0", &[4; 32]),
    ])
}

pub(super) fn in_clear(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    [&[HANDSHAKE, 3, 3, length[0], length[1]], message].concat()
}

pub(super) fn client_hello() -> Vec<u8> {
    let body = [&[3, 3], &CLIENT[..], &[0, 0, 2, 0x13, 0x01, 1, 0]].concat();
    in_clear(&[&[1, 0, 0, u8::try_from(body.len()).unwrap()], &body[..]].concat())
}

pub(super) fn server_hello(version: u16, suite: u16, extensions: &[u8]) -> Vec<u8> {
    let mut all = extensions.to_vec();
    if version == 0x0304 {
        all.extend([0, 43, 0, 2, 3, 4]);
    }
    let [high, low] = suite.to_be_bytes();
    let count = u16::try_from(all.len()).unwrap().to_be_bytes();
    let body = [&[3, 3], &SERVER[..], &[0, high, low, 0], &count, &all].concat();
    in_clear(&[&[2, 0, 0, u8::try_from(body.len()).unwrap()], &body[..]].concat())
}

/// A session that is fed whole chunks, as `tcp::stream` would.
pub(super) struct Fed {
    pub(super) session: Session,
    pub(super) kept: [Vec<u8>; 2],
    pub(super) frame: u32,
}

impl Fed {
    pub(super) fn new(keys: Arc<KeyLog>) -> Self {
        Self {
            session: Session::opened_by(keys),
            kept: [Vec::new(), Vec::new()],
            frame: 0,
        }
    }

    pub(super) fn side(&mut self, from: Direction) -> &mut Vec<u8> {
        let [there, back] = &mut self.kept;
        if from == ToServer { there } else { back }
    }

    pub(super) fn say(&mut self, from: Direction, bytes: &[u8]) -> &mut Self {
        self.frame += 1;
        let mut whole = std::mem::take(self.side(from));
        whole.extend_from_slice(bytes);
        match self
            .session
            .on_chunk(from, Chunk::Data(&whole), at(self.frame))
        {
            Next::Wait { used, .. } => *self.side(from) = whole[used..].to_vec(),
            Next::More => {}
            other => panic!("{other:?}"),
        }
        self
    }

    pub(super) fn lose(&mut self, from: Direction, bytes: usize) -> &mut Self {
        self.frame += 1;
        let kept = std::mem::take(self.side(from)).len();
        let missing = (bytes + kept) as u64;
        let next = self
            .session
            .on_chunk(from, Chunk::Gap(missing), at(self.frame));
        assert_eq!(next, Next::More);
        self
    }

    /// What came out, in the order of the wire: data as text, a gap as `~`, the end as `.`.
    pub(super) fn said(&mut self) -> Vec<String> {
        let plain = self.session.take_plain().into_iter();
        plain
            .map(|plain| match plain {
                Plain::Data(_, bytes, _) => String::from_utf8(bytes).unwrap(),
                Plain::Gap(..) => "~".to_owned(),
                Plain::Fin(..) => ".".to_owned(),
            })
            .collect()
    }
}

pub(super) fn finished() -> [u8; 36] {
    let mut message = [9; 36];
    message[..4].copy_from_slice(&[20, 0, 0, 32]);
    message
}

/// Both hellos and both Finished of TLS 1.3; gives the sealers of application data.
pub(super) fn shaken(fed: &mut Fed) -> (Sealer, Sealer) {
    let (mut client, mut server) = (Sealer::new(0x1301, &[1; 32]), Sealer::new(0x1301, &[2; 32]));
    fed.say(ToServer, &client_hello())
        .say(ToClient, &server_hello(0x0304, 0x1301, &[]))
        .say(
            ToClient,
            &server.seal(
                HANDSHAKE,
                &[8, 0, 0, 11, 0, 9, 0, 16, 0, 5, 0, 3, 2, b'h', b'2'],
            ),
        )
        .say(ToClient, &server.seal(HANDSHAKE, &finished()))
        .say(ToServer, &client.seal(HANDSHAKE, &finished()));
    (Sealer::new(0x1301, &[3; 32]), Sealer::new(0x1301, &[4; 32]))
}

/// A record of TLS 1.2 in CBC mode, sealed in either order.
pub(super) fn sealed_cbc(suite: u16, etm: bool, number: u64, content: &[u8]) -> Vec<u8> {
    let suite = Suite::of(0x0303, suite).unwrap();
    let Protection::Cbc(algorithm, key_len, hash) = suite.protection else {
        panic!("a suite in CBC mode");
    };
    let (mac_len, ..) = suite.lengths();
    let mut block = vec![0; 2 * (mac_len + key_len)];
    prf(
        suite.hash,
        &[6; 48],
        b"key expansion",
        [&SERVER, &CLIENT],
        &mut block,
    );
    let mac = hmac::Key::new(hash, &block[..mac_len]);
    let key = &block[2 * mac_len..2 * mac_len + key_len];
    let header = |length: usize| {
        let length = u16::try_from(length).unwrap().to_be_bytes();
        [DATA, 3, 3, length[0], length[1]]
    };
    let signed = |content: &[u8]| {
        let whole = [&number.to_be_bytes()[..], &header(content.len()), content].concat();
        hmac::sign(&mac, &whole)
    };
    let mut padded = content.to_vec();
    if !etm {
        padded.extend_from_slice(signed(content).as_ref());
    }
    let last = 15 - padded.len() % 16;
    padded.extend(std::iter::repeat_n(u8::try_from(last).unwrap(), last + 1));
    let key = EncryptingKey::cbc(UnboundCipherKey::new(algorithm, key).unwrap()).unwrap();
    let nonce = [0x77; 16];
    key.less_safe_encrypt(&mut padded, EncryptionContext::Iv128(nonce.into()))
        .unwrap();
    let mut fragment = [&nonce[..], &padded].concat();
    if etm {
        let tag = signed(&fragment);
        fragment.extend_from_slice(tag.as_ref());
    }
    [&header(fragment.len())[..], &fragment].concat()
}
