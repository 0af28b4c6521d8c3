//! The agent's connection over TCP to a server that admits only encrypted ones.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::{Server, primary, soon, until};
use crate::model::instance::{Answer, Refusal};
use crate::model::settings::SslMode;
use crate::model::step::ShutdownMode;
use crate::postgres::session::Session;
use crate::system::command::Command;

/// A server with TLS and the certificates around it; the database user's home is a directory of the test.
struct Encrypted(Server);

impl Encrypted {
    fn new(hba: &str) -> Self {
        let mut server = Server::new();
        let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
        server.settings.pgport = free.port();
        server.settings.pghost = "127.0.0.1".into();
        server.user.home = server.directory.path().join("home");
        server.configure("ssl = on\n");
        let made = Self(server);
        for directory in ["home", "home/.postgresql", "ca"] {
            fs::create_dir(made.path(directory)).expect("made");
        }
        let lines = format!("local all all peer\n{hba}\n");
        fs::write(made.0.settings.pgdata.join("pg_hba.conf"), lines).expect("written");
        made.openssl(
            "req -x509 -newkey rsa:2048 -nodes -subj /CN=ca -days 2 -keyout ca/key -out ca/crt",
        );
        made.openssl("req -x509 -newkey rsa:2048 -nodes -subj /CN=other -days 2 -keyout ca/key2 -out ca/crt2");
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.directory.path().join(name)
    }

    fn openssl(&self, words: &str) {
        let openssl = Command::new("/usr/bin/openssl").current_dir(self.0.directory.path());
        openssl.args(words.split(' ')).deadline(soon()).run().expect("openssl");
    }

    /// Makes a key and a certificate: the authority's, unless it is signed by itself.
    fn certify(&self, to: &str, name: &str, kind: Kind) {
        let request = format!("req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {to}.key");
        let extensions = match kind {
            Kind::SelfSigned => {
                return self.openssl(&format!("{request} -x509 -days 2 -out {to}.crt"));
            }
            Kind::First => "",
            Kind::Alternative => "subjectAltName=DNS:localhost,IP:127.0.0.1\n",
            Kind::OtherAlternative => "subjectAltName=DNS:elsewhere\n",
            Kind::NoName => "basicConstraints=CA:FALSE\n",
        };
        self.openssl(&format!("{request} -out {to}.csr"));
        let sign = format!(
            "x509 -req -in {to}.csr -CA ca/crt -CAkey ca/key -CAcreateserial -days 2 -out {to}.crt"
        );
        if extensions.is_empty() {
            return self.openssl(&sign);
        }
        fs::write(self.path("ca/ext"), extensions).expect("written");
        self.openssl(&format!("{sign} -extfile ca/ext"));
    }

    /// Gives a file to the database user, for himself alone.
    fn give(&self, from: &str, to: &Path) {
        fs::copy(self.path(from), to).expect("copied");
        let user = &self.0.user;
        chown(to, Some(user.uid), Some(user.gid)).expect("chown");
        fs::set_permissions(to, fs::Permissions::from_mode(0o600)).expect("chmod");
    }

    fn start(&self, kind: Kind) {
        self.certify("server", "localhost", kind);
        self.give("server.crt", &self.0.settings.pgdata.join("server.crt"));
        self.give("server.key", &self.0.settings.pgdata.join("server.key"));
        self.0.launch();
        let mut inside = self.0.settings.clone();
        inside.pghost.clear();
        primary(&mut Session::new(&inside, &self.0.user));
    }

    /// Asks in a mode; returns why there is no answer.
    fn ask(&self, mode: SslMode, host: &str, root: &str) -> Result<(), String> {
        let mut settings = self.0.settings.clone();
        settings.pghost = host.into();
        settings.monitor_sslmode = mode;
        if !root.is_empty() {
            let readable = self.path("trusted");
            self.give(root, &readable);
            settings.monitor_sslrootcert = readable.to_string_lossy().into_owned();
        }
        match Session::new(&settings, &self.0.user).report(soon()) {
            Answer::Primary(_) => Ok(()),
            Answer::Refused(Refusal::Other(why)) => Err(why),
            Answer::Refused(Refusal::StartingUp) => Err("starting up".into()),
            other => panic!("{other:?}"),
        }
    }
}

impl Encrypted {
    /// Asks as the shell agent does.
    fn ask_by_libpq(&self, mode: SslMode, host: &str, root: &str) -> Result<(), String> {
        let mode = match mode {
            SslMode::Disable => "disable",
            SslMode::Allow => "allow",
            SslMode::Prefer => "prefer",
            SslMode::Require => "require",
            SslMode::VerifyCa => "verify-ca",
            SslMode::VerifyFull => "verify-full",
        };
        let port = self.0.settings.pgport;
        let mut words = format!("host={host} port={port} dbname=template1 sslmode={mode}");
        if !root.is_empty() {
            words += &format!(" sslrootcert={}", self.path("trusted").display());
        }
        let psql = self.0.tool("psql").args(["-X", "-w", "-d", &words, "-c", "select 1"]);
        psql.run().map(drop).map_err(|error| error.to_string())
    }
}

/// How a certificate is made.
#[derive(Debug, Clone, Copy)]
enum Kind {
    SelfSigned,
    /// The first version of X.509, as PostgreSQL's manual has them made.
    First,
    Alternative,
    OtherAlternative,
    NoName,
}

const ONLY_ENCRYPTED: &str = "hostssl all all 127.0.0.1/32 trust\nhostssl all all ::1/128 trust";

/// Mode, host, root certificate → words of the refusal; empty: it answers.
type Row = (SslMode, &'static str, &'static str, &'static str);

#[track_caller]
fn answers(server: &Encrypted, rows: &[Row]) {
    for (mode, host, root, refusal) in rows {
        let asked = server.ask(*mode, host, root);
        let by_libpq = server.ask_by_libpq(*mode, host, root);
        assert_eq!(
            asked.is_ok(),
            by_libpq.is_ok(),
            "{mode:?} {host} {root:?}: {asked:?} {by_libpq:?}"
        );
        let right = match &asked {
            Ok(()) => refusal.is_empty(),
            Err(why) => !refusal.is_empty() && why.contains(refusal),
        };
        assert!(right, "{mode:?} {host} {root:?}: {asked:?}, not {refusal:?}");
    }
}

use SslMode::{Allow, Disable, Prefer, Require, VerifyCa, VerifyFull};

#[test]
fn a_server_that_admits_only_encrypted_connections_is_asked_by_default() {
    let server = Encrypted::new(ONLY_ENCRYPTED);
    server.start(Kind::SelfSigned);
    answers(
        &server,
        &[
            (Disable, "127.0.0.1", "", "no encryption"),
            (Allow, "127.0.0.1", "", ""),
            (Prefer, "127.0.0.1", "", ""),
            (Prefer, "localhost", "", ""),
            (Require, "127.0.0.1", "", ""),
            (VerifyCa, "127.0.0.1", "", "root.crt does not exist"),
            (VerifyFull, "localhost", "", "root.crt does not exist"),
            // Its own certificate as the root.
            (VerifyCa, "127.0.0.1", "server.crt", ""),
            (VerifyFull, "localhost", "server.crt", ""),
            (VerifyFull, "127.0.0.1", "server.crt", "not valid for"),
            (Require, "127.0.0.1", "ca/crt", "invalid peer certificate"),
            (Prefer, "127.0.0.1", "ca/crt", "invalid peer certificate"),
            (Require, "127.0.0.1", "server.key", "holds no certificate"),
        ],
    );
    // Where libpq looks for it.
    server.give("server.crt", &server.path("home/.postgresql/root.crt"));
    answers(&server, &[(VerifyFull, "localhost", "", "")]);
    server.give("ca/crt2", &server.path("home/.postgresql/root.crt"));
    answers(&server, &[(Require, "localhost", "", "invalid peer certificate")]);
    // A Unix socket is not encrypted.
    let directory = server.0.settings.socketdir.clone();
    server.ask(VerifyFull, &directory, "").expect("answers");
}

#[test]
fn an_authoritys_certificates_are_judged_as_libpq_judges_them() {
    for (kind, rows) in [
        (Kind::First, [("localhost", "ca/crt", ""), ("127.0.0.1", "ca/crt", "not valid for")]),
        (Kind::Alternative, [("localhost", "ca/crt", ""), ("127.0.0.1", "ca/crt", "")]),
        (Kind::NoName, [("localhost", "ca/crt", ""), ("127.0.0.1", "ca/crt", "not valid for")]),
        (
            Kind::OtherAlternative,
            [("localhost", "ca/crt", "not valid for"), ("localhost", "ca/crt2", "UnknownIssuer")],
        ),
    ] {
        let server = Encrypted::new(ONLY_ENCRYPTED);
        server.start(kind);
        for (host, root, refusal) in rows {
            answers(&server, &[(VerifyFull, host, root, refusal)]);
        }
        let rows = [
            (Require, "127.0.0.1", "", ""),
            (VerifyCa, "127.0.0.1", "ca/crt", ""),
            (VerifyCa, "127.0.0.1", "ca/crt2", "invalid peer certificate"),
        ];
        answers(&server, &rows);
        server.0.shutdown(ShutdownMode::Fast);
    }
}

#[test]
fn what_the_server_lacks_or_forbids_is_done_without_where_the_mode_permits_it() {
    let server = Encrypted::new("hostnossl all all 127.0.0.1/32 trust");
    server.start(Kind::SelfSigned);
    let rows = [
        (Disable, "127.0.0.1", "", ""),
        (Allow, "127.0.0.1", "", ""),
        (Prefer, "127.0.0.1", "", ""),
        (Require, "127.0.0.1", "", "SSL encryption"),
    ];
    answers(&server, &rows);
    server.0.shutdown(ShutdownMode::Fast);
    server.0.configure("ssl = off\n");
    server.0.launch();
    until("it answers", || server.ask(Disable, "127.0.0.1", "").is_ok());
    let rows =
        [(Prefer, "127.0.0.1", "", ""), (Require, "127.0.0.1", "", "server does not support TLS")];
    answers(&server, &rows);
}

#[test]
fn the_users_own_certificate_is_shown_and_a_key_that_others_can_read_is_not_used() {
    let server = Encrypted::new("hostssl all all 127.0.0.1/32 cert");
    server.0.configure(&format!("ssl_ca_file = '{}'\n", server.path("root").display()));
    server.give("ca/crt", &server.path("root"));
    server.start(Kind::Alternative);
    answers(&server, &[(Require, "127.0.0.1", "", "certificate")]);
    server.certify("client", &server.0.settings.pgdba, Kind::NoName);
    let home = server.path("home/.postgresql");
    server.give("client.crt", &home.join("postgresql.crt"));
    answers(&server, &[(Require, "127.0.0.1", "", "postgresql.key")]);
    server.give("client.key", &home.join("postgresql.key"));
    answers(&server, &[(Require, "127.0.0.1", "", ""), (VerifyFull, "127.0.0.1", "ca/crt", "")]);
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(home.join("postgresql.key"), open).expect("chmod");
    answers(&server, &[(Require, "127.0.0.1", "", "others than its owner can read it")]);
}
