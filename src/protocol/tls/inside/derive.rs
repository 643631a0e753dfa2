//! From secrets to keys: the PRF of TLS 1.2 (RFC 5246 5) and HKDF-Expand-Label of TLS 1.3 (RFC 8446 7.1), both by HMAC.

use aws_lc_rs::hmac;

/// RFC 5246 5: P_hash over the label and the seeds, as many bytes as `out` has.
pub(super) fn prf(
    hash: hmac::Algorithm,
    secret: &[u8],
    label: &[u8],
    seeds: [&[u8; 32]; 2],
    out: &mut [u8],
) {
    let key = hmac::Key::new(hash, secret);
    let with_seed = |before: &[u8]| {
        let mut context = hmac::Context::with_key(&key);
        context.update(before);
        context.update(label);
        for seed in seeds {
            context.update(seed);
        }
        context.sign()
    };
    // A(1) = HMAC(secret, seed), A(i) = HMAC(secret, A(i-1)); each block is HMAC(secret, A(i) + seed).
    let mut chained = with_seed(&[]);
    for block in out.chunks_mut(hash.digest_algorithm().output_len()) {
        let made = with_seed(chained.as_ref());
        for (byte, made) in block.iter_mut().zip(made.as_ref()) {
            *byte = *made;
        }
        chained = hmac::sign(&key, chained.as_ref());
    }
}

/// RFC 8446 7.1 with an empty context; `out` takes at most 48 bytes here: the secrets, keys and nonces of TLS.
pub(super) fn expand_label(hash: hmac::Algorithm, secret: &[u8], label: &str, out: &mut [u8]) {
    let name = format!("tls13 {label}");
    let length = u16::try_from(out.len()).unwrap_or(u16::MAX);
    let mut info = length.to_be_bytes().to_vec();
    info.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    info.extend_from_slice(name.as_bytes());
    info.push(0);
    // RFC 5869 2.3: T(i) = HMAC(secret, T(i-1) + info + i).
    let key = hmac::Key::new(hash, secret);
    let mut before: Option<hmac::Tag> = None;
    for (block, number) in out
        .chunks_mut(hash.digest_algorithm().output_len())
        .zip(1_u8..)
    {
        let mut context = hmac::Context::with_key(&key);
        context.update(before.as_ref().map_or(&[][..], AsRef::as_ref));
        context.update(&info);
        context.update(&[number]);
        let made = context.sign();
        for (byte, made) in block.iter_mut().zip(made.as_ref()) {
            *byte = *made;
        }
        before = Some(made);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// RFC 8448 3: the server's handshake traffic secret, its key and its nonce.
    #[test]
    fn keys_of_the_published_trace_are_derived() {
        let secret = hex(
            "b6 7b 7d 69 0c c1 6c 4e 75 e5 42 13 cb 2d 37 b4 e9 c9 12 bc de d9 10 5d 42 be fd 59 d3 91 ad 38",
        );
        let (mut key, mut iv) = ([0; 16], [0; 12]);
        expand_label(hmac::HMAC_SHA256, &secret, "key", &mut key);
        expand_label(hmac::HMAC_SHA256, &secret, "iv", &mut iv);
        assert_eq!(
            key.to_vec(),
            hex("3f ce 51 60 09 c2 17 27 d0 f2 e4 e8 6e e4 03 bc")
        );
        assert_eq!(iv.to_vec(), hex("5d 31 3e b2 67 12 76 ee 13 00 0b 30"));
    }

    /// What Python's `hmac` makes of the same by the formula of RFC 5246 5.
    #[test]
    fn the_prf_fills_more_than_one_block() {
        let mut out = [0; 40];
        prf(
            hmac::HMAC_SHA256,
            &[0x0b; 48],
            b"key expansion",
            [&[1; 32], &[2; 32]],
            &mut out,
        );
        assert_eq!(
            out.to_vec(),
            hex("3667d06a7250e8b8c44211c3aec80392335e28999eea5867695bfc0bcb997b6417236127b0f9609e")
        );
    }
}
