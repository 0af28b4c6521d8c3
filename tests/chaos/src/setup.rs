//! What a cluster is like: how many hosts, how commits wait, how an old primary returns, how quickly fencing acts. Its
//! configuration is `crm-examples/three-hosts.crm`, for as many hosts.

use std::fmt::{self, Write};
use std::time::Duration;

use clap::ValueEnum;
use fastrand::Rng;
use serde::Serialize;
use testbed::Fencing;

use crate::arguments::Arguments;

const EXAMPLE: &str = include_str!("../../../crm-examples/three-hosts.crm");

/// How commits wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// For a standby as long as there is one.
    Sync,
    /// For a standby, come what may.
    Strict,
    /// For whichever standby is quickest.
    Any,
    /// For none.
    Async,
}

/// How an old primary returns whose data has diverged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rejoin {
    /// By hand.
    Verify,
    /// By `pg_rewind`.
    Rewind,
}

/// How quickly fencing acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speed {
    /// At once.
    Quick,
    /// After 20 s, as a slow management board does.
    Slow,
}

/// What a cluster is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Setup {
    /// How many hosts.
    pub hosts: u8,
    /// How commits wait.
    pub mode: Mode,
    /// How an old primary returns.
    pub rejoin: Rejoin,
    /// How quickly fencing acts.
    pub fencing: Speed,
}

macro_rules! shown_as_value {
    ($($kind:ty),*) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let value = self.to_possible_value().ok_or(fmt::Error)?;
                formatter.write_str(value.get_name())
            }
        }
    )*};
}
shown_as_value!(Mode, Rejoin, Speed);

impl fmt::Display for Setup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hosts, mode, rejoin, fencing } = self;
        write!(formatter, "{hosts} hosts, {mode}, rejoin={rejoin}, fencing {fencing}")
    }
}

impl Mode {
    const fn words(self) -> &'static str {
        match self {
            Self::Sync => r#"rep_mode="sync""#,
            Self::Strict => r#"rep_mode="sync" sync_availability="strict""#,
            Self::Any => r#"rep_mode="sync" sync_method="any""#,
            Self::Async => r#"rep_mode="async""#,
        }
    }
}

impl Speed {
    /// How the power switch obeys.
    pub const fn fencing(self) -> Fencing {
        match self {
            Self::Quick => Fencing::Immediate,
            Self::Slow => Fencing::After(Duration::from_secs(20)),
        }
    }
}

impl Setup {
    /// Draws one; what the arguments fix stays, and changes nothing else that is drawn.
    pub fn draw(dice: &mut Rng, arguments: &Arguments) -> Self {
        let hosts = [2, 3, 3, 5][dice.usize(0..4)];
        let modes = [Mode::Sync, Mode::Sync, Mode::Strict, Mode::Any, Mode::Async];
        let mode = modes[dice.usize(0..modes.len())];
        let rejoin = if dice.bool() { Rejoin::Verify } else { Rejoin::Rewind };
        let fencing = if dice.u8(0..5) < 3 { Speed::Quick } else { Speed::Slow };
        Self {
            hosts: arguments.hosts.unwrap_or(hosts),
            mode: arguments.mode.unwrap_or(mode),
            rejoin: arguments.rejoin.unwrap_or(rejoin),
            fencing: arguments.fencing.unwrap_or(fencing),
        }
    }

    /// The hosts' names.
    pub fn names(self) -> Vec<String> {
        (1..=self.hosts).map(|number| format!("pm{number:02}")).collect()
    }

    /// The usual `node_list`.
    pub fn node_list(self) -> String {
        self.names().join(" ")
    }

    /// The cluster's configuration, for crmsh.
    pub fn configuration(self) -> String {
        let head = EXAMPLE.split("# Any fence agent").next().unwrap_or(EXAMPLE);
        let parameters = format!(r#"rejoin="{}" {}"#, self.rejoin, self.mode.words());
        let mut text = head
            .replace(r#"rep_mode="sync""#, &parameters)
            .replace("pm01 pm02 pm03", &self.node_list())
            .replace("clone-max=3", &format!("clone-max={}", self.hosts));
        for name in self.names() {
            let _infallible = write!(
                text,
                "primitive fence-{name} stonith:fence_testbed params pcmk_host_list=\"{name}\"\n\
                 location fence-{name}-elsewhere fence-{name} -inf: {name}\n"
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_has_what_was_drawn() {
        for hosts in [2, 3, 5] {
            for &mode in Mode::value_variants() {
                let setup = Setup { hosts, mode, rejoin: Rejoin::Rewind, fencing: Speed::Slow };
                let text = setup.configuration();
                assert!(text.contains(&format!("rejoin=\"rewind\" {}", mode.words())), "{text}");
                assert!(text.contains(&format!("node_list=\"{}\"", setup.node_list())), "{text}");
                assert!(text.contains(&format!("clone-max={hosts} ")), "{text}");
                let fences = text.lines().filter(|line| line.starts_with("primitive fence-"));
                assert_eq!(fences.count(), usize::from(hosts));
            }
        }
    }
}
