//! People who never do anything wrong, and whose address and account robots write into the log.

use super::plain::add;
use crate::cast::Stage;
use crate::world::MIDNIGHT;

const PEOPLE: usize = 3;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for number in 0..PEOPLE {
        let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
        let addresses = &mut stage.world.addresses;
        let address =
            if number == 0 { addresses.home_v6(&mut stage.rng) } else { addresses.home(&mut stage.rng) };
        stage.world.framed.push((address, name.clone()));
        add(stage, &name, address);
    }
}
