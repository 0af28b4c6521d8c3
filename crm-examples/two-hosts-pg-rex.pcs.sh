#!/bin/sh
# Two hosts as in "PG-REX" (OSC2016 Tokyo/Spring): two-hosts-pg-rex.crm for those who use pcs (0.11).
# For whom: who runs the PG-REX of those years (PostgreSQL up to 11, crmsh) and moves to pcs as it is; names are kept.
# Load it with:  sh crm-examples/two-hosts-pg-rex.pcs.sh   (as root, on one host of the running cluster)
# Put your own in:  host names, addresses and nic, the paths of PostgreSQL, repuser, and the fence agent (fence_testbed
#   is the tests' own). A new cluster does better with no-quorum-policy=stop and corosync's two_node: 1.
set -eu

cib=$(mktemp)
trap 'rm -f "$cib"' EXIT
pcs cluster cib "$cib"

pcs -f "$cib" property set no-quorum-policy=ignore stonith-enabled=true startup-fencing=false
pcs -f "$cib" resource defaults update resource-stickiness=INFINITY migration-threshold=1

pcs -f "$cib" resource create prmPostgresql ocf:heartbeat:pgsql \
    pgctl=/usr/lib/postgresql/15/bin/pg_ctl \
    start_opt="-p 5432" \
    psql=/usr/lib/postgresql/15/bin/psql \
    pgdata=/var/lib/pgsql/data \
    pgdba=postgres pgport=5432 pgdb=template1 \
    rep_mode=sync node_list="pm01 pm02" \
    master_ip=10.77.0.101 \
    restore_command="/bin/cp /var/lib/pgsql/archive/%f %p" \
    repuser=repuser \
    primary_conninfo_opt="keepalives_idle=60 keepalives_interval=5 keepalives_count=5" \
    stop_escalate=0 xlog_check_count=0 \
    replication_slot_name=test \
    op start interval=0s timeout=300s on-fail=restart \
    monitor interval=10s timeout=60s on-fail=restart \
    monitor role=Promoted interval=9s timeout=60s on-fail=restart \
    promote interval=0s timeout=300s on-fail=restart \
    demote interval=0s timeout=300s on-fail=fence \
    notify interval=0s timeout=60s \
    stop interval=0s timeout=300s on-fail=fence \
    promotable msPostgresql promoted-max=1 promoted-node-max=1 clone-max=2 clone-node-max=1 notify=true

pcs -f "$cib" resource create vip-master ocf:heartbeat:IPaddr2 ip=10.77.0.100 nic=eth0 cidr_netmask=24 \
    op start interval=0s timeout=60s on-fail=restart \
    monitor interval=10s timeout=60s on-fail=restart \
    stop interval=0s timeout=60s on-fail=fence \
    --group master-group
pcs -f "$cib" resource create vip-rep ocf:heartbeat:IPaddr2 ip=10.77.0.101 nic=eth0 cidr_netmask=24 \
    op start interval=0s timeout=60s on-fail=stop \
    monitor interval=10s timeout=60s on-fail=restart \
    stop interval=0s timeout=60s on-fail=ignore \
    meta migration-threshold=0 --group master-group
pcs -f "$cib" resource create vip-slave ocf:heartbeat:IPaddr2 ip=10.77.0.102 nic=eth0 cidr_netmask=24 \
    op start interval=0s timeout=60s on-fail=restart \
    monitor interval=10s timeout=60s on-fail=restart \
    stop interval=0s timeout=60s on-fail=fence \
    meta resource-stickiness=1

# Readers go to the synchronous standby, to the primary if there is none, nowhere else. The attribute is named after
# the resource: <resource>-status.
pcs -f "$cib" constraint location vip-slave rule score=200 prmPostgresql-status eq HS:sync
pcs -f "$cib" constraint location vip-slave rule score=100 prmPostgresql-status eq PRI
pcs -f "$cib" constraint location vip-slave rule score=-INFINITY \
    not_defined prmPostgresql-status or \
    "(" prmPostgresql-status ne HS:sync and prmPostgresql-status ne PRI ")"

pcs -f "$cib" constraint colocation add master-group with Promoted msPostgresql INFINITY
pcs -f "$cib" constraint order promote msPostgresql then start master-group kind=Mandatory symmetrical=false
pcs -f "$cib" constraint order demote msPostgresql then stop master-group kind=Optional symmetrical=false

pcs -f "$cib" stonith create fence1 fence_testbed pcmk_host_list=pm01 op start interval=0s timeout=60s
pcs -f "$cib" stonith create fence2 fence_testbed pcmk_host_list=pm02 op start interval=0s timeout=60s
pcs -f "$cib" constraint location fence1 avoids pm01
pcs -f "$cib" constraint location fence2 avoids pm02

pcs cluster cib-push "$cib" --config
