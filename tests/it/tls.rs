//! A server that admits only encrypted connections over TCP, as its administrator had it under the shell agent.

use std::fs;
use std::process::Command;

use crate::agent::{CONFIGURED, GENERIC, SUCCESS};
use crate::server::{Server, give_to_postgres, succeeded};

const PASSWORD: &str = "hunter2-t1s";

#[test]
fn a_server_that_admits_only_encrypted_connections_is_monitored() {
    let server = Server::new();
    let (certificate, key) = (server.data().join("server.crt"), server.data().join("server.key"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=pm01", "-keyout"]);
    succeeded(openssl.arg(&key).arg("-out").arg(&certificate).output());
    give_to_postgres(&certificate);
    give_to_postgres(&key);
    server.configure("ssl = on\npassword_encryption = 'scram-sha-256'\n");
    let lines = "local all all peer\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
    fs::write(server.data().join("pg_hba.conf"), lines).expect("a file");

    // The role is made through the socket.
    server.agent().run("start").exits(SUCCESS);
    server.sql(&format!("create role watcher login password '{PASSWORD}'"));
    server.agent().run("stop").exits(SUCCESS);

    let agent = server
        .agent()
        .param("pghost", "127.0.0.1")
        .param("monitor_user", "watcher")
        .param("monitor_password", PASSWORD);
    agent.run("start").exits(SUCCESS);
    agent.run("monitor").exits(SUCCESS);
    agent.clone().param("monitor_sslmode", "require").run("monitor").exits(SUCCESS);
    let never = agent.clone().recurring().param("monitor_sslmode", "disable");
    never.run("monitor").exits(GENERIC).reason("no encryption");
    let full = agent.clone().recurring().param("monitor_sslmode", "verify-full");
    full.run("monitor").exits(GENERIC).reason("root certificate file");
    let bad = agent.clone().param("monitor_sslmode", "verify");
    bad.run("validate-all").exits(CONFIGURED).reason("monitor_sslmode=\"verify\"");
    agent.run("stop").exits(SUCCESS);
}
