#!/bin/sh
# Two hosts as in the ClusterLabs wiki's article on replicated PostgreSQL: short intervals, a primary that is made by a
# restart, and neither fencing nor quorum. two-hosts-clusterlabs-wiki.crm for those who use pcs (0.11).
# For whom: who once set a cluster up after that article and puts this agent under it unchanged. The article's
#   `pcs resource master` is gone from pcs; `promotable` is its successor, and takes the old master-max as well.
# Load it with:  sh crm-examples/two-hosts-clusterlabs-wiki.pcs.sh   (as root, on one host of the running cluster)
# Put your own in:  host names, addresses and nic, the paths of PostgreSQL, repuser.
# What to change, if you may:
#   * Add fencing (as in the other examples) and stonith-enabled=true. Without it each host takes a silent peer for
#     dead: if only the network between them is cut, both serve, and the writes of one are lost.
#   * Leave restart_on_promote out. It kept the timeline, and so spared the standby a copy, when PostgreSQL could not
#     follow a new timeline over the network (before 9.3). Today it makes the promotion slower, and the way back longer:
#     pg_rewind sees one timeline and does nothing, so an old primary that was killed must be copied anew.
set -eu

cib=$(mktemp)
trap 'rm -f "$cib"' EXIT
pcs cluster cib "$cib"

pcs -f "$cib" property set no-quorum-policy=ignore stonith-enabled=false
pcs -f "$cib" resource defaults update resource-stickiness=INFINITY migration-threshold=1

pcs -f "$cib" resource create pgsql ocf:heartbeat:pgsql \
    pgctl=/usr/lib/postgresql/15/bin/pg_ctl \
    psql=/usr/lib/postgresql/15/bin/psql \
    pgdata=/var/lib/pgsql/data \
    rep_mode=sync node_list="pm01 pm02" \
    restore_command="cp /var/lib/pgsql/archive/%f %p" \
    primary_conninfo_opt="keepalives_idle=60 keepalives_interval=5 keepalives_count=5" \
    master_ip=10.77.0.101 repuser=repuser \
    restart_on_promote=true \
    op start interval=0s timeout=60s on-fail=restart \
    monitor interval=4s timeout=60s on-fail=restart \
    monitor role=Promoted interval=3s timeout=60s on-fail=restart \
    promote interval=0s timeout=60s on-fail=restart \
    demote interval=0s timeout=60s on-fail=stop \
    stop interval=0s timeout=60s on-fail=block \
    notify interval=0s timeout=60s \
    promotable msPostgresql master-max=1 master-node-max=1 clone-max=2 clone-node-max=1 notify=true

pcs -f "$cib" resource create vip-master ocf:heartbeat:IPaddr2 ip=10.77.0.100 nic=eth0 cidr_netmask=24 \
    op start interval=0s timeout=60s on-fail=restart \
    monitor interval=10s timeout=60s on-fail=restart \
    stop interval=0s timeout=60s on-fail=block \
    --group master-group
pcs -f "$cib" resource create vip-rep ocf:heartbeat:IPaddr2 ip=10.77.0.101 nic=eth0 cidr_netmask=24 \
    op start interval=0s timeout=60s on-fail=stop \
    monitor interval=10s timeout=60s on-fail=restart \
    stop interval=0s timeout=60s on-fail=ignore \
    meta migration-threshold=0 --group master-group

pcs -f "$cib" constraint colocation add master-group with Promoted msPostgresql INFINITY
pcs -f "$cib" constraint order promote msPostgresql then start master-group kind=Mandatory symmetrical=false
pcs -f "$cib" constraint order demote msPostgresql then stop master-group kind=Optional symmetrical=false

pcs cluster cib-push "$cib" --config
