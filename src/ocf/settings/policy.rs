//! Reads the parameters of `parameter::policy`.

use super::Reader;
use crate::model::policy::{Policy, SyncAvailability};
use crate::model::sync_names::SyncMethod;
use crate::ocf::parameter::{Parameter, policy as p};
use crate::ocf::value;

const METHODS: [(&str, SyncMethod); 2] = [("first", SyncMethod::First), ("any", SyncMethod::Any)];
const AVAILABILITIES: [(&str, SyncAvailability); 2] =
    [("available", SyncAvailability::Available), ("strict", SyncAvailability::Strict)];

impl Reader<'_> {
    pub(super) fn policy(&mut self) -> Policy {
        Policy {
            sync_standbys: self.sync_standbys(),
            sync_method: self.word(&p::SYNC_METHOD, METHODS),
            sync_availability: self.word(&p::SYNC_AVAILABILITY, AVAILABILITIES),
            max_lag_on_failover: self.bytes(&p::MAX_LAG_ON_FAILOVER),
            standby_slot_keep_size: self.bytes(&p::STANDBY_SLOT_KEEP_SIZE),
            slot_max_retained: self.bytes(&p::SLOT_MAX_RETAINED),
            slot_expire: self.seconds(&p::SLOT_EXPIRE),
            rewind_keep_size: self.bytes(&p::REWIND_KEEP_SIZE),
            rewind_keep_days: self.count(&p::REWIND_KEEP_DAYS),
        }
    }

    /// Reads how many standbys commits wait for: to wait for none is what rep_mode=async is for.
    fn sync_standbys(&mut self) -> usize {
        let count = self.count(&p::SYNC_STANDBYS);
        if count == 0 {
            let problem = "sync_standbys can't be 0.";
            self.error(&p::SYNC_STANDBYS, problem, "write 1 or more, or set rep_mode to async");
        }
        usize::try_from(count).unwrap_or(usize::MAX).max(1)
    }

    fn bytes(&mut self, parameter: &'static Parameter) -> u64 {
        value::bytes(self.raw(parameter)).unwrap_or_else(|| {
            self.unreadable(parameter, "a number of bytes (units: kB, MB, GB, TB)");
            value::bytes(parameter.default).unwrap_or_default()
        })
    }

    /// Reads one of two words, the first being the default; another word is an error, for what
    /// they promise is not the same.
    fn word<T: Copy>(&mut self, parameter: &'static Parameter, words: [(&str, T); 2]) -> T {
        let value = self.raw(parameter).trim();
        let [(first, default), (second, _)] = words;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == value) {
            return *meaning;
        }
        let problem = format!("Invalid {} : {value}", parameter.name);
        self.error(parameter, &problem, &format!("write {first} or {second}"));
        default
    }
}
