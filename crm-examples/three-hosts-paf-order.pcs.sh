#!/bin/sh
# Three hosts in the manner of PAF's quick start: one address for clients and standbys alike, which stays on the primary
# until its demotion has ended, so that the standbys receive everything before it goes. Both orders are mandatory.
# For whom: who comes from PAF (ocf:heartbeat:pgsqlms) and keeps structure, intervals and timeouts.
# Load it with:  sh crm-examples/three-hosts-paf-order.pcs.sh   (as root, on one host of the running cluster)
# Put your own in:  host names, the address and nic, the paths of PostgreSQL, repuser, and the fence agent:
#   fence_testbed is the tests' own.
# What differs from PAF: PAF leaves primary_conninfo and synchronous_standby_names to you, here the agent writes both.
#   Take them out of postgresql.conf; master_ip is the address that stood in primary_conninfo. PAF's monitor timeout of
#   10 s is kept and ample. rep_mode=async does what PAF does without synchronous_standby_names.
set -eu

cib=$(mktemp)
trap 'rm -f "$cib"' EXIT
pcs cluster cib "$cib"

pcs -f "$cib" property set stonith-enabled=true
pcs -f "$cib" resource defaults update resource-stickiness=10 migration-threshold=5

pcs -f "$cib" resource create pgsqld ocf:heartbeat:pgsql \
    pgctl=/usr/lib/postgresql/15/bin/pg_ctl \
    psql=/usr/lib/postgresql/15/bin/psql \
    pgdata=/var/lib/pgsql/data \
    rep_mode=sync node_list="pm01 pm02 pm03" \
    master_ip=10.77.0.100 repuser=repuser \
    op start interval=0s timeout=60s \
    stop interval=0s timeout=60s \
    promote interval=0s timeout=30s \
    demote interval=0s timeout=120s \
    monitor interval=15s timeout=10s role=Promoted \
    monitor interval=16s timeout=10s role=Unpromoted \
    notify interval=0s timeout=60s \
    promotable pgsql-ha notify=true

pcs -f "$cib" resource create pgsql-pri-ip ocf:heartbeat:IPaddr2 ip=10.77.0.100 nic=eth0 cidr_netmask=24 \
    op monitor interval=10s

pcs -f "$cib" constraint colocation add pgsql-pri-ip with Promoted pgsql-ha INFINITY
pcs -f "$cib" constraint order promote pgsql-ha then start pgsql-pri-ip kind=Mandatory symmetrical=false
pcs -f "$cib" constraint order demote pgsql-ha then stop pgsql-pri-ip kind=Mandatory symmetrical=false

# Any fence agent that can switch each host's power off.
for host in pm01 pm02 pm03; do
    pcs -f "$cib" stonith create "fence-$host" fence_testbed pcmk_host_list="$host"
    pcs -f "$cib" constraint location "fence-$host" avoids "$host"
done

pcs cluster cib-push "$cib" --config
