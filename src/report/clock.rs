//! Times as the reader's clock shows them. The zone is named once, in the head of the report.

use jiff::Zoned;
use jiff::tz::TimeZone;

use crate::failure::Lang;
use crate::report::{Settings, Told};
use crate::time::{MILLISECOND, Nanos, SECOND, Timestamp};

/// The zone of a report, and whether its times need their date.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    zone: TimeZone,
    dated: bool,
}

impl Clock {
    /// Dates are shown where the captures span more than one day of the zone.
    pub(super) fn new(told: &Told, settings: &Settings) -> Self {
        let clock = Self {
            zone: settings.zone.clone(),
            dated: false,
        };
        let days = told
            .span
            .map(|(first, last)| (clock.format(first, "%F"), clock.format(last, "%F")));
        Self {
            dated: days.is_some_and(|(first, last)| first != last),
            ..clock
        }
    }

    /// `2026-11-24 10:02:11.123456 Asia/Shanghai (UTC+08:00)`.
    pub(super) fn full(&self, time: Timestamp, lang: Lang) -> String {
        let moment = self.format(time, "%F %T%.6f");
        format!("{moment} {}", self.zone_name(time, lang))
    }

    /// `2026-11-24 10:02:11.123456`, the fraction as fine as it is, of a time as the mirror writes it; `None` of any other text.
    pub(super) fn exact(&self, text: &str) -> Option<String> {
        let time: jiff::Timestamp = text.parse().ok()?;
        let time = Timestamp::from_ns(i64::try_from(time.as_nanosecond()).ok()?);
        let format = match time.ns() {
            whole if whole % SECOND == 0 => "%F %T",
            micros if micros % 1_000 == 0 => "%F %T%.6f",
            _ => "%F %T%.9f",
        };
        (time.to_string() == text).then(|| self.format(time, format))
    }

    /// `10:02`, or `11-24 10:02`, of a time as the mirror writes it.
    pub(super) fn minute(&self, text: &str) -> String {
        let time: Result<jiff::Timestamp, _> = text.parse();
        let ns = time.map(|time| i64::try_from(time.as_nanosecond()).unwrap_or_default());
        let format = if self.dated { "%m-%d %H:%M" } else { "%H:%M" };
        ns.map_or_else(
            |_| text.to_owned(),
            |ns| self.format(Timestamp::from_ns(ns), format),
        )
    }

    /// `10:02:11`, or `11-24 10:02:11`.
    pub(super) fn brief(&self, time: Timestamp) -> String {
        self.format(
            time,
            if self.dated {
                "%m-%d %H:%M:%S"
            } else {
                "%H:%M:%S"
            },
        )
    }

    /// `2026-11-24 10:02:11 – 10:04:58`, with a second date where it is another day.
    pub(super) fn span(&self, (first, last): (Timestamp, Timestamp), lang: Lang) -> String {
        if first.second() == last.second() {
            return self.format(first, "%F %T");
        }
        let until = self.format(last, if self.dated { "%F %T" } else { "%T" });
        let between = match lang {
            Lang::En => "–",
            Lang::Zh => "至",
        };
        format!("{} {between} {until}", self.format(first, "%F %T"))
    }

    /// `Asia/Shanghai (UTC+08:00)`; the offset is that of `time`.
    pub(super) fn zone_name(&self, time: Timestamp, lang: Lang) -> String {
        let offset = match self.format(time, "%:z") {
            zero if zero == "+00:00" => String::new(),
            offset => offset,
        };
        match (
            self.zone
                .iana_name()
                .filter(|name| !matches!(*name, "UTC" | "Etc/UTC" | "Etc/UCT")),
            lang,
        ) {
            (Some(name), Lang::En) => format!("{name} (UTC{offset})"),
            (Some(name), Lang::Zh) => format!("{name}（UTC{offset}）"),
            (None, _) => format!("UTC{offset}"),
        }
    }

    fn format(&self, time: Timestamp, format: &str) -> String {
        let zoned: Option<Zoned> = jiff::Timestamp::from_nanosecond(time.ns().into())
            .ok()
            .map(|time| time.to_zoned(self.zone.clone()));
        zoned.map_or_else(
            || time.to_string(),
            |zoned| zoned.strftime(format).to_string(),
        )
    }
}

/// `850 ms`, `12.4 s`, `2 min 47 s`, `3 h 5 min`, `12 d 3 h`.
pub(super) fn duration(span: Nanos, lang: Lang) -> String {
    let units = match lang {
        Lang::En => ["ms", "s", "min", "h", "d"],
        Lang::Zh => ["毫秒", "秒", "分", "小时", "天"],
    };
    let [ms, s, min, h, d] = units;
    let seconds = span / SECOND;
    match seconds {
        ..1 => format!("{} {ms}", span / MILLISECOND),
        1..60 => format!("{}.{} {s}", seconds, span % SECOND / (SECOND / 10)),
        60..3_600 => format!("{} {min} {} {s}", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} {h} {} {min}", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} {d} {} {h}", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_takes_the_two_units_that_matter() {
        assert_eq!(duration(850 * MILLISECOND, Lang::En), "850 ms");
        assert_eq!(duration(12_490 * MILLISECOND, Lang::En), "12.4 s");
        assert_eq!(duration(167 * SECOND, Lang::En), "2 min 47 s");
        assert_eq!(duration(11_100 * SECOND, Lang::Zh), "3 小时 5 分");
        assert_eq!(duration(1_047_600 * SECOND, Lang::En), "12 d 3 h");
    }

    #[test]
    fn a_time_is_shown_in_the_zone_asked_for() {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let clock = Clock { zone, dated: true };
        let time = Timestamp::from_ns(1_795_536_131 * SECOND);
        assert_eq!(time.to_string(), "2026-11-24T16:02:11.000000000Z");
        assert_eq!(clock.brief(time), "11-25 00:02:11");
        assert_eq!(clock.zone_name(time, Lang::Zh), "UTC+08:00");
        assert_eq!(
            clock.exact("2026-11-24T16:02:11.120000000Z").as_deref(),
            Some("2026-11-25 00:02:11.120000")
        );
        assert_eq!(clock.exact("2026-11-24T16:02:11Z"), None);
    }
}
