//! Time as the capture tells it: nanoseconds since 1970-01-01 UTC, and nothing else.
//!
//! No clock is read here or anywhere between `decode` and `report`: every deadline is compared with the
//! time stamps of frames.

use std::fmt;

/// Nanoseconds between two time stamps; negative when the capture went backwards.
pub type Nanos = i64;
/// One microsecond in nanoseconds.
pub const MICROSECOND: Nanos = 1_000;
/// One millisecond in nanoseconds.
pub const MILLISECOND: Nanos = 1_000_000;
/// One second in nanoseconds.
pub const SECOND: Nanos = 1_000_000_000;

/// A moment of the capture's own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `ns` nanoseconds after 1970-01-01T00:00:00Z.
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    pub const fn ns(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn second(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// How long after `earlier` this is; saturates instead of wrapping.
    pub const fn since(self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment `span` later; saturates instead of wrapping.
    pub const fn plus(self, span: Nanos) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// As `Display` has it.
    pub fn text(self) -> String {
        std::str::from_utf8(&self.digits())
            .unwrap_or_default()
            .to_owned()
    }

    /// Reports hold many times: digit by digit costs a tenth of what the formatting machinery does.
    fn digits(self) -> [u8; 30] {
        let (days, second) = (
            self.second().div_euclid(86_400),
            self.second().rem_euclid(86_400),
        );
        let (year, month, day) = civil(days);
        let ns = self.0.rem_euclid(SECOND);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        let fields = [
            (0, 4, year),
            (5, 2, month),
            (8, 2, day),
            (11, 2, second / 3_600),
            (14, 2, second / 60 % 60),
        ];
        for (start, digits, value) in fields
            .into_iter()
            .chain([(17, 2, second % 60), (20, 9, ns)])
        {
            let mut rest = value.unsigned_abs();
            for digit in text.iter_mut().skip(start).take(digits).rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        text
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with nine decimals: `2026-11-24T10:02:11.000000000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

/// The Gregorian date of a day counted from 1970-01-01 (eras of 400 years that begin on 1 March).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc_3339_with_nanoseconds() {
        assert_eq!(
            Timestamp::from_ns(0).to_string(),
            "1970-01-01T00:00:00.000000000Z"
        );
        assert_eq!(
            Timestamp::from_ns(951_782_400_000_000_001).to_string(),
            "2000-02-29T00:00:00.000000001Z"
        );
        assert_eq!(
            Timestamp::from_ns(-1).to_string(),
            "1969-12-31T23:59:59.999999999Z"
        );
        assert_eq!(
            Timestamp::from_ns(i64::MAX).to_string(),
            "2262-04-11T23:47:16.854775807Z"
        );
    }
}
