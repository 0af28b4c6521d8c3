//! A `/dev/log` that appends what it hears to `/var/log/syslog`, so that nothing an agent says is lost.
//! It does not filter, rotate or parse.

use std::fs::{OpenOptions, Permissions, create_dir_all, set_permissions};
use std::io::{Result, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;

/// Starts to listen; answers once the socket is there.
pub fn serve() -> Result<()> {
    create_dir_all("/var/log")?;
    let mut log = OpenOptions::new().create(true).append(true).open("/var/log/syslog")?;
    let socket = UnixDatagram::bind("/dev/log")?;
    set_permissions("/dev/log", Permissions::from_mode(0o666))?;
    std::thread::Builder::new().name("syslog".into()).spawn(move || {
        let mut message = vec![0_u8; 65536];
        while let Ok(length) = socket.recv(&mut message) {
            let mut line = message[..length].to_vec();
            line.retain(|&byte| byte != 0);
            line.push(b'\n');
            if log.write_all(&line).is_err() {
                break;
            }
        }
    })?;
    Ok(())
}
