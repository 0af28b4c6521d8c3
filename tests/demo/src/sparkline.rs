//! How many rows per tenth of a second, as a row of bars. Pure: no clock, no terminal.

use std::time::{Duration, SystemTime};

/// What one bar stands for.
pub const BAR: Duration = Duration::from_millis(100);

/// Counts the moments per bar between two times.
pub fn count(moments: &[SystemTime], from: SystemTime, until: SystemTime) -> Vec<usize> {
    let bar_of = |at: SystemTime| {
        let since = at.duration_since(from).ok()?;
        usize::try_from(since.as_millis() / BAR.as_millis()).ok()
    };
    let bars = bar_of(until).unwrap_or_default();
    let mut counts = vec![0; bars];
    for bar in moments.iter().filter_map(|&at| bar_of(at)) {
        if let Some(count) = counts.get_mut(bar) {
            *count += 1;
        }
    }
    counts
}

/// Bars that fit a width: the middle of the longest row of empty bars may be cut out.
#[derive(Debug, PartialEq, Eq)]
pub struct Fitted {
    /// The counts that are shown.
    pub counts: Vec<usize>,
    /// The bar before which some are missing, and how many.
    pub cut: Option<(usize, usize)>,
}

/// Makes the bars fit.
pub fn fit(counts: &[usize], width: usize) -> Fitted {
    let gap = longest_gap(counts);
    let surplus = counts.len().saturating_sub(width);
    let removed = surplus.min(gap.len());
    if removed == 0 {
        return Fitted { counts: counts.to_vec(), cut: None };
    }
    let at = gap.start + (gap.len() - removed) / 2;
    let shown = [&counts[..at], &counts[at + removed..]].concat();
    Fitted { counts: shown, cut: Some((at, removed)) }
}

fn longest_gap(counts: &[usize]) -> std::ops::Range<usize> {
    let mut longest = 0..0;
    let mut start = 0;
    for (index, &count) in counts.iter().enumerate() {
        if count > 0 {
            start = index + 1;
        } else if index + 1 - start > longest.len() {
            longest = start..index + 1;
        }
    }
    longest
}

/// One character per count; `bars` go from nothing to full.
pub fn draw(counts: &[usize], bars: &[char]) -> String {
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    let full = bars.len() - 1;
    // Rounded up, so that a single row is never shown as none.
    counts.iter().map(|count| bars[(count * full).div_ceil(most)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn rows_are_counted_per_tenth_of_a_second() {
        let moments = [at(990), at(1000), at(1099), at(1250), at(1300)];
        assert_eq!(count(&moments, at(1000), at(1300)), [2, 0, 1]);
        assert!(count(&moments, at(1300), at(1000)).is_empty());
    }

    #[test]
    fn bars_grow_with_the_counts_and_one_row_is_seen() {
        assert_eq!(draw(&[0, 1, 50, 100], &['_', '.', ':', '#']), "_.:#");
        assert_eq!(draw(&[0, 0], &['_', '#']), "__");
    }

    #[test]
    fn what_is_too_wide_loses_the_middle_of_its_gap() {
        let counts = [5, 5, 0, 0, 0, 0, 5];
        assert_eq!(fit(&counts, 7).cut, None);
        let fitted = fit(&counts, 5);
        assert_eq!((fitted.counts, fitted.cut), (vec![5, 5, 0, 0, 5], Some((3, 2))));
        assert_eq!(fit(&[1, 1, 1], 2).counts.len(), 3, "rows are never cut out");
    }
}
