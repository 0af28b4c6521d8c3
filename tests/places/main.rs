//! Names, places and parameters in real clusters: what an administrator's installation looks like, and that each
//! parameter does what it says there.
//!
//! Each test boots one cluster of its own and needs root. A test that cannot run fails and says why.

mod external_standby;
mod instance;
mod names;
mod quoting;
mod restart_on_promote;
mod shared_disk;
mod site;
mod small_print;
