//! Elections among up to three nodes, all of them: each node decides alone, from the same facts.

use std::collections::BTreeSet;

use super::scene::{END, Scene, position};
use crate::decide::rules::fitness::is_fit;
use crate::decide::standby::election::{Standing, standing};
use crate::model::cluster::{ClusterRole, Membership, NoQuorumPolicy};
use crate::model::instance::Files;
use crate::model::settings::ReplicationMode::{Async, Sync};
use crate::model::status::DataStatus;
use crate::model::wal::WalPosition;

/// Everything that an election looks at in one node.
fn every_node() -> Vec<(Option<DataStatus>, Membership, Option<WalPosition>)> {
    let statuses = [
        None,
        Some(DataStatus::Latest),
        Some(DataStatus::StreamingSync),
        Some(DataStatus::StreamingAsync),
        Some(DataStatus::Disconnected),
    ];
    let positions = [position(1, END.0), position(1, END.0 + 8), position(2, END.0)];
    let mut nodes = Vec::new();
    for status in statuses {
        for at in positions {
            nodes.push((status.clone(), Membership::Member, Some(at)));
        }
        nodes.push((status.clone(), Membership::Member, None));
        nodes.push((status, Membership::Lost, None));
    }
    nodes
}

/// Every cluster of that many nodes, in which all members run as standbys.
fn every_cluster(nodes: usize) -> Vec<Scene> {
    let mut scenes = Vec::new();
    for mode in [Sync, Async] {
        for policy in [NoQuorumPolicy::Respect, NoQuorumPolicy::Ignore] {
            let mut scene = Scene::standby(mode, "pm01");
            scene.keep_hosts(nodes);
            scene.cluster().no_quorum_policy = policy;
            scenes.push(scene);
        }
    }
    for at in 0..nodes {
        let with = |scene: &Scene| {
            let with_each = every_node().into_iter().map(|(status, membership, wal_position)| {
                let mut scene = scene.clone();
                let node = &mut scene.cluster().nodes[at];
                node.role = match membership {
                    Membership::Member => ClusterRole::Unpromoted,
                    Membership::Down | Membership::Lost | Membership::NeverSeen => {
                        ClusterRole::Unknown
                    }
                };
                (node.data_status, node.membership) = (status, membership);
                node.wal_position = wal_position;
                scene
            });
            with_each.collect::<Vec<_>>()
        };
        scenes = scenes.iter().flat_map(with).collect();
    }
    scenes
}

#[test]
fn no_election_has_two_winners_and_none_is_won_by_unfit_or_older_data() {
    for nodes in 1..=3 {
        let files = Files { followed_since_cluster_start: true, ..Files::default() };
        let mut winners_seen = BTreeSet::new();
        for mut scene in every_cluster(nodes) {
            let all = scene.cluster().nodes.clone();
            let mut winners = 0;
            for candidate in &all {
                let Some(mine) = candidate.wal_position else { continue };
                scene.cluster().local = candidate.name.clone();
                let cluster = scene.cluster().clone();
                if standing(&scene.settings, &cluster, mine, &files) != Standing::First {
                    continue;
                }
                winners += 1;
                let later = |other: Option<WalPosition>| {
                    other.is_some_and(|theirs| theirs.timeline > mine.timeline)
                };
                assert!(!all.iter().any(|other| later(other.wal_position)), "{cluster:?}");
                let recorded = candidate.data_status.as_ref();
                let fit = |status| is_fit(scene.settings.rep_mode, status);
                let right = recorded.map_or(!cluster.has_records(), fit);
                assert!(right, "{cluster:?}");
            }
            assert!(winners <= 1, "{winners} winners: {:?}", scene.cluster());
            winners_seen.insert(winners);
        }
        assert_eq!(winners_seen, BTreeSet::from([0, 1]), "{nodes} nodes");
    }
}
