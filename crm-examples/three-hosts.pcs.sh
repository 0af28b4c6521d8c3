#!/bin/sh
# Three hosts, synchronous replication, fencing, one address for clients and one for the standbys:
# three-hosts.crm for those who use pcs (0.11, with Pacemaker 2.1 or later).
# For whom: a new cluster. It survives the loss of any one host without losing an acknowledged write.
# Load it with:  sh crm-examples/three-hosts.pcs.sh   (as root, on one host of the running cluster)
# Put your own in:  host names (node_list and the fence devices), addresses and nic, the paths of PostgreSQL,
#   repuser, and the fence agent: fence_testbed is the tests' own, take the one that reaches your power switches.
# rejoin=rewind brings an old primary back by itself whatever it has written: it needs wal_log_hints=on or checksums,
#   and the grant for repuser that README names. Without them the start of diverged data is refused with the reason.
set -eu

cib=$(mktemp)
trap 'rm -f "$cib"' EXIT
pcs cluster cib "$cib"

pcs -f "$cib" property set stonith-enabled=true no-quorum-policy=stop cluster-recheck-interval=60s
pcs -f "$cib" resource defaults update resource-stickiness=200 migration-threshold=3 failure-timeout=0

pcs -f "$cib" resource create pgsql ocf:heartbeat:pgsql \
    pgctl=/usr/lib/postgresql/15/bin/pg_ctl \
    psql=/usr/lib/postgresql/15/bin/psql \
    pgdata=/var/lib/pgsql/data \
    pgdba=postgres pgport=5432 pgdb=template1 \
    logfile=/var/log/postgresql/pgsql-ha.log \
    tmpdir=/var/lib/pgsql/tmp \
    rep_mode=sync node_list="pm01 pm02 pm03" \
    rejoin=rewind \
    master_ip=10.77.0.101 repuser=repuser \
    primary_conninfo_opt="keepalives_idle=60 keepalives_interval=5 keepalives_count=5" \
    restore_command="/bin/cp /var/lib/pgsql/archive/%f %p" \
    replication_slot_name=pgsql \
    op start interval=0s timeout=300s on-fail=restart \
    monitor interval=10s timeout=60s on-fail=restart \
    monitor role=Promoted interval=9s timeout=60s on-fail=restart \
    promote interval=0s timeout=300s on-fail=restart \
    demote interval=0s timeout=300s on-fail=fence \
    notify interval=0s timeout=60s \
    stop interval=0s timeout=300s on-fail=fence \
    promotable pgsql-clone promoted-max=1 promoted-node-max=1 clone-max=3 clone-node-max=1 \
    notify=true interleave=true

pcs -f "$cib" resource create vip-client ocf:heartbeat:IPaddr2 ip=10.77.0.100 nic=eth0 cidr_netmask=24 \
    op start interval=0s timeout=60s on-fail=restart \
    monitor interval=10s timeout=60s on-fail=restart \
    stop interval=0s timeout=60s on-fail=fence \
    --group primary-group
pcs -f "$cib" resource create vip-replication ocf:heartbeat:IPaddr2 ip=10.77.0.101 nic=eth0 cidr_netmask=24 \
    op start interval=0s timeout=60s on-fail=stop \
    monitor interval=10s timeout=60s on-fail=restart \
    stop interval=0s timeout=60s on-fail=ignore \
    meta migration-threshold=0 --group primary-group

pcs -f "$cib" constraint colocation add primary-group with Promoted pgsql-clone INFINITY
# Asymmetric on purpose: the addresses come after the promotion, and leave after the demotion if both happen.
pcs -f "$cib" constraint order promote pgsql-clone then start primary-group kind=Mandatory symmetrical=false
pcs -f "$cib" constraint order demote pgsql-clone then stop primary-group kind=Optional symmetrical=false

# Any fence agent that can switch each host's power off.
for host in pm01 pm02 pm03; do
    pcs -f "$cib" stonith create "fence-$host" fence_testbed pcmk_host_list="$host"
    pcs -f "$cib" constraint location "fence-$host" avoids "$host"
done

pcs cluster cib-push "$cib" --config
