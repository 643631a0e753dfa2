#![allow(clippy::indexing_slicing)]

use super::*;

/// The fields of a block, `?` for what is unknown.
fn fields(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<String>, Bad> {
    let mut told = Vec::new();
    let text = |bytes: Option<&[u8]>| {
        bytes.map_or("?".to_owned(), |bytes| {
            String::from_utf8_lossy(bytes).into_owned()
        })
    };
    decoder.decode(block, &mut |name, value| {
        told.push(format!("{}={}", text(name), text(value)));
    })?;
    Ok(told)
}

/// RFC 7541 C.4: three requests of one connection, by Huffman's code.
const REQUESTS: [&[u8]; 3] = [
    &[
        0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90,
        0xf4, 0xff,
    ],
    &[
        0x82, 0x86, 0x84, 0xbe, 0x58, 0x86, 0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf,
    ],
    &[
        0x82, 0x87, 0x85, 0xbf, 0x40, 0x88, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f, 0x89,
        0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf,
    ],
];

#[test]
fn the_requests_of_the_rfc_are_read() {
    let mut decoder = Decoder::default();
    let told: Vec<_> = REQUESTS
        .iter()
        .map(|block| fields(&mut decoder, block).unwrap_or_default().join(" "))
        .collect();
    assert_eq!(
        told,
        [
            ":method=GET :scheme=http :path=/ :authority=www.example.com",
            ":method=GET :scheme=http :path=/ :authority=www.example.com cache-control=no-cache",
            ":method=GET :scheme=https :path=/index.html :authority=www.example.com custom-key=custom-value",
        ]
    );
    assert_eq!((decoder.entries.len(), decoder.bytes), (3, 164));
}

#[test]
fn what_was_said_before_the_hole_is_unknown_and_what_came_since_is_right() {
    let mut late = Decoder::default();
    late.lose();
    let second = fields(&mut late, REQUESTS[1]).unwrap_or_default().join(" ");
    assert_eq!(
        second,
        ":method=GET :scheme=http :path=/ ?=? cache-control=no-cache"
    );
    // Index 63 is now older than what was heard; 62 is the one heard last.
    let third = fields(&mut late, REQUESTS[2]).unwrap_or_default().join(" ");
    assert_eq!(
        third,
        ":method=GET :scheme=https :path=/index.html ?=? custom-key=custom-value"
    );
    assert_eq!(
        fields(&mut late, &[0xbe, 0xbf, 0xc0]),
        Ok(vec![
            "custom-key=custom-value".to_owned(),
            "cache-control=no-cache".to_owned(),
            "?=?".to_owned(),
        ])
    );
    // A value under an unknown name is known itself, and its place is kept.
    assert_eq!(
        fields(&mut late, &[0x7f, 0x03, 1, b'a']),
        Ok(vec!["?=a".to_owned()])
    );
    assert_eq!(fields(&mut late, &[0xbe]), Ok(vec!["?=a".to_owned()]));
}

#[test]
fn an_index_that_was_never_said_spoils_a_connection_heard_from_its_begin() {
    let mut decoder = Decoder::default();
    assert_eq!(fields(&mut decoder, &[0xbe]), Err(Bad));
    assert_eq!(fields(&mut decoder, &[0x80]), Err(Bad));
}

#[test]
fn a_smaller_table_forgets_and_an_entry_larger_than_it_empties_it() {
    let mut decoder = Decoder::default();
    assert!(fields(&mut decoder, &[0x40, 1, b'a', 1, b'b']).is_ok());
    assert_eq!(fields(&mut decoder, &[0xbe]), Ok(vec!["a=b".to_owned()]));
    // RFC 7541 4.3: a size of 0 empties the table.
    assert!(fields(&mut decoder, &[0x20]).is_ok());
    assert_eq!(fields(&mut decoder, &[0xbe]), Err(Bad));
    assert!(fields(&mut decoder, &[0x3f, 3, 0x40, 1, b'a', 1, b'b']).is_ok());
    let long = [&[0x40, 1, b'a', 33][..], &[b'x'; 33]].concat();
    assert!(fields(&mut decoder, &long).is_ok());
    assert_eq!((decoder.entries.len(), decoder.bytes), (0, 0));
}

#[test]
fn numbers_and_texts_that_end_too_early_or_too_late_are_refused() {
    for block in [
        &[0xff][..],
        &[0xff, 0x80, 0x80],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0x40],
        &[0x40, 5, b'a'],
        &[0x40, 1, b'a', 0x7f, 0x80],
        &[0x0f],
    ] {
        assert_eq!(
            fields(&mut Decoder::default(), block),
            Err(Bad),
            "{block:?}"
        );
    }
    let many = [0x82; FIELDS_MAX + 1];
    assert_eq!(fields(&mut Decoder::default(), &many), Err(Bad));
}

#[test]
fn the_table_stays_within_its_bound() {
    let mut decoder = Decoder::default();
    // A sender that is allowed a gigabyte.
    assert!(fields(&mut decoder, &[0x3f, 0xe1, 0xff, 0xff, 0x7f]).is_ok());
    let entry = [&[0x40, 1, b'a', 100][..], &[b'x'; 100]].concat();
    for _ in 0..2_000 {
        assert!(fields(&mut decoder, &entry).is_ok());
    }
    assert!(decoder.bytes <= TABLE_MAX);
    assert_eq!(
        fields(&mut decoder, &[0xff, 0x80, 0x0e]),
        Ok(vec!["?=?".to_owned()])
    );
}
