//! Breadth first through every state, so that the first story that breaks a law is a shortest one.

use std::collections::{HashMap, HashSet};

use license_server::testing::Conduct as LicenseServerConduct;
use mock_solme::testing::Conduct as MainServerConduct;

use super::laws;
use super::parts::Parts;
use super::story::Story;
use super::world::{Bounds, Step, World};

/// What a search came to.
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) steps: usize,
    pub(crate) seen: laws::Seen,
    /// How a law is broken.
    pub(crate) broken: Option<Story>,
}

/// Takes every step from every state within the bounds, until a law is broken.
pub(crate) fn exhaust(
    license_server: &'static dyn LicenseServerConduct,
    main_server: &'static dyn MainServerConduct,
    bounds: Bounds,
) -> Found {
    let parts = Parts::new(license_server, main_server);
    let first = World::first(&parts, bounds);
    let mut reached: Vec<(World, Option<(usize, Step)>)> = vec![(first, None)];
    let mut known = HashSet::from([first]);
    let (mut steps, mut seen) = (0, laws::Seen::new());
    let mut next = 0;
    while let Some((world, _)) = reached.get(next).copied() {
        for led in world.steps(&parts) {
            steps += 1;
            laws::note(&mut seen, &world, &led, &parts);
            if let Some(law) = laws::broken(&world, &led, &parts) {
                let broken = Some(Story::new(law, path(&reached, next), Some(led.step), bounds));
                return Found { states: reached.len(), steps, seen, broken };
            }
            if led.to.is_within(bounds, &parts) && known.insert(led.to) {
                reached.push((led.to, Some((next, led.step))));
            }
        }
        next += 1;
    }
    let (states, mut ways) = (reached.len(), HashMap::new());
    let mut ends = (0..states).flat_map(|at| [(at, 0), (at, 1)]);
    let stuck = ends.find(|(at, server)| !laws::has_a_way_out(&reached[*at].0, *server, &parts, &mut ways));
    let broken = stuck.map(|(at, _)| Story::new(laws::WAY_OUT, path(&reached, at), None, bounds));
    Found { states, steps, seen, broken }
}

fn path(reached: &[(World, Option<(usize, Step)>)], mut at: usize) -> Vec<Step> {
    let mut path = Vec::new();
    while let Some((before, step)) = reached[at].1 {
        path.push(step);
        at = before;
    }
    path.reverse();
    path
}
