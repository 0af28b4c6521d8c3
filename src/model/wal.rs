//! Positions in the write-ahead log.
//!
//! Text and number forms are never mixed: outside this file a position is an [`Lsn`]. There is no
//! `Ord` on [`WalPosition`] on purpose: positions on two timelines can only be compared with the
//! history at hand, which is `decide::standby`'s business.

use core::net::IpAddr;
use std::fmt;
use std::str::FromStr;

/// A byte position in the write-ahead log (PostgreSQL: `pg_lsn`, `xlogdefs.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

/// What could not be read as a WAL position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLsn(pub String);

impl fmt::Display for BadLsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is not a WAL position", self.0)
    }
}

impl std::error::Error for BadLsn {}

impl Lsn {
    /// Returns the 16 hexadecimal digits that the attributes `<rsc>-xlog-loc` and
    /// `<rsc>-master-baseline` hold.
    #[must_use]
    pub fn to_attribute(self) -> String {
        format!("{:016X}", self.0)
    }

    /// Reads the 16 hexadecimal digits of an attribute.
    ///
    /// # Errors
    /// Anything but 1 to 16 hexadecimal digits.
    pub fn from_attribute(text: &str) -> Result<Self, BadLsn> {
        let digits = (1..=16).contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit());
        match u64::from_str_radix(text, 16) {
            Ok(value) if digits => Ok(Self(value)),
            Ok(_) | Err(_) => Err(BadLsn(text.to_owned())),
        }
    }

    /// Returns how many bytes of WAL lie between `earlier` and this position, 0 when it is not earlier.
    #[must_use]
    pub const fn bytes_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl FromStr for Lsn {
    type Err = BadLsn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadLsn(text.to_owned());
        let (high, low) = text.trim().split_once('/').ok_or_else(bad)?;
        let part = |hex: &str| match hex.chars().all(|c| c.is_ascii_hexdigit()) {
            true => u32::from_str_radix(hex, 16).map_err(|_| bad()),
            false => Err(bad()),
        };
        Ok(Self(u64::from(part(high)?) << 32 | u64::from(part(low)?)))
    }
}

/// How WAL is cut into pages and segment files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalLayout {
    /// Bytes of a page.
    pub page: u64,
    /// Bytes of a segment file.
    pub segment: u64,
}

impl WalLayout {
    /// What PostgreSQL is built with unless somebody says otherwise.
    pub const USUAL: Self = Self { page: 8192, segment: 16 << 20 };

    /// Sizes of page headers, the longer one on a segment's first page (`SizeOfXLogShortPHD` and
    /// `SizeOfXLogLongPHD` in `xlog_internal.h`), bytes.
    const HEADERS: (u64, u64) = (24, 40);

    /// Returns the name of the segment file that holds a position (`XLogFileName` in `xlog_internal.h`).
    #[must_use]
    pub fn segment_name(self, timeline: Timeline, lsn: Lsn) -> String {
        let number = lsn.0 / self.segment.max(1);
        let per_id = (1 << 32) / self.segment.max(1);
        let (id, within) = (number / per_id.max(1), number % per_id.max(1));
        format!("{:08X}{id:08X}{within:08X}", timeline.0)
    }

    /// Returns the end of a record that begins at `start` and is `length` bytes long, as
    /// `EndRecPtr` has it: aligned to 8 bytes, with the headers of the pages it runs into.
    #[must_use]
    pub const fn end_of(self, start: Lsn, length: u64) -> Lsn {
        let (mut at, mut left) = (start.0, length);
        if self.page <= Self::HEADERS.1 || self.segment == 0 {
            return Lsn(at.saturating_add(left));
        }
        loop {
            let room = self.page - at % self.page;
            if left <= room {
                return Lsn(at.saturating_add(left.next_multiple_of(8)));
            }
            left -= room;
            at = at.saturating_add(room);
            let first = at.is_multiple_of(self.segment);
            at = at.saturating_add(if first { Self::HEADERS.1 } else { Self::HEADERS.0 });
        }
    }
}

/// A timeline identifier (PostgreSQL: `TimeLineID`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timeline(pub u32);

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The end of an instance's WAL: how far, and in which history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WalPosition {
    /// The timeline that the last record belongs to.
    pub timeline: Timeline,
    /// The end of the last record.
    pub lsn: Lsn,
}

impl fmt::Display for WalPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.timeline, self.lsn)
    }
}

impl FromStr for WalPosition {
    type Err = BadLsn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadLsn(text.to_owned());
        let (timeline, lsn) = text.split_once(':').ok_or_else(bad)?;
        Ok(Self {
            timeline: Timeline(timeline.parse().map_err(|_| bad())?),
            lsn: lsn.parse().map_err(|_| bad())?,
        })
    }
}

/// A position as a node publishes it in `<rsc>-wal-position`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedPosition {
    /// The position.
    pub position: WalPosition,
    /// Whether it was published for a promotion, when the last primary was gone: nothing follows.
    pub is_final: bool,
    /// Under which address the node is reached by the others, as far as it knows.
    pub address: Option<IpAddr>,
}

/// What stands before the address.
const AT: &str = " at ";

/// What follows a position that is final.
const FINAL: &str = " final";

impl fmt::Display for PublishedPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.position)?;
        if let Some(address) = self.address {
            write!(f, "{AT}{address}")?;
        }
        f.write_str(if self.is_final { FINAL } else { "" })
    }
}

impl FromStr for PublishedPosition {
    type Err = BadLsn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (text, is_final) = match text.strip_suffix(FINAL) {
            Some(text) => (text, true),
            None => (text, false),
        };
        // An address that nobody understands is none: the position counts all the same.
        let (position, address) = match text.split_once(AT) {
            Some((position, address)) => (position, address.parse().ok()),
            None => (text, None),
        };
        Ok(Self { position: position.parse()?, is_final, address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_named_by_timeline_and_position() {
        let small = WalLayout { segment: 1 << 20, ..WalLayout::USUAL };
        let large = WalLayout { segment: 1 << 30, ..WalLayout::USUAL };
        for (layout, timeline, lsn, name) in [
            (WalLayout::USUAL, 1, 0x0100_0028, "000000010000000000000001"),
            (WalLayout::USUAL, 11, 0x1_FF00_0000, "0000000B00000001000000FF"),
            (small, 2, 0x3_0010_0000, "000000020000000300000001"),
            (large, 2, 0x3_C000_0000, "000000020000000300000003"),
        ] {
            assert_eq!(layout.segment_name(Timeline(timeline), Lsn(lsn)), name);
        }
    }

    #[test]
    fn a_position_reads_back_from_each_of_its_forms() {
        for value in [0, 1, 0x3000060, 0xFFFF_FFFF, 0x1_0000_0000, u64::MAX] {
            let lsn = Lsn(value);
            assert_eq!(lsn.to_string().parse(), Ok(lsn));
            assert_eq!(Lsn::from_attribute(&lsn.to_attribute()), Ok(lsn));
            let position = WalPosition { timeline: Timeline(7), lsn };
            assert_eq!(position.to_string().parse(), Ok(position));
            let addresses = [None, "192.0.2.7".parse().ok(), "2001:db8::7".parse().ok()];
            for address in addresses {
                for is_final in [false, true] {
                    let published = PublishedPosition { position, is_final, address };
                    assert_eq!(published.to_string().parse(), Ok(published));
                }
            }
        }
        assert_eq!(Lsn(0x1_0300_0060).to_string(), "1/3000060");
        assert_eq!(Lsn(0x0300_0060).to_attribute(), "0000000003000060");
    }

    #[test]
    fn a_record_ends_after_the_headers_of_the_pages_it_runs_into() {
        for (start, length, end) in [
            (0x525_E818, 405, 0x525_E9B0),
            (0x100_0028, 114, 0x100_00A0),
            (0x100_1FC0, 64, 0x100_2000),
            (0x100_1FC0, 72, 0x100_2020),
            (0x1FF_FFC0, 72, 0x200_0030),
            (0x1FF_FFC0, 64 + 8152 + 8168 + 8, 0x200_4020),
        ] {
            assert_eq!(WalLayout::USUAL.end_of(Lsn(start), length), Lsn(end), "{start:X}");
        }
    }

    #[test]
    fn what_is_not_a_position_is_refused() {
        for text in ["", "/", "1", "1/", "G/0", "+1/0", "1/2/3", "1/123456789", "-1/0"] {
            assert!(text.parse::<Lsn>().is_err(), "{text}");
        }
        for text in ["", "+1", "00000000000000001", "0x10"] {
            assert!(Lsn::from_attribute(text).is_err(), "{text}");
        }
        for text in ["", "1", ":0/0", "x:0/0", "1:0", "-1:0/0"] {
            assert!(text.parse::<WalPosition>().is_err(), "{text}");
        }
    }
}
