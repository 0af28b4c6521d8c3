//! The fence agent: asks the power switch outside the hosts to do the work, and succeeds only once it is done.
//!
//! Speaks the stonith protocol (name=value lines on standard input). Delay and refusal are the switch's business.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

/// Where every host sees the power switch.
const POWER_SWITCH: &str = "/run/testbed/power";

const METADATA: &str = r#"<?xml version="1.0" ?>
<resource-agent name="fence_testbed" shortdesc="Power switch of the testbed">
  <longdesc>Kills a testbed host the hard way.</longdesc>
  <vendor-url>https://clusterlabs.org</vendor-url>
  <parameters>
    <parameter name="action" unique="0" required="1">
      <getopt mixed="-o, --action=[action]"/><content type="string" default="reboot"/><shortdesc lang="en">Fencing action</shortdesc>
    </parameter>
    <parameter name="port" unique="0" required="0">
      <getopt mixed="-n, --plug=[name]"/><content type="string"/><shortdesc lang="en">Host to act on</shortdesc>
    </parameter>
    <parameter name="plug" unique="0" required="0" obsoletes="port">
      <getopt mixed="-n, --plug=[name]"/><content type="string"/><shortdesc lang="en">Host to act on</shortdesc>
    </parameter>
    <parameter name="delay" unique="0" required="0">
      <getopt mixed="--delay=[seconds]"/><content type="second" default="0"/><shortdesc lang="en">Wait before fencing starts</shortdesc>
    </parameter>
  </parameters>
  <actions>
    <action name="on" automatic="0"/>
    <action name="off"/>
    <action name="reboot"/>
    <action name="status"/>
    <action name="monitor"/>
    <action name="list"/>
    <action name="metadata"/>
    <action name="validate-all"/>
  </actions>
</resource-agent>"#;

/// What Pacemaker asks for.
#[derive(Default)]
struct Request {
    action: String,
    host: String,
    delay_s: f64,
}

fn main() -> ExitCode {
    let request = match Request::read() {
        Ok(request) => request,
        Err(error) => return failed(&error.to_string()),
    };
    match request.action.as_str() {
        "metadata" | "meta-data" => {
            println!("{METADATA}");
            ExitCode::SUCCESS
        }
        "off" | "reboot" | "on" | "status" | "list" | "monitor" | "validate-all" => act(&request),
        unknown => failed(&format!("unknown action {unknown:?}")),
    }
}

fn act(request: &Request) -> ExitCode {
    if matches!(request.action.as_str(), "off" | "reboot") && request.delay_s > 0.0 {
        std::thread::sleep(std::time::Duration::from_secs_f64(request.delay_s));
    }
    match ask(&format!("{} {}", request.action, request.host)) {
        Ok(answer) => match answer.split_once('\n').unwrap_or((answer.as_str(), "")) {
            ("ok", rest) => {
                print!("{rest}");
                ExitCode::SUCCESS
            }
            ("is off", _) => ExitCode::from(2),
            (reason, _) => failed(reason),
        },
        Err(error) => failed(&format!("power switch: {error}")),
    }
}

impl Request {
    fn read() -> std::io::Result<Self> {
        let mut request = Self { action: "reboot".into(), ..Self::default() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "-o" | "--action" => request.action = arguments.next().unwrap_or_default(),
                "-n" | "--plug" => request.host = arguments.next().unwrap_or_default(),
                _ => {}
            }
        }
        if std::env::args().len() > 1 {
            return Ok(request);
        }
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            match line.trim().split_once('=') {
                Some(("action" | "option", value)) => request.action = value.into(),
                Some(("port" | "plug", value)) => request.host = value.into(),
                Some(("nodename", value)) if request.host.is_empty() => request.host = value.into(),
                Some(("delay", value)) => {
                    request.delay_s = value.trim_end_matches('s').parse().unwrap_or(0.0)
                }
                _ => {}
            }
        }
        Ok(request)
    }
}

fn ask(question: &str) -> std::io::Result<String> {
    let mut switch = UnixStream::connect(POWER_SWITCH)?;
    writeln!(switch, "{question}")?;
    let mut answer = String::new();
    BufReader::new(switch).read_to_string(&mut answer)?;
    Ok(answer)
}

fn failed(reason: &str) -> ExitCode {
    eprintln!("fence_testbed: {reason}");
    ExitCode::FAILURE
}
