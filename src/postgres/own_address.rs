//! Under which address the other standbys reach this node, without asking a name service.

use std::net::{IpAddr, UdpSocket};

/// Returns the address from which this node reaches the primary's: it is in the network of the replication, for
/// which the servers' `pg_hba.conf` has lines. The kernel chooses it by its routes; nothing is sent.
///
/// `None` where `master_ip` is a name, or stands on this node, or no way leads there.
#[must_use]
pub fn towards(master_ip: &str) -> Option<IpAddr> {
    let primary: IpAddr = master_ip.parse().ok()?;
    let any = if primary.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).ok()?;
    // Any port does: a datagram socket only looks the route up.
    socket.connect((primary, 5432)).ok()?;
    let own = socket.local_addr().ok()?.ip();
    (own != primary && !own.is_unspecified() && !own.is_loopback()).then_some(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_name_nor_an_address_of_this_node_leads_to_one_that_others_reach() {
        for master_ip in ["", "pm-vip", "127.0.0.1", "127.0.0.77", "::1", "/var/run/postgresql"] {
            assert_eq!(towards(master_ip), None, "{master_ip}");
        }
    }
}
