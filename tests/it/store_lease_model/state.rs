//! What the item holds, what the provider knows, where each process stands; and what can happen next.

use super::{Mutation, Property};

const PROCESSES: usize = 3;

/// A grant at the provider, and a token of it: the grant's number, the token's number.
type Token = (u8, u8);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Holder {
    #[default]
    Nobody,
    Process(usize),
    /// One that crashed or gave up: nobody with its name comes back.
    Ghost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Item {
    generation: u8,
    token: Token,
    needs_reauth: bool,
    expired: bool,
    holder: Holder,
    lease_over: bool,
}

/// Where a process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    Idle,
    /// It has read the item.
    Read {
        generation: u8,
        token: Token,
    },
    /// It was given the lease and does not know, since the answer was lost.
    Asked {
        generation: u8,
        token: Token,
    },
    Leased {
        generation: u8,
        token: Token,
        fence: bool,
    },
    Redeemed {
        generation: u8,
        token: Token,
        fence: bool,
    },
    Refused {
        generation: u8,
        token: Token,
        fence: bool,
    },
}

/// Whether a token was presented, and by whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Presented {
    #[default]
    Never,
    By(usize),
    /// Whoever did crashed, or got no answer.
    AndLost,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Grant {
    current: u8,
    revoked: bool,
    presented: [Presented; 4],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    item: Item,
    grants: [Grant; 2],
    processes: [At; PROCESSES],
    /// How often each may still happen.
    crashes: u8,
    losses: u8,
    expiries: u8,
    reconnects: u8,
}

/// A step, and whether it is one that the world takes by itself when nothing goes wrong.
pub type Step = (&'static str, bool, Result<State, Property>);

impl State {
    /// An expired connection, and nobody at work.
    pub fn first() -> Self {
        let item = Item {
            generation: 1,
            token: (0, 0),
            needs_reauth: false,
            expired: true,
            holder: Holder::Nobody,
            lease_over: false,
        };
        Self {
            item,
            grants: [Grant::default(); 2],
            processes: [At::Idle; PROCESSES],
            crashes: 2,
            losses: 2,
            expiries: 1,
            reconnects: 1,
        }
    }

    fn at(mut self, process: usize, at: At) -> Self {
        self.processes[process] = at;
        self
    }

    fn lossy(mut self) -> Option<Self> {
        self.losses = self.losses.checked_sub(1)?;
        Some(self)
    }

    fn grant(&mut self, token: Token) -> &mut Grant {
        &mut self.grants[usize::from(token.0)]
    }

    /// Everybody's fence is old from now on.
    fn raise_fence(&mut self) {
        for at in &mut self.processes {
            if let At::Leased { fence, .. } | At::Redeemed { fence, .. } | At::Refused { fence, .. } = at {
                *fence = false;
            }
        }
    }

    /// Whether this is an end: nobody at work, and the connection works or says that it does not.
    pub fn is_settled(&self) -> bool {
        let Item { token, needs_reauth, expired, .. } = self.item;
        let grant = self.grants[usize::from(token.0)];
        let works = !expired && !grant.revoked && grant.current == token.1;
        self.processes.iter().all(|at| *at == At::Idle) && (needs_reauth || works)
    }

    /// Everything that can happen next.
    pub fn steps(&self, mutation: Mutation) -> Vec<Step> {
        let mut steps = self.world(mutation);
        for process in 0..PROCESSES {
            match self.processes[process] {
                At::Idle => steps.extend(self.read(process)),
                At::Read { generation, token } | At::Asked { generation, token } => {
                    steps.extend(self.lease(process, generation, token, mutation));
                }
                At::Leased { generation, token, fence } => steps.extend(self.redeem(process, generation, token, fence)),
                At::Redeemed { .. } | At::Refused { .. } => steps.extend(self.write(process, mutation)),
            }
            steps.extend(self.crash(process));
        }
        steps
    }

    /// What happens besides the processes.
    fn world(&self, mutation: Mutation) -> Vec<Step> {
        let mut steps = Vec::new();
        let at_work = matches!(self.item.holder, Holder::Process(_)) && mutation != Mutation::LeaseShorterThanWork;
        if self.item.holder != Holder::Nobody
            && !self.item.lease_over
            && !at_work
            && mutation != Mutation::LeaseWithoutEnd
        {
            let item = Item { lease_over: true, ..self.item };
            steps.push(("the lease runs out", true, Ok(Self { item, ..self.clone() })));
        }
        if self.expiries > 0 && !self.item.expired {
            let item = Item { expired: true, ..self.item };
            steps.push(("the token expires", false, Ok(Self { item, expiries: self.expiries - 1, ..self.clone() })));
        }
        if self.reconnects > 0 {
            let generation = if mutation == Mutation::ReconnectCountsFromOne { 1 } else { 100 };
            let item = Item {
                generation,
                token: (1, 0),
                needs_reauth: false,
                expired: false,
                holder: Holder::Nobody,
                lease_over: false,
            };
            let mut next = Self { item, reconnects: 0, ..self.clone() };
            next.raise_fence();
            steps.push(("the person connects again", false, Ok(next)));
        }
        steps
    }

    fn read(&self, process: usize) -> Option<Step> {
        let Item { generation, token, needs_reauth, expired, .. } = self.item;
        let refused_by_the_api = self.grants[usize::from(token.0)].revoked;
        let wanted = !needs_reauth && (expired || refused_by_the_api);
        wanted.then(|| ("reads", true, Ok(self.clone().at(process, At::Read { generation, token }))))
    }

    fn lease(&self, process: usize, generation: u8, token: Token, mutation: Mutation) -> Vec<Step> {
        let same = self.item.generation == generation || mutation == Mutation::LeaseWithoutGeneration;
        let free = self.item.holder == Holder::Nobody || self.item.lease_over;
        if same && free {
            let mut next = self.clone();
            next.raise_fence();
            next.item.holder = Holder::Process(process);
            next.item.lease_over = false;
            let lost = next.clone().lossy().map(|next| next.at(process, At::Asked { generation, token }));
            let leased = next.at(process, At::Leased { generation, token, fence: true });
            return [
                Some(("is given the lease", true, Ok(leased))),
                lost.map(|lost| ("is given the lease unknowingly", false, Ok(lost))),
            ]
            .into_iter()
            .flatten()
            .collect();
        }
        if same && self.item.holder == Holder::Process(process) {
            return vec![(
                "learns that it has the lease",
                true,
                Ok(self.clone().at(process, At::Leased { generation, token, fence: true })),
            )];
        }
        vec![("is refused the lease", true, Ok(self.clone().at(process, At::Idle)))]
    }

    fn redeem(&self, process: usize, generation: u8, token: Token, fence: bool) -> Vec<Step> {
        let mut steps = vec![("meets a provider that fails", false, Ok(self.clone().release(process, fence)))];
        let mut next = self.clone();
        let grant = next.grant(token);
        let presented = &mut grant.presented[usize::from(token.1)];
        match *presented {
            Presented::Never => *presented = Presented::By(process),
            Presented::By(_) => return vec![("redeems", true, Err(Property::RedeemedOnce))],
            Presented::AndLost => {}
        }
        let honoured = !grant.revoked && grant.current == token.1;
        if honoured {
            grant.current += 1;
        } else {
            grant.revoked = true;
        }
        let at =
            if honoured { At::Redeemed { generation, token, fence } } else { At::Refused { generation, token, fence } };
        if let Some(mut lost) = next.clone().lossy() {
            lost.grant(token).presented[usize::from(token.1)] = Presented::AndLost;
            steps.push(("redeems and gets no answer", false, Ok(lost.release(process, fence))));
        }
        steps.push(("redeems", true, Ok(next.at(process, at))));
        steps
    }

    fn release(mut self, process: usize, fence: bool) -> Self {
        if fence && self.item.holder == Holder::Process(process) {
            self.item.holder = Holder::Nobody;
            self.item.lease_over = false;
        }
        self.at(process, At::Idle)
    }

    /// Writes the renewed credentials, or that there are none.
    fn write(&self, process: usize, mutation: Mutation) -> Vec<Step> {
        let (generation, token, fence, renewed) = match self.processes[process] {
            At::Redeemed { generation, token, fence } => (generation, token, fence, true),
            At::Refused { generation, token, fence } => (generation, token, fence, false),
            _ => return Vec::new(),
        };
        let next_generation = generation.wrapping_add(1);
        let own = self.item.holder == Holder::Process(process) || self.item.generation == next_generation;
        if !own || !(fence || mutation == Mutation::WriteWithoutFence) {
            return vec![("finds that another knows better", true, Ok(self.clone().at(process, At::Idle)))];
        }
        if !fence || self.item.token.0 != token.0 {
            return vec![("writes", true, Err(Property::NoWriteUnderAnOldFence))];
        }
        let mut next = self.clone();
        let token = if renewed { (token.0, token.1 + 1) } else { self.item.token };
        // written once more, it is what it was: its end too
        let again = self.item.generation == next_generation;
        let expired = if renewed && !again { false } else { self.item.expired };
        next.item = Item {
            generation: next_generation,
            token,
            needs_reauth: !renewed,
            expired,
            holder: Holder::Nobody,
            lease_over: false,
        };
        let mut steps = Vec::new();
        steps.extend(next.clone().lossy().map(|lost| ("writes and gets no answer", false, Ok(lost))));
        steps.push(("writes", true, Ok(next.at(process, At::Idle))));
        steps
    }

    /// A process is gone, or gives up. What it holds is lost, its lease stays.
    fn crash(&self, process: usize) -> Option<Step> {
        if self.processes[process] == At::Idle {
            return None;
        }
        let mut next = Self { crashes: self.crashes.checked_sub(1)?, ..self.clone() };
        if next.item.holder == Holder::Process(process) {
            next.item.holder = Holder::Ghost;
        }
        for presented in next.grants.iter_mut().flat_map(|grant| &mut grant.presented) {
            if *presented == Presented::By(process) {
                *presented = Presented::AndLost;
            }
        }
        Some(("crashes", false, Ok(next.at(process, At::Idle))))
    }
}
