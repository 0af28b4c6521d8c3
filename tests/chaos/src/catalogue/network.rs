//! What befalls the network: cuts, one way or both, loss, delay, and cuts that concern only some of what passes.

use std::thread::sleep;
use std::time::Duration;

use super::Fault;
use crate::scene::nothing;

pub(super) const FAULTS: [Fault; 9] = [
    Fault::new("link cut", "link is cut", 8, (1, 25), |scene| {
        let host = scene.host.clone();
        host.cut_link();
        Ok(Box::new(move || {
            host.restore_link();
            Ok(())
        }))
    }),
    Fault::new("deaf", "nothing of the others reaches it", 4, (2, 20), |scene| {
        let (host, others) = (scene.host.clone(), scene.others());
        others.iter().for_each(|other| other.drop_traffic_to(&host));
        Ok(Box::new(move || {
            others.iter().for_each(|other| other.restore_traffic_to(&host));
            Ok(())
        }))
    }),
    Fault::new("mute", "nothing of it reaches the others", 4, (2, 20), |scene| {
        let (host, others) = (scene.host.clone(), scene.others());
        others.iter().for_each(|other| host.drop_traffic_to(other));
        Ok(Box::new(move || {
            others.iter().for_each(|other| host.restore_traffic_to(other));
            Ok(())
        }))
    }),
    Fault::new("pair parted", "it and one other do not meet", 4, (2, 20), |scene| {
        let (host, other) = (scene.host.clone(), scene.another());
        host.drop_traffic_to(&other);
        other.drop_traffic_to(&host);
        Ok(Box::new(move || {
            host.restore_traffic_to(&other);
            other.restore_traffic_to(&host);
            Ok(())
        }))
    }),
    Fault::new("packets lost", "packets are lost", 4, (3, 20), |scene| {
        let host = scene.host.clone();
        host.loss(scene.dice.u8(15..90));
        Ok(Box::new(move || {
            host.loss(0);
            Ok(())
        }))
    }),
    Fault::new("line narrow", "line is narrow: packets come late", 4, (3, 20), |scene| {
        let host = scene.host.clone();
        host.narrow_link(Some([24, 64, 160, 400][scene.dice.usize(0..4)]));
        Ok(Box::new(move || {
            host.narrow_link(None);
            Ok(())
        }))
    }),
    Fault::new("link flaps", "link flaps", 4, (3, 12), |scene| {
        let (host, mut dice) = (scene.host.clone(), scene.dice.clone());
        scene.repeatedly(Duration::ZERO, || {
            host.cut_link();
            sleep(Duration::from_millis(dice.u64(200..2500)));
            host.restore_link();
            sleep(Duration::from_millis(dice.u64(200..2000)));
        });
        Ok(nothing())
    }),
    Fault::new(
        "replication cut",
        "PostgreSQL's port to other hosts is blocked",
        5,
        (2, 20),
        |scene| {
            let host = scene.host.clone();
            host.block_replication()?;
            // What a reboot has taken away meanwhile need not be undone.
            Ok(Box::new(move || {
                let _none = host.unblock_replication();
                Ok(())
            }))
        },
    ),
    Fault::new("clients cut", "clients do not reach it", 3, (2, 15), |scene| {
        let host = scene.host.clone();
        host.part_from_clients(true);
        Ok(Box::new(move || {
            host.part_from_clients(false);
            Ok(())
        }))
    }),
];
