//! Client and server hello (RFC 8446 4.1.2, 4.1.3).

use tls_parser::{
    TlsExtension, TlsMessage, TlsMessageHandshake, parse_tls_extensions,
    parse_tls_message_handshake,
};

/// Items kept of each list of a hello.
const LIST_MAX: usize = 256;

/// What the client offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The client's random, by which a key log knows the session.
    pub random: [u8; 32],
    /// `client_version`.
    pub legacy_version: u16,
    /// The supported_versions extension, GREASE left out.
    pub supported_versions: Vec<u16>,
    /// Cipher suites, GREASE left out.
    pub suites: Vec<u16>,
    /// Server name, lower case.
    pub sni: Option<String>,
    /// Application protocols.
    pub alpn: Vec<String>,
    /// Groups.
    pub groups: Vec<u16>,
    /// Signature schemes.
    pub signatures: Vec<u16>,
    /// Session id, for telling resumption.
    pub session_id: Vec<u8>,
    /// A pre-shared key is offered (TLS 1.3 resumption).
    pub offers_psk: bool,
    /// A non-empty session ticket is offered (RFC 5077).
    pub offers_ticket: bool,
}

impl ClientHello {
    /// The highest version offered.
    pub fn highest(&self) -> u16 {
        self.supported_versions
            .iter()
            .copied()
            .max()
            .unwrap_or(self.legacy_version)
    }
}

/// What the server chose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerHello {
    /// Negotiated version: supported_versions where sent, else `server_version`.
    pub version: u16,
    /// Cipher suite.
    pub suite: u16,
    /// The server's random.
    pub random: [u8; 32],
    /// A compression method other than none.
    pub compressed: bool,
    /// The MAC covers what is encrypted (RFC 7366).
    pub encrypt_then_mac: bool,
    /// Session id.
    pub session_id: Vec<u8>,
    /// A pre-shared key was accepted.
    pub psk: bool,
    /// Group of the key share (TLS 1.3).
    pub group: Option<u16>,
    /// This is a HelloRetryRequest.
    pub retry: bool,
    /// Application protocol, where in clear.
    pub alpn: Option<String>,
}

/// SHA-256 of "HelloRetryRequest" (RFC 8446 4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Reads a whole handshake message of type 1; what its extensions do not tell stays empty.
pub fn client(message: &[u8]) -> Option<ClientHello> {
    let (_, TlsMessage::Handshake(TlsMessageHandshake::ClientHello(hello))) =
        parse_tls_message_handshake(message).ok()?
    else {
        return None;
    };
    let mut read = ClientHello {
        random: hello.random.try_into().unwrap_or_default(),
        legacy_version: hello.version.0,
        suites: hello
            .ciphers
            .iter()
            .map(|suite| suite.0)
            .filter(|suite| !grease(*suite))
            .take(LIST_MAX)
            .collect(),
        session_id: hello.session_id.unwrap_or(&[]).to_vec(),
        ..ClientHello::default()
    };
    let extensions = hello
        .ext
        .and_then(|ext| parse_tls_extensions(ext).ok())
        .map(|(_, list)| list)
        .unwrap_or_default();
    for extension in &extensions {
        match extension {
            TlsExtension::SNI(names) => {
                let name = names
                    .iter()
                    .map(|(_, name)| *name)
                    .find(|name| !name.is_empty());
                read.sni = name
                    .and_then(printable)
                    .map(|name| name.to_ascii_lowercase());
            }
            TlsExtension::SupportedVersions(versions) => {
                read.supported_versions = versions
                    .iter()
                    .map(|version| version.0)
                    .filter(|version| !grease(*version))
                    .take(16)
                    .collect();
            }
            TlsExtension::ALPN(protocols) => {
                read.alpn = protocols
                    .iter()
                    .filter_map(|name| printable(name))
                    .take(16)
                    .collect();
            }
            TlsExtension::EllipticCurves(groups) => {
                read.groups = groups
                    .iter()
                    .map(|group| group.0)
                    .filter(|group| !grease(*group))
                    .take(LIST_MAX)
                    .collect();
            }
            TlsExtension::SignatureAlgorithms(schemes) => {
                read.signatures = schemes.iter().copied().take(LIST_MAX).collect();
            }
            TlsExtension::PreSharedKey(_) => read.offers_psk = true,
            TlsExtension::SessionTicket(ticket) => read.offers_ticket = !ticket.is_empty(),
            _ => {}
        }
    }
    Some(read)
}

/// Reads a whole handshake message of type 2. The layout is the same in all versions (RFC 8446 4.1.3).
pub fn server(message: &[u8]) -> Option<ServerHello> {
    let body = message.get(4..)?;
    let version = u16_at(body, 0)?;
    let random: [u8; 32] = body.get(2..34)?.try_into().ok()?;
    let id_len = usize::from(*body.get(34)?);
    let session_id = body.get(35..35 + id_len)?.to_vec();
    let rest = body.get(35 + id_len..)?;
    let suite = u16_at(rest, 0)?;
    let mut read = ServerHello {
        version,
        suite,
        session_id,
        random,
        compressed: rest.get(2).is_some_and(|method| *method != 0),
        retry: random == RETRY_RANDOM,
        ..ServerHello::default()
    };
    let mut extensions = rest.get(5..).unwrap_or(&[]);
    while let (Some(kind), Some(len)) = (u16_at(extensions, 0), u16_at(extensions, 2)) {
        let Some((extension, later)) = extensions.split_at_checked(4 + usize::from(len)) else {
            break;
        };
        let value = extension.get(4..).unwrap_or(&[]);
        match kind {
            43 => read.version = u16_at(value, 0).unwrap_or(version),
            41 => read.psk = true,
            51 => read.group = u16_at(value, 0),
            16 => read.alpn = value.get(3..).and_then(printable),
            22 => read.encrypt_then_mac = true,
            _ => {}
        }
        extensions = later;
    }
    Some(read)
}

/// The application protocol of a whole EncryptedExtensions message (RFC 8446 4.3.1).
pub(super) fn protocol(message: &[u8]) -> Option<String> {
    let mut extensions = message.get(6..)?;
    while let (Some(kind), Some(len)) = (u16_at(extensions, 0), u16_at(extensions, 2)) {
        let (extension, later) = extensions.split_at_checked(4 + usize::from(len))?;
        if kind == 16 {
            return extension.get(7..).and_then(printable);
        }
        extensions = later;
    }
    None
}

/// RFC 8701: values sent to be ignored.
const fn grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

fn printable(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes.get(..bytes.len().min(255))?).ok()?;
    (!text.is_empty() && text.chars().all(|c| c.is_ascii_graphic())).then(|| text.to_owned())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}
