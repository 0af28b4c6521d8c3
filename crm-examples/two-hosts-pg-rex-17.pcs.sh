#!/bin/sh
# Two hosts as in PG-REX 17: the present names (promotable, Promoted), groups, ping as a clone, one address for readers.
# For whom: who runs PG-REX 15 to 17 (there with ocf:linuxhajp:pgsql), or wants two hosts with today's defaults.
# Load it with:  sh crm-examples/two-hosts-pg-rex-17.pcs.sh   (as root, on one host of the running cluster)
# Put your own in:  host names, addresses and nic, the paths of PostgreSQL, repuser, host_list of ping (your gateway),
#   and the fence agent: fence_testbed is the tests' own. Corosync needs `two_node: 1`.
# rejoin=rewind brings an old primary back by itself whatever it has written: it needs wal_log_hints=on or checksums,
#   and the grant for repuser that README names. Without them the start of diverged data is refused with the reason.
# Left out: storage-mon, which watches named disks (and, with it, node-health-strategy=only-green). Add it as the clone
#   ping-clone is added, with `or not_defined #health-storage-mon` in the rule of pgsql-clone.
set -eu

cib=$(mktemp)
trap 'rm -f "$cib"' EXIT
pcs cluster cib "$cib"

# The priority lets the primary win when the hosts shoot each other. It costs 10 s when the primary's host is lost.
pcs -f "$cib" property set stonith-enabled=true priority-fencing-delay=10s
pcs -f "$cib" resource defaults update resource-stickiness=200 migration-threshold=1

pcs -f "$cib" resource create pgsql ocf:heartbeat:pgsql \
    pgctl=/usr/lib/postgresql/15/bin/pg_ctl \
    start_opt="-p 5432" \
    psql=/usr/lib/postgresql/15/bin/psql \
    pgdata=/var/lib/pgsql/data \
    pgdba=postgres pgport=5432 pgdb=template1 \
    rep_mode=sync node_list="pm01 pm02" rejoin=rewind \
    master_ip=10.77.0.101 \
    restore_command="/bin/cp /var/lib/pgsql/archive/%f %p" \
    repuser=repuser \
    primary_conninfo_opt="keepalives_idle=60 keepalives_interval=5 keepalives_count=5" \
    stop_escalate=0 xlog_check_count=0 \
    op start interval=0s timeout=300s on-fail=restart \
    monitor interval=10s timeout=60s on-fail=restart \
    monitor role=Promoted interval=9s timeout=60s on-fail=restart \
    promote interval=0s timeout=300s on-fail=restart \
    demote interval=0s timeout=60s on-fail=fence \
    notify interval=0s timeout=60s \
    stop interval=0s timeout=60s on-fail=fence \
    promotable pgsql-clone promoted-max=1 promoted-node-max=1 clone-max=2 clone-node-max=1 \
    notify=true priority=1

pcs -f "$cib" resource create ipaddr-primary ocf:heartbeat:IPaddr2 ip=10.77.0.100 nic=eth0 cidr_netmask=24 \
    op start interval=0s timeout=60s on-fail=restart \
    monitor interval=10s timeout=60s on-fail=restart \
    stop interval=0s timeout=60s on-fail=fence \
    --group primary-group
pcs -f "$cib" resource create ipaddr-replication ocf:heartbeat:IPaddr2 ip=10.77.0.101 nic=eth0 cidr_netmask=24 \
    op start interval=0s timeout=60s on-fail=stop \
    monitor interval=10s timeout=60s on-fail=restart \
    stop interval=0s timeout=60s on-fail=ignore \
    meta migration-threshold=0 --group primary-group
pcs -f "$cib" resource create ipaddr-standby ocf:heartbeat:IPaddr2 ip=10.77.0.102 nic=eth0 cidr_netmask=24 \
    op start interval=0s timeout=60s on-fail=restart \
    monitor interval=10s timeout=60s on-fail=restart \
    stop interval=0s timeout=60s on-fail=fence \
    meta resource-stickiness=1

pcs -f "$cib" resource create ping ocf:pacemaker:ping \
    name=ping-status host_list=10.77.0.5 attempts=2 timeout=2 \
    op start interval=0s timeout=60s on-fail=restart \
    monitor interval=10s timeout=60s on-fail=restart \
    stop interval=0s timeout=60s on-fail=fence \
    clone ping-clone

# Readers go to the synchronous standby, to the primary if there is none, nowhere else. The attribute is named after
# the resource: <resource>-status. With rep_mode=async write HS:async for HS:sync.
pcs -f "$cib" constraint location ipaddr-standby rule score=200 pgsql-status eq HS:sync
pcs -f "$cib" constraint location ipaddr-standby rule score=100 pgsql-status eq PRI
pcs -f "$cib" constraint location ipaddr-standby rule score=-INFINITY \
    not_defined pgsql-status or "(" pgsql-status ne HS:sync and pgsql-status ne PRI ")"
pcs -f "$cib" constraint location pgsql-clone rule score=-INFINITY not_defined ping-status or ping-status lt 1

pcs -f "$cib" constraint colocation add pgsql-clone with ping-clone INFINITY
pcs -f "$cib" constraint colocation add primary-group with Promoted pgsql-clone INFINITY
pcs -f "$cib" constraint order start ping-clone then start pgsql-clone kind=Mandatory symmetrical=false
pcs -f "$cib" constraint order promote pgsql-clone then start primary-group kind=Mandatory symmetrical=false
pcs -f "$cib" constraint order demote pgsql-clone then stop primary-group kind=Optional symmetrical=false

# Any fence agent that can switch each host's power off.
pcs -f "$cib" stonith create fence1 fence_testbed pcmk_host_list=pm01
pcs -f "$cib" stonith create fence2 fence_testbed pcmk_host_list=pm02
pcs -f "$cib" constraint location fence1 avoids pm01
pcs -f "$cib" constraint location fence2 avoids pm02

pcs cluster cib-push "$cib" --config
