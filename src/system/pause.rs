//! The only sleep of the program.
//!
//! Whoever pauses waits for a state and knows by when to give up; nobody pauses for a fixed time.

use std::time::Duration;

/// Pauses before the world is looked at again.
#[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
