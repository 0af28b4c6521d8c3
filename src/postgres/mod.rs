//! PostgreSQL on this machine: its processes, its files and what it says.
//!
//! Each file is one way to reach it: run or read, and a pure parser beside it. Nothing here
//! decides anything, and nothing knows of Pacemaker. All that lies in PGDATA or tmpdir is touched
//! as the database user.

pub mod backup_label;
pub mod config_file;
pub mod control_data;
pub mod disk;
pub mod followed_file;
pub mod launch;
pub mod lock_file;
pub mod own_address;
pub mod postmaster;
pub mod quoting;
pub mod remote;
pub mod rewind;
pub mod server_log;
pub mod server_process;
pub mod session;
pub mod slot_record;
pub mod standby;
pub mod sync_file;
pub mod version;
pub mod wal_directory;
pub mod wal_end;

mod error;

mod life;
mod password_file;
mod pid_file;
mod statements;
mod trouble;

#[cfg(test)]
mod tests;

pub use error::PostgresError;
