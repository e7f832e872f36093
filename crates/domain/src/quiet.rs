//! Hours of the day in which no scheduled run starts, by the clock on the wall of some time zone.

use std::fmt;
use std::str::FromStr;

use chrono::{DurationRound, TimeDelta, Timelike};
use chrono_tz::Tz;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::Timestamp;

/// From one time of day until just before another, over midnight where the second is the earlier one.
///
/// Wall clock time decides, also on the days on which clocks are changed: an hour that comes twice is quiet twice, and one
/// that is left out shortens the quiet.
///
/// Written as an object, and read as that or as the text of the setting.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(into = "QuietHoursText")]
pub struct QuietHours {
    /// Minutes after midnight.
    from: u32,
    /// Minutes after midnight; differs from `from`.
    to: u32,
    time_zone: Tz,
}

/// [`QuietHours`] as JSON has them.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = QuietHours))]
#[serde(deny_unknown_fields)]
pub struct QuietHoursText {
    /// The first quiet minute, `HH:MM`.
    #[cfg_attr(
        feature = "openapi",
        schema(pattern = "^[0-2][0-9]:[0-5][0-9]$", example = "22:00")
    )]
    from: String,
    /// The minute in which the quiet ends, `HH:MM`; earlier than `from`: on the next day.
    #[cfg_attr(
        feature = "openapi",
        schema(pattern = "^[0-2][0-9]:[0-5][0-9]$", example = "06:00")
    )]
    to: String,
    /// Whose clock: a name of the IANA time zone database.
    #[serde(default = "utc")]
    #[cfg_attr(feature = "openapi", schema(example = "Europe/Berlin"))]
    time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// What is wrong with quiet hours, and what would be right.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QuietHoursError {
    /// No time of day.
    #[error("{0:?} is no time of day: write it as 22:00")]
    Time(String),
    /// No such zone.
    #[error("{0:?} is no time zone: write a name such as Europe/Berlin or UTC")]
    TimeZone(String),
    /// Nothing would ever run, or nothing is quiet; nobody can tell which is meant.
    #[error("must not begin and end at the same time: set enabled to false to stop scheduled runs")]
    Empty,
    /// Not in the form of the setting.
    #[error("must be written as 22:00-06:00 Europe/Berlin")]
    Form,
}

/// Minutes after midnight, of a time of day as `22:00`.
pub(crate) fn minutes(text: &str) -> Result<u32, QuietHoursError> {
    let bad = || QuietHoursError::Time(text.to_owned());
    let (hours, minutes) = text.trim().split_once(':').ok_or_else(bad)?;
    let number = |digits: &str, below: u32| -> Result<u32, QuietHoursError> {
        let is_number = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        digits
            .parse()
            .ok()
            .filter(|n| is_number && *n < below)
            .ok_or_else(bad)
    };
    Ok(number(hours, 24)? * 60 + number(minutes, 60)?)
}

impl TryFrom<QuietHoursText> for QuietHours {
    type Error = QuietHoursError;

    fn try_from(text: QuietHoursText) -> Result<Self, QuietHoursError> {
        let (from, to) = (minutes(&text.from)?, minutes(&text.to)?);
        if from == to {
            return Err(QuietHoursError::Empty);
        }
        Ok(Self {
            from,
            to,
            time_zone: time_zone(&text.time_zone)?,
        })
    }
}

/// The zone of this name in the IANA database.
pub(crate) fn time_zone(name: &str) -> Result<Tz, QuietHoursError> {
    let unknown = |_| QuietHoursError::TimeZone(name.to_owned());
    name.trim().parse().map_err(unknown)
}

/// The time of day so many minutes after midnight.
pub(crate) fn clock(minutes: u32) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

impl From<QuietHours> for QuietHoursText {
    fn from(quiet: QuietHours) -> Self {
        Self {
            from: clock(quiet.from),
            to: clock(quiet.to),
            time_zone: quiet.time_zone.name().to_owned(),
        }
    }
}

/// `22:00-06:00 Europe/Berlin`, as the setting has it; the zone may be left out and is UTC then.
impl FromStr for QuietHours {
    type Err = QuietHoursError;

    fn from_str(text: &str) -> Result<Self, QuietHoursError> {
        let text = text.trim();
        let (hours, zone) = text
            .split_once(char::is_whitespace)
            .unwrap_or((text, "UTC"));
        let (from, to) = hours.split_once('-').ok_or(QuietHoursError::Form)?;
        QuietHoursText {
            from: from.to_owned(),
            to: to.to_owned(),
            time_zone: zone.to_owned(),
        }
        .try_into()
    }
}

impl<'de> Deserialize<'de> for QuietHours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = QuietHours;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("hours such as 22:00-06:00 Europe/Berlin, or from, to and time_zone")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<QuietHours, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<QuietHours, A::Error> {
                let parts = QuietHoursText::deserialize(MapAccessDeserializer::new(map))?;
                parts.try_into().map_err(de::Error::custom)
            }
        }

        deserializer.deserialize_any(Read)
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{} {}",
            clock(self.from),
            clock(self.to),
            self.time_zone.name()
        )
    }
}

/// Nothing is quiet for longer, on the longest day of any zone.
const LONGEST: TimeDelta = TimeDelta::hours(49);

impl QuietHours {
    /// Whether an instant lies in them.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        let local = at.with_timezone(&self.time_zone);
        let minute = local.hour() * 60 + local.minute();
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// The first instant, `at` or later, that does not lie in them.
    ///
    /// Looks minute by minute: offsets of time zones are whole minutes today, and no rule about changed clocks is needed.
    #[must_use]
    pub fn end_after(&self, at: Timestamp) -> Timestamp {
        if !self.contains(at) {
            return at;
        }
        let minute = TimeDelta::minutes(1);
        let latest = at + LONGEST;
        let mut next = at.duration_trunc(minute).unwrap_or(at) + minute;
        while next < latest && self.contains(next) {
            next += minute;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn quiet(text: &str) -> QuietHours {
        text.parse().unwrap()
    }

    #[test]
    fn the_end_is_found_over_midnight_and_on_days_with_changed_clocks() {
        for (hours, now, end) in [
            // Over midnight, and within a day.
            (
                "22:00-06:00 UTC",
                "2026-01-10T23:30:00Z",
                "2026-01-11T06:00:00Z",
            ),
            (
                "22:00-06:00 UTC",
                "2026-01-10T05:59:59Z",
                "2026-01-10T06:00:00Z",
            ),
            (
                "22:00-06:00 UTC",
                "2026-01-10T21:59:59Z",
                "2026-01-10T21:59:59Z",
            ),
            (
                "22:00-06:00 UTC",
                "2026-01-10T06:00:00Z",
                "2026-01-10T06:00:00Z",
            ),
            (
                "08:00-18:00",
                "2026-01-10T08:00:00Z",
                "2026-01-10T18:00:00Z",
            ),
            (
                "23:59-00:01 UTC",
                "2026-01-10T23:59:30Z",
                "2026-01-11T00:01:00Z",
            ),
            // Another zone: 22:00 in Berlin is 21:00 in winter and 20:00 in summer.
            (
                "22:00-06:00 Europe/Berlin",
                "2026-01-10T20:59:00Z",
                "2026-01-10T20:59:00Z",
            ),
            (
                "22:00-06:00 Europe/Berlin",
                "2026-01-10T21:00:00Z",
                "2026-01-11T05:00:00Z",
            ),
            (
                "22:00-06:00 Europe/Berlin",
                "2026-07-10T20:00:00Z",
                "2026-07-11T04:00:00Z",
            ),
            // The night that is an hour shorter, and the one that is longer.
            (
                "22:00-06:00 Europe/Berlin",
                "2026-03-28T22:00:00Z",
                "2026-03-29T04:00:00Z",
            ),
            (
                "22:00-06:00 Europe/Berlin",
                "2026-10-24T21:00:00Z",
                "2026-10-25T05:00:00Z",
            ),
            // The end falls into the hour that is left out: 02:00 is followed by 03:00.
            (
                "22:00-02:30 Europe/Berlin",
                "2026-03-28T23:00:00Z",
                "2026-03-29T01:00:00Z",
            ),
            // The end comes twice, and so does the quiet before it.
            (
                "22:00-02:30 Europe/Berlin",
                "2026-10-24T23:00:00Z",
                "2026-10-25T00:30:00Z",
            ),
            (
                "22:00-02:30 Europe/Berlin",
                "2026-10-25T01:10:00Z",
                "2026-10-25T01:30:00Z",
            ),
            // Half an hour of daylight saving, a quarter of an hour of offset, and a day that a country left out.
            (
                "01:00-05:00 Australia/Lord_Howe",
                "2026-10-03T14:30:00Z",
                "2026-10-03T18:00:00Z",
            ),
            (
                "01:00-05:00 Asia/Kathmandu",
                "2026-01-10T19:15:00Z",
                "2026-01-10T23:15:00Z",
            ),
            (
                "20:00-08:00 Pacific/Apia",
                "2011-12-30T07:00:00Z",
                "2011-12-30T18:00:00Z",
            ),
        ] {
            assert_eq!(quiet(hours).end_after(at(now)), at(end), "{hours} {now}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_would_be_right() {
        for (text, error) in [
            ("22:00-22:00", QuietHoursError::Empty),
            ("24:00-06:00", QuietHoursError::Time("24:00".into())),
            ("22:60-06:00", QuietHoursError::Time("22:60".into())),
            ("9:00-10:00", QuietHoursError::Time("9:00".into())),
            ("+1:00-10:00", QuietHoursError::Time("+1:00".into())),
            ("2200-06:00", QuietHoursError::Time("2200".into())),
            ("22:00-06:00 Mars", QuietHoursError::TimeZone("Mars".into())),
            ("night", QuietHoursError::Form),
        ] {
            assert_eq!(text.parse::<QuietHours>(), Err(error), "{text}");
        }
    }

    #[test]
    fn json_and_text_come_back_as_they_went() {
        let json =
            serde_json::json!({"from": "22:00", "to": "06:30", "time_zone": "Europe/Berlin"});
        let read: QuietHours = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), json);
        assert_eq!(quiet(&read.to_string()), read);
        let short: QuietHours =
            serde_json::from_str(r#"{"from": "01:00", "to": "02:00"}"#).unwrap();
        assert_eq!(short.to_string(), "01:00-02:00 UTC");
        let unknown = serde_json::json!({"from": "22:00", "to": "06:30", "zone": "UTC"});
        assert!(serde_json::from_value::<QuietHours>(unknown).is_err());
    }

    const ZONES: [&str; 7] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "Africa/Casablanca",
        "Pacific/Chatham",
    ];

    proptest! {
        /// The end is outside, nothing between is, and it is never far.
        #[test]
        fn the_end_is_the_first_instant_outside(
            from in 0_u32..1440, length in 1_u32..1440, zone in 0..ZONES.len(), seconds in 1_700_000_000_i64..1_900_000_000, part in 0.0_f64..1.0,
        ) {
            let to = (from + length) % 1440;
            let quiet = quiet(&format!("{}-{} {}", clock(from), clock(to), ZONES[zone]));
            let now = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
            let end = quiet.end_after(now);
            prop_assert!(!quiet.contains(end));
            prop_assert!(end >= now && end - now < LONGEST);
            if end > now {
                let between = now + TimeDelta::seconds(((end - now).num_seconds() as f64 * part) as i64);
                prop_assert!(between == end || quiet.contains(between));
            }
        }
    }
}
