//! Parameters of the server and of its monitoring.

use super::{Kind, Parameter, Scope};

/// `pgctl`
pub static PGCTL: Parameter = Parameter::new(
    "pgctl",
    Kind::Program,
    "/usr/bin/pg_ctl",
    Scope::Always,
    "Path of pg_ctl",
    "Path of the program pg_ctl that belongs to the server, for example \
     /usr/lib/postgresql/16/bin/pg_ctl on Debian. The other server programs are expected in the \
     same directory.",
);

/// `start_opt`
pub static START_OPT: Parameter = Parameter::new(
    "start_opt",
    Kind::Text,
    "",
    Scope::Always,
    "Options for the server",
    "Command line options for the server process (pg_ctl -o), for example \"-p 5433\".",
);

/// `ctl_opt`
pub static CTL_OPT: Parameter = Parameter::new(
    "ctl_opt",
    Kind::Text,
    "",
    Scope::Always,
    "Further options for pg_ctl start",
    "Options for pg_ctl itself when it starts the server. Seldom needed.",
);

/// `psql`
pub static PSQL: Parameter = Parameter::new(
    "psql",
    Kind::Program,
    "/usr/bin/psql",
    Scope::Always,
    "Path of psql",
    "Path of the client program psql.",
);

/// `pgdata`
pub static PGDATA: Parameter = Parameter::new(
    "pgdata",
    Kind::Path,
    "/var/lib/pgsql/data",
    Scope::Always,
    "Data directory",
    "The server's data directory: the one that holds PG_VERSION, for example \
     /var/lib/postgresql/16/main on Debian.",
);

/// `pgdba`
pub static PGDBA: Parameter = Parameter::new(
    "pgdba",
    Kind::Text,
    "postgres",
    Scope::Always,
    "Owner of the instance",
    "The system user that owns the data directory and runs the server. It is also the database \
     superuser of the agent's own connections.",
);

/// `pghost`
pub static PGHOST: Parameter = Parameter::new(
    "pghost",
    Kind::Text,
    "",
    Scope::Always,
    "Address of the server",
    "Host name or address at which the server is made to listen, and through which the agent \
     connects to it. When it is empty, the server's own listen_addresses stays in force and the \
     agent uses the Unix socket (see socketdir), which is recommended. See monitor_sslmode for \
     encryption.",
);

/// `pgport`
pub static PGPORT: Parameter = Parameter::new(
    "pgport",
    Kind::Port,
    "5432",
    Scope::Always,
    "Port of the server",
    "Port on which the server listens. It does not change the server's configuration: set port \
     in postgresql.conf to the same value.",
);

/// `pglibs`
pub static PGLIBS: Parameter = Parameter::new(
    "pglibs",
    Kind::Text,
    "/usr/lib",
    Scope::Always,
    "Directory of the libraries",
    "Directory of PostgreSQL's libraries, added to the library path of the programs that the \
     agent runs. Needed only for installations in unusual places.",
);

/// `monitor_user`
pub static MONITOR_USER: Parameter = Parameter::new(
    "monitor_user",
    Kind::Text,
    "",
    Scope::Always,
    "Database user of monitor_sql",
    "Database user that runs monitor_sql; pgdba when empty. It needs no rights but those of its statement. \
     Only where pg_hba.conf does not let pgdba in, neither by pghost nor by the Unix socket, is everything \
     asked as this user, who then has to be a member of pg_monitor with the attribute REPLICATION. Its \
     password is taken from monitor_password or from the .pgpass file of pgdba.",
);

/// `monitor_password`
pub static MONITOR_PASSWORD: Parameter = Parameter::new(
    "monitor_password",
    Kind::Secret,
    "",
    Scope::Always,
    "Password of monitor_user",
    "Password of monitor_user, which has to be set as well. Everybody who may read the cluster \
     configuration can read it: prefer the .pgpass file of pgdba or peer authentication.",
);

/// `monitor_sslmode`, which the stock agent leaves to libpq.
pub static MONITOR_SSLMODE: Parameter = Parameter::new(
    "monitor_sslmode",
    Kind::Word,
    "prefer",
    Scope::Always,
    "Encryption of the agent's connection over TCP",
    "libpq's sslmode for the agent's own connection, when pghost is set; a Unix socket is never \
     encrypted. disable: never. allow: only where the server insists. prefer: unless the server \
     cannot, or does not admit it. require: always. verify-ca: always, and the server's certificate \
     must come from a root certificate in monitor_sslrootcert. verify-full: the same, and it must be \
     that of pghost. As with libpq, a root certificate that is there is used in every mode, and a \
     certificate of pgdba's own is taken from .postgresql/postgresql.crt and postgresql.key.",
);

/// `monitor_sslrootcert`
pub static MONITOR_SSLROOTCERT: Parameter = Parameter::new(
    "monitor_sslrootcert",
    Kind::Text,
    "",
    Scope::Always,
    "Root certificates for monitor_sslmode",
    "File of the root certificates that the server's certificate is checked against (PEM). When it is \
     empty, .postgresql/root.crt in the home directory of pgdba, if that is there.",
);

/// `monitor_sql`
pub static MONITOR_SQL: Parameter = Parameter::new(
    "monitor_sql",
    Kind::Text,
    "select now();",
    Scope::Always,
    "Statement that proves the server's health",
    "SQL that every monitor runs in the database pgdb. The instance counts as failed when it \
     fails. On a standby it has to work read-only.",
);

/// `config`
///
/// Its real default is `postgresql.conf` in `pgdata`, which `settings` fills in; this text is
/// that of the default `pgdata`, as the stock agent's meta-data shows it.
pub static CONFIG: Parameter = Parameter::new(
    "config",
    Kind::Path,
    "/var/lib/pgsql/data/postgresql.conf",
    Scope::Always,
    "Configuration file of the server",
    "Path of postgresql.conf; by default the one in pgdata. On Debian it is for example \
     /etc/postgresql/16/main/postgresql.conf. In the replication modes the agent appends include \
     directives for its own files to it.",
);

/// `pgdb`
pub static PGDB: Parameter = Parameter::new(
    "pgdb",
    Kind::Text,
    "template1",
    Scope::Always,
    "Database of the agent's connections",
    "Database to which the agent connects. CREATE DATABASE fails while somebody is connected to \
     template1, so that postgres is a better choice where that database exists.",
);

/// `logfile`
pub static LOGFILE: Parameter = Parameter::new(
    "logfile",
    Kind::Path,
    "/dev/null",
    Scope::Always,
    "Log file of the server",
    "File for the server's output before its own logging begins (pg_ctl -l). With a real file the \
     agent can say why a server did not start.",
);

/// `socketdir`
pub static SOCKETDIR: Parameter = Parameter::new(
    "socketdir",
    Kind::Text,
    "",
    Scope::Always,
    "Directory of the Unix socket",
    "Directory of the Unix socket through which the agent connects; it is created when it is \
     missing. It must be set if postgresql.conf sets unix_socket_directories, which may \
     name several.",
);

/// `stop_escalate`
pub static STOP_ESCALATE: Parameter = Parameter::new(
    "stop_escalate",
    Kind::Seconds,
    "90",
    Scope::Always,
    "Seconds for a fast shutdown",
    "How long a fast shutdown may take before the server is stopped in immediate mode, after which \
     the next start has to recover from the WAL. The agent shortens it when the operation's \
     timeout leaves less time.",
);
