//! The catalogue: every case, in the order of the table. The numbers are those of the list of failure scenarios that
//! users of such agents have met; what is tried elsewhere is said here too.

mod cluster;
mod network;
mod power;
mod server;
mod storage;

use crate::case::Case;
use crate::error::Error;

/// Every case.
pub fn all() -> Vec<Case> {
    let lists =
        [server::cases(), power::cases(), network::cases(), storage::cases(), cluster::cases()];
    let mut cases: Vec<_> = lists.into_iter().flatten().collect();
    cases.sort_by_key(|case| place(case.id));
    cases
}

/// What is tried elsewhere.
pub const ELSEWHERE: [(&str, &str); 2] = [
    ("18", "names with capitals, dots and dashes, two instances: `make test-matrix`, tests/places"),
    ("23", "rolling exchange of the agent, in both directions: `make test-matrix`, tests/matrix"),
];

/// The cases of these names, or whose names begin so; all when there are none.
pub fn named(names: &[String]) -> Result<Vec<Case>, Error> {
    for name in names {
        if !all().iter().any(|case| is_meant(case, name)) {
            return Err(Error::NoCase(name.clone()));
        }
    }
    let wanted = |case: &Case| names.is_empty() || names.iter().any(|name| is_meant(case, name));
    Ok(all().into_iter().filter(wanted).collect())
}

fn is_meant(case: &Case, name: &str) -> bool {
    let rest = case.id.strip_prefix(name);
    rest.is_some_and(|rest| !rest.starts_with(|mark: char| mark.is_ascii_digit()))
}

/// A case's place in the catalogue: its number and its letter.
pub fn place(id: &str) -> (u32, &str) {
    let end = id.find(|mark: char| !mark.is_ascii_digit()).unwrap_or(id.len());
    (id[..end].parse().unwrap_or(u32::MAX), &id[end..])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_cases_have_one_name() {
        let names: BTreeSet<_> = all().iter().map(|case| case.id).collect();
        assert_eq!(names.len(), all().len());
    }

    #[test]
    fn every_number_is_tried_or_is_tried_elsewhere() {
        let tried: BTreeSet<u32> = all().iter().map(|case| place(case.id).0).collect();
        let elsewhere = ELSEWHERE.iter().map(|(id, _)| place(id).0);
        let known: BTreeSet<u32> = tried.into_iter().chain(elsewhere).collect();
        // 19 is systemd's and 20 is a clock's: a host made of namespaces has neither of its own.
        assert_eq!(known, (1..=23).filter(|number| ![19, 20].contains(number)).collect());
    }

    #[test]
    fn a_number_stands_for_its_letters_and_for_no_other_number() {
        let ids = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            let named = named(&names).unwrap_or_default();
            named.iter().map(|case| case.id).collect::<Vec<_>>()
        };
        assert!(ids(&["1"]).iter().all(|id| place(id).0 == 1));
        assert!(ids(&["4"]).len() > 3);
        assert_eq!(ids(&["3a"]), ["3a"]);
        assert!(named(&["99".into()]).is_err());
    }
}
