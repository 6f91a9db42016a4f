//! Roles: the meanings that a theme gives looks to.

use crate::model::Tone;

macro_rules! roles {
    ($($variant:ident $name:literal $doc:literal,)*) => {
        /// A meaning that has a look. A role that a theme does not name looks like the one its
        /// name begins with: `text.dim` like `text`.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Role {
            $(#[doc = $doc] $variant,)*
        }

        impl Role {
            /// Every role.
            pub const ALL: &[Role] = &[$(Role::$variant),*];

            /// Its name in theme files.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Role::$variant => $name,)* }
            }

            /// What it means.
            #[must_use]
            pub const fn doc(self) -> &'static str {
                match self { $(Role::$variant => $doc,)* }
            }
        }
    };
}

roles! {
    Text "text" "body",
    TextDim "text.dim" "units, what is old",
    TextStrong "text.strong" "the answer",
    Title "title" "pane names",
    TitleFocus "title.focus" "the one with keys",
    Rule "rule" "separators",
    Select "select" "the cursor's row",
    SelectIdle "select.idle" "the cursor's row without keys",
    Mark "mark" "a marked row",
    Match "match" "what the filter found",
    Key "key" "keys in hints",
    Ok "ok" "fine",
    Moving "moving" "changing as wanted",
    Warn "warn" "degraded",
    Crit "crit" "down",
    Unseen "unseen" "no data",
    Denied "denied" "not allowed to see",
    Stale "stale" "past its limit",
    Paused "paused" "stopped by someone",
    TierProd "tier.prod" "the badge of a production cluster",
    TierOther "tier.other" "the badge of another cluster",
    Armed "armed" "writes are possible",
    Frozen "frozen" "the screen is held",
    MoneyMore "money.more" "the bill goes up",
    MoneyLess "money.less" "the bill goes down",
    Estimate "estimate" "not exact",
    Chart1 "chart.1" "the first series",
    Chart2 "chart.2" "the second series",
    Chart3 "chart.3" "the third series",
    ChartLimit "chart.limit" "a ceiling",
    DiffAdd "diff.add" "a line that came",
    DiffDel "diff.del" "a line that went",
}

impl Role {
    /// The role of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Role> {
        Role::ALL.iter().copied().find(|role| role.name() == name)
    }

    /// The role that this one looks like when nothing is said of it.
    #[must_use]
    pub fn parent(self) -> Option<Role> {
        Role::by_name(self.name().rsplit_once('.')?.0)
    }
}

/// The role of a tone.
#[must_use]
pub const fn tone_role(tone: Tone) -> Role {
    match tone {
        Tone::Ok => Role::Ok,
        Tone::Paused => Role::Paused,
        Tone::Moving | Tone::Connecting => Role::Moving,
        Tone::Denied => Role::Denied,
        Tone::Unseen => Role::Unseen,
        Tone::Warn => Role::Warn,
        Tone::Crit => Role::Crit,
    }
}
