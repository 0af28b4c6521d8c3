//! The statistics of a few samples. Pure; knows nothing of what was measured.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// A time that was measured; in JSON its milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time(pub Duration);

impl Time {
    /// The milliseconds.
    #[must_use]
    pub const fn milliseconds(self) -> f64 {
        self.0.as_secs_f64() * 1000.0
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64((self.milliseconds() * 1000.0).round() / 1000.0)
    }
}

/// What can be said of samples in a few words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The least.
    pub least: Time,
    /// The median; of an even number of samples, between the two in the middle.
    pub median: Time,
    /// The greatest.
    pub greatest: Time,
}

impl Summary {
    /// Sums samples up; nothing can be said of none.
    #[must_use]
    pub fn of(samples: impl IntoIterator<Item = Time>) -> Option<Self> {
        let mut samples: Vec<Time> = samples.into_iter().collect();
        samples.sort_unstable();
        let (first, last) = (samples.first()?, samples.last()?);
        let upper = samples.len() / 2;
        let lower = (samples.len() - 1) / 2;
        let median = Time((samples[lower].0 + samples[upper].0) / 2);
        Some(Self { least: *first, median, greatest: *last })
    }
}

/// How many times as long the other took.
#[must_use]
pub fn times(ours: Time, other: Time) -> f64 {
    other.0.as_secs_f64() / ours.0.as_secs_f64().max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(milliseconds: &[u64]) -> Option<Summary> {
        Summary::of(milliseconds.iter().map(|&value| Time(Duration::from_millis(value))))
    }

    fn three(least: u64, median: u64, greatest: u64) -> Summary {
        let [least, median, greatest] =
            [least, median, greatest].map(|value| Time(Duration::from_micros(value)));
        Summary { least, median, greatest }
    }

    #[test]
    fn samples_are_summed_up_in_any_order() {
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[7]), Some(three(7000, 7000, 7000)));
        assert_eq!(summary(&[9, 1, 4]), Some(three(1000, 4000, 9000)));
        assert_eq!(summary(&[4, 1, 9, 3]), Some(three(1000, 3500, 9000)));
    }

    #[test]
    fn a_ratio_tells_how_much_longer_the_other_took() {
        let time = |value| Time(Duration::from_millis(value));
        assert!((times(time(20), time(300)) - 15.0).abs() < 1e-9);
        assert!(times(time(0), time(1)) > 1e9);
    }

    #[test]
    fn times_are_milliseconds_in_json() {
        let text = serde_json::to_string(&Time(Duration::from_micros(1234))).expect("a number");
        assert_eq!(text, "1.234");
    }
}
