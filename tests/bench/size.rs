//! The reference load, or a tenth of it.

use std::str::FromStr;

/// How large the fleet is: the reference load, or a tenth of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    L,
    Tenth,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        match text {
            "L" => Ok(Size::L),
            "L/10" => Ok(Size::Tenth),
            _ => Err("expected L or L/10".to_owned()),
        }
    }
}

impl Size {
    /// One figure at L, another at L/10.
    pub(crate) fn pick<T>(self, large: T, tenth: T) -> T {
        if self == Size::L { large } else { tenth }
    }

    pub(crate) fn clusters(self) -> usize {
        self.pick(200, 20)
    }

    pub(crate) fn pods(self) -> usize {
        self.pick(200_000, 20_000)
    }

    /// Events a second of the reference load.
    pub(crate) fn events(self) -> u32 {
        self.pick(1000, 100)
    }

    pub(crate) fn scenario(self) -> String {
        self.with(self.pods())
    }

    /// The same fleet with so many pods.
    pub(crate) fn with(self, pods: usize) -> String {
        format!("sized:{}x{}x{pods}", self.clusters(), 50 * self.clusters())
    }
}
