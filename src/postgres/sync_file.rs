//! `rep_mode.conf`: whom commits wait for, as the agent last wrote it.

use super::PostgresError;
use super::quoting;
use crate::model::settings::Settings;
use crate::model::sync_names::SyncNames;
use crate::system::files::{self, Attributes};
use crate::system::identity::{User, as_user};

const NAME: &str = "synchronous_standby_names";
const BYTES_MAX: u64 = 64 * 1024;

/// Reads the file, ours or the stock agent's; `None`: there is none.
///
/// # Errors
/// It cannot be read.
pub fn read(settings: &Settings, user: &User) -> Result<Option<SyncNames>, PostgresError> {
    let path = settings.rep_mode_conf();
    Ok(as_user(user, || files::read(&path, BYTES_MAX))??.map(|text| parse(&text)))
}

/// Writes the file; the server reads it at its next reload.
///
/// # Errors
/// It cannot be written.
pub fn write(settings: &Settings, user: &User, names: &SyncNames) -> Result<(), PostgresError> {
    let path = settings.rep_mode_conf();
    as_user(user, || files::replace(&path, &text(names), Attributes::PRIVATE))??;
    Ok(())
}

fn text(names: &SyncNames) -> String {
    format!("{NAME} = {}\n", quoting::setting(&names.to_string()))
}

fn parse(text: &str) -> SyncNames {
    SyncNames::parse(&quoting::last_setting(text, NAME).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::tests::Fake;

    #[test]
    fn what_either_agent_writes_is_read() {
        for (line, names) in [
            ("synchronous_standby_names = ''\n", vec![]),
            ("synchronous_standby_names = '\"pm02\"'\n", vec!["pm02"]),
            ("synchronous_standby_names = 'pm02'\n", vec!["pm02"]),
            ("synchronous_standby_names = 'FIRST 2 (\"pm02\", \"dr1\")'\n", vec!["pm02", "dr1"]),
            ("", vec![]),
        ] {
            assert_eq!(parse(line).iter().collect::<Vec<_>>(), names, "{line}");
        }
        let names = SyncNames::all_of(["it's".to_owned()]);
        assert_eq!(text(&names), "synchronous_standby_names = '\"it''s\"'\n");
        assert_eq!(parse(&text(&names)), names);
    }

    #[test]
    fn the_file_reads_back() {
        let fake = Fake::new();
        assert_eq!(read(&fake.settings, &fake.user).expect("read"), None);
        write(&fake.settings, &fake.user, &SyncNames::nobody()).expect("written");
        let read = read(&fake.settings, &fake.user).expect("read");
        assert_eq!(read, Some(SyncNames::nobody()));
    }
}
