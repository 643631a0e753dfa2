//! Domain names on the wire: labels and compression pointers (RFC 1035 3.1, 4.1.4).

/// A name has at most so many bytes on the wire (RFC 1035 2.3.4).
const NAME_MAX: usize = 255;

/// Reads the name at `at`: lower case, without the final dot, and where the bytes after it begin.
pub(super) fn read(message: &[u8], at: usize) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut length = 1_usize;
    let mut place = at;
    let mut after = None;
    // A pointer must point before the run of labels it ends, so the places fall and the walk ends.
    let mut limit = at;
    loop {
        let len = usize::from(*message.get(place)?);
        match len >> 6 {
            0 if len == 0 => return Some((name, after.unwrap_or(place.checked_add(1)?))),
            0 => {
                let start = place.checked_add(1)?;
                let end = start.checked_add(len)?;
                let label = message.get(start..end)?;
                length = length.checked_add(len)?.checked_add(1)?;
                if length > NAME_MAX {
                    return None;
                }
                if !name.is_empty() {
                    name.push('.');
                }
                push_label(&mut name, label);
                place = end;
            }
            3 => {
                let low = usize::from(*message.get(place.checked_add(1)?)?);
                let target = (len & 0x3f) << 8 | low;
                after.get_or_insert(place.checked_add(2)?);
                if target >= limit {
                    return None;
                }
                limit = target;
                place = target;
            }
            _ => return None,
        }
    }
}

/// Where the bytes after the name at `at` begin, without reading what a pointer points to.
pub(super) fn skip(message: &[u8], at: usize) -> Option<usize> {
    let mut place = at;
    loop {
        let len = usize::from(*message.get(place)?);
        match len >> 6 {
            0 if len == 0 => return place.checked_add(1),
            0 => place = place.checked_add(1)?.checked_add(len)?,
            3 => {
                message.get(place.checked_add(1)?)?;
                return place.checked_add(2);
            }
            _ => return None,
        }
        if place.saturating_sub(at) > NAME_MAX {
            return None;
        }
    }
}

/// Appends a label in lower case; a dot or backslash inside it is escaped, other unprintable bytes become `\ddd`.
fn push_label(name: &mut String, label: &[u8]) {
    for &byte in label {
        match byte {
            b'.' | b'\\' => {
                name.push('\\');
                name.push(char::from(byte));
            }
            0x21..=0x7e => name.push(char::from(byte.to_ascii_lowercase())),
            _ => {
                name.push('\\');
                for digit in [byte / 100, byte / 10 % 10, byte % 10] {
                    name.push(char::from(b'0'.wrapping_add(digit)));
                }
            }
        }
    }
}

/// A name as users write it in the form that messages use here: lower case, no final dot.
pub fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// NetBIOS names in DNS clothes: the first label is 32 letters from a to p (RFC 1001 14.1).
pub(super) fn is_netbios(name: &str) -> bool {
    let label = name.split('.').next().unwrap_or("");
    label.len() == 32 && label.bytes().all(|byte| (b'a'..=b'p').contains(&byte))
}
