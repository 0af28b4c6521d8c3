//! How long an old primary needs to return by `pg_rewind`, in a small database and in a large one with the same
//! divergence; and `pg_basebackup` of the same databases for comparison. Our agent alone: the stock one does neither.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use testbed::{Cluster, Host, poll};

use crate::arguments::Arguments;
use crate::configuration::{Configuration, RESOURCE, SERVER_LOG};
use crate::error::{Doing, Error};
use crate::site::LIMIT;

/// Sizes of the databases, MB; of the divergence, rows of some 500 bytes.
const SIZES: [u32; 2] = [100, 2000];
const DIVERGED_ROWS: u32 = 20_000;
const OFTEN: Duration = Duration::from_millis(50);

/// What the parameter `rejoin` tells to grant.
const GRANT: &str = "grant execute on function pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean), \
                     pg_read_binary_file(text), pg_read_binary_file(text, bigint, bigint, boolean) to repuser";

/// What one size cost.
#[derive(Debug)]
struct Sample {
    megabytes: u32,
    /// The start action of the old primary, as the executor saw it: comparison, recovery, `pg_rewind`, launch.
    start: Duration,
    /// From the failure's cleanup until the old primary streams.
    streaming: Duration,
    /// A new copy on the same host instead.
    copy: Duration,
}

/// Measures and prints.
///
/// # Errors
/// When a cluster does not come up, or the old primary does not return.
pub fn run(arguments: &Arguments) -> Result<(), Error> {
    let samples =
        SIZES.iter().map(|size| measure(arguments, *size)).collect::<Result<Vec<_>, _>>()?;
    println!("| database | start with pg_rewind | until it streams | pg_basebackup |");
    println!("|---|---|---|---|");
    for sample in samples {
        let Sample { megabytes, start, streaming, copy } = sample;
        println!(
            "| {megabytes} MB | {:.1} s | {:.1} s | {:.1} s |",
            start.as_secs_f64(),
            streaming.as_secs_f64(),
            copy.as_secs_f64()
        );
    }
    Ok(())
}

fn measure(arguments: &Arguments, megabytes: u32) -> Result<Sample, Error> {
    let (cluster, bindir) = boot(arguments, megabytes)?;
    let (old, new) = (cluster.host("pm01"), cluster.host("pm02"));
    let streams = |host: &Host, count: &str| {
        let rows = "select count(*) from pg_stat_replication where state = 'streaming'";
        host.psql(rows).is_ok_and(|answer| answer == count)
    };
    poll("two nodes stream", LIMIT, OFTEN, || streams(&old, "1").then_some(()))?;
    old.run_as("postgres", &["psql", "-d", "postgres", "-c", GRANT])?;
    // Without it the agent waits for the new primary's own first checkpoint, which takes its time.
    old.psql("grant pg_checkpoint to repuser")?;
    // Vacuum would write every page once more after the checkpoint, which is divergence to pg_rewind.
    old.psql(
        "create table large with (autovacuum_enabled = off) \
         as select i, repeat(md5(i::text), 15) t from generate_series(1, 0) i",
    )?;
    for _ in 0..megabytes / 100 {
        old.psql(
            "set synchronous_commit = local; insert into large select i, repeat(md5(i::text), 15) \
             from generate_series(1, 190000) i",
        )?;
    }
    old.psql("checkpoint")?;
    poll("the standby has everything", LIMIT, OFTEN, || {
        let behind = "select count(*) from pg_stat_replication \
                      where replay_lsn < pg_current_wal_insert_lsn()";
        old.psql(behind).is_ok_and(|answer| answer == "0").then_some(())
    })?;

    poll("the standby may be promoted", LIMIT, OFTEN, || {
        let state = cluster.state().ok()?;
        let recorded = state.permanent("pm02", &format!("{RESOURCE}-data-status"));
        (recorded == Some("STREAMING|SYNC")).then_some(())
    })?;
    cluster.wait_until_idle(LIMIT);
    diverge(&old, &new)?;
    poll("the failover", LIMIT, OFTEN, || {
        let promoted = new.psql("select pg_is_in_recovery()").is_ok_and(|answer| answer == "f");
        promoted.then_some(())
    })?;
    cluster.wait_until_idle(LIMIT);
    let began = SystemTime::now();
    old.power_on()?;
    let booted = Instant::now();
    poll("the old primary streams", LIMIT, OFTEN, || streams(&new, "1").then_some(()))?;
    let streaming = booted.elapsed();
    let start = poll("the end of the start", LIMIT, OFTEN, || {
        let starts = cluster.actions().into_iter().filter(|action| {
            (action.host.as_str(), action.resource.as_str(), action.action.as_str())
                == ("pm01", RESOURCE, "start")
        });
        starts.filter(|action| action.when > began).map(|action| action.took).max()
    })?;

    let copy = Instant::now();
    let program = format!("{bindir}/pg_basebackup");
    let words = [
        program.as_str(),
        "-h",
        "10.77.0.101",
        "-U",
        "repuser",
        "-c",
        "fast",
        "-D",
        "/var/lib/pgsql/copy",
    ];
    old.run_as("postgres", &words)?;
    Ok(Sample { megabytes, start, streaming, copy: copy.elapsed() })
}

/// Lets the primary write what its standby does not receive, and takes its power.
fn diverge(old: &Host, new: &Host) -> Result<(), Error> {
    let receivers = new.processes().into_iter().filter(|p| p.command_line.contains("walreceiver"));
    let receivers: Vec<_> = receivers.map(|process| process.pid).collect();
    receivers.iter().for_each(|pid| new.stop_process(*pid));
    let written = old.psql(&format!(
        "set synchronous_commit = local; create table lonely as select i, repeat('x', 450) t \
         from generate_series(1, {DIVERGED_ROWS}) i"
    ));
    old.power_off();
    receivers.iter().for_each(|pid| new.continue_process(*pid));
    written?;
    Ok(())
}

/// Two hosts of the example with `rejoin=rewind`.
fn boot(arguments: &Arguments, megabytes: u32) -> Result<(Cluster, String), Error> {
    let program = std::env::current_exe().doing(|| "find this program".into())?;
    let beside: PathBuf = program.with_file_name("pgsql-ha");
    let agent = arguments.agent.clone().unwrap_or(beside);
    if !agent.is_file() {
        return Err(Error::NoAgent(agent));
    }
    let configuration = Configuration::new(arguments.postgres, arguments.xlog_check_count);
    let cluster = Cluster::builder()
        .hosts(2)
        .two_node()
        .name(&format!("rejoin-{megabytes}"))
        .agent(agent, "heartbeat", "pgsql")
        .property("stonith-enabled", "true")
        .bindir(configuration.bindir())
        .pg_log(SERVER_LOG)
        .pg_setting("max_wal_size", "256MB")
        .build()?;
    cluster.prepare_postgres()?;
    cluster.wait_until_online(LIMIT);
    cluster.wait_until_idle(LIMIT);
    let text = configuration.text();
    let fence = |line: &&str| !line.contains("fence-pm03");
    let text: Vec<_> = text.lines().filter(fence).collect();
    let text = text
        .join("\n")
        .replace("no-quorum-policy=stop", "no-quorum-policy=ignore")
        .replace("node_list=\"pm01 pm02 pm03\"", "node_list=\"pm01 pm02\" rejoin=\"rewind\"")
        .replace("clone-max=3", "clone-max=2");
    cluster.configure_crm(&text)?;
    Ok((cluster, configuration.bindir().to_owned()))
}
