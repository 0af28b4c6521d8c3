//! The cluster stays up for a look around: says how, and waits for the end. Getting into a host is `enter`'s business.

use crate::paint::{Ink, Paint, pad};
use crate::progress::say;
use crate::site::CLIENT_ADDRESS;
use std::time::Duration;
use testbed::Cluster;

const PAUSE: Duration = Duration::from_secs(1);

/// Things to try, with what they are good for.
fn suggestions(program: &str) -> Vec<(String, &'static str)> {
    let enter = |rest: &str| format!("{program} enter {rest}");
    let psql = format!("client psql -h {CLIENT_ADDRESS} -U postgres");
    vec![
        (enter("pm01"), "a shell"),
        (enter("pm02 crm_mon -1Afr"), "the cluster"),
        (enter(&psql), "SQL"),
        (enter("pm02 tail -f /var/log/pacemaker/pacemaker.log"), "the log"),
        (enter("pm02 pkill -9 corosync"), "another fault"),
    ]
}

/// Leaves the cluster up until Ctrl-C, which the testbed answers by taking it down and ending the process.
pub fn wait_for_ctrl_c(cluster: &Cluster, paint: Paint) -> ! {
    say(&invitation(&program(), paint));
    loop {
        std::thread::sleep(PAUSE);
        crate::error::park_if_interrupted();
        switch_on(cluster);
    }
}

fn invitation(program: &str, paint: Paint) -> String {
    let suggestions = suggestions(program);
    let width = suggestions.iter().map(|(_, purpose)| purpose.len()).max().unwrap_or_default();
    let lead = "The cluster is up. In another terminal, as root:";
    let mut text = format!("\n {}\n", paint.ink(Ink::Strong, lead));
    for (command, purpose) in suggestions {
        text += &format!("   {}  {command}\n", paint.ink(Ink::Faint, &pad(purpose, width)));
    }
    text += " A host that is fenced is switched on again, with Corosync and Pacemaker.\n";
    text + &format!(
        " {} ends it all and leaves nothing behind.\n",
        paint.ink(Ink::Strong, "Ctrl-C here")
    )
}

/// This program, as it can be typed in the directory where one is now.
fn program() -> String {
    let Ok(program) = std::env::current_exe() else { return "demo".into() };
    let here = std::env::current_dir().unwrap_or_default();
    program.strip_prefix(here).unwrap_or(&program).display().to_string()
}

/// Fencing only switches off: somebody has to push the button.
fn switch_on(cluster: &Cluster) {
    for host in cluster.hosts().iter().filter(|host| !host.is_on()) {
        let name = host.name();
        match host.power_on() {
            Ok(()) => say(&format!(" {name} was off and is switched on again\n")),
            Err(error) => {
                crate::error::park_if_interrupted();
                say(&format!(" {name} does not boot: {error}\n"));
            }
        }
    }
}
