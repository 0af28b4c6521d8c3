//! Moments relative to the fault, one per line. Where they come from is `facts`'s business; this only draws.

use crate::paint::{Ink, Paint, pad};
use std::time::SystemTime;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When, if anybody wrote that down.
    pub at: Option<SystemTime>,
    /// To whom.
    pub who: String,
    /// What.
    pub what: String,
    /// How it looks.
    pub ink: Ink,
}

/// Seconds from one time to another, negative when it was before.
pub fn seconds(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

/// The moments in the order of time; one without a time stays behind the one before it.
pub fn in_order(mut moments: Vec<Moment>) -> Vec<Moment> {
    let mut last = None;
    let mut keyed: Vec<(Option<SystemTime>, Moment)> = Vec::new();
    for moment in moments.drain(..) {
        last = moment.at.or(last);
        keyed.push((last, moment));
    }
    keyed.sort_by_key(|(at, _)| *at);
    keyed.into_iter().map(|(_, moment)| moment).collect()
}

/// One line per moment.
pub fn draw(moments: &[Moment], zero: SystemTime, paint: Paint) -> Vec<String> {
    let dot = paint.glyphs().dot;
    let line = |moment: &Moment| {
        let at = moment.at.map_or("time unknown".to_owned(), |at| clock(seconds(zero, at)));
        let who = paint.ink(Ink::Faint, &pad(&moment.who, 7));
        let (dot, what) = (paint.ink(moment.ink, dot), &moment.what);
        let what = match moment.ink {
            Ink::Bad | Ink::Good | Ink::Strong => paint.ink(moment.ink, what),
            Ink::Standby | Ink::Faint | Ink::Normal => what.clone(),
        };
        format!(" {at:>12}  {dot} {who} {what}")
    };
    moments.iter().map(line).collect()
}

/// `+1.234 s`; the fault itself is `0`.
fn clock(seconds: f64) -> String {
    if seconds.abs() < 0.0005 { "0 s".into() } else { format!("{seconds:+.3} s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn moment(millis: Option<u64>, what: &str) -> Moment {
        let at = millis.map(|millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        Moment { at, who: "pm01".into(), what: what.into(), ink: Ink::Normal }
    }

    #[test]
    fn moments_are_told_in_order_and_an_unknown_time_is_not_invented() {
        let moments = vec![
            moment(Some(1000), "killed"),
            moment(Some(3500), "late"),
            moment(None, "some time after late"),
            moment(Some(990), "early"),
        ];
        let zero = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let lines = draw(&in_order(moments), zero, Paint::plain());
        assert_eq!(lines[0], "     -0.010 s  * pm01    early");
        assert_eq!(lines[1], "          0 s  * pm01    killed");
        assert_eq!(lines[2], "     +2.500 s  * pm01    late");
        assert_eq!(lines[3], " time unknown  * pm01    some time after late");
    }
}
