//! Resource quantities in whole numbers: milli-cores, bytes, counts.
//!
//! The grammar is that of Kubernetes' `resource.Quantity`
//! (apimachinery `pkg/api/resource/quantity.go`): a decimal number and a decimal, binary or
//! exponent suffix; values round up, as the scheduler does.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};

/// A quantity in thousandths of its unit, rounded up; `None` when the text is no quantity.
#[must_use]
pub fn parse_milli(text: &str) -> Option<i64> {
    parse_scaled(text, 1000)
}

/// A quantity in whole units, rounded up; `None` when the text is no quantity.
#[must_use]
pub fn parse_units(text: &str) -> Option<i64> {
    parse_scaled(text, 1)
}

fn parse_scaled(text: &str, scale: i128) -> Option<i64> {
    let text = text.trim();
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || number.len() > 40 {
        return None;
    }
    let (multiplier, divisor) = suffix_factor(suffix)?;
    // Digits past the eighteenth are below any unit that we keep; the rounding up covers them.
    let (fraction, lost) = fraction.split_at(fraction.len().min(18));
    let mut digits: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        digits = digits.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let numerator = digits.checked_mul(multiplier)?.checked_mul(scale)?;
    let denominator = divisor.checked_mul(10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
    let round_up = numerator % denominator != 0 || lost.bytes().any(|b| b != b'0');
    let value = numerator / denominator + i128::from(round_up);
    i64::try_from(if negative { -value } else { value }).ok()
}

/// What a suffix multiplies and divides by.
fn suffix_factor(suffix: &str) -> Option<(i128, i128)> {
    Some(match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1000),
        "k" => (1000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10_i128.checked_pow(exponent.unsigned_abs().min(30))?;
            if exponent < 0 { (1, power) } else { (power, 1) }
        }
    })
}

/// What a pod asks for or a node offers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Hash, serde::Serialize, serde::Deserialize)]
pub struct Resources {
    /// Milli-cores.
    pub cpu: i64,
    /// Bytes.
    pub memory: i64,
    /// Whole GPUs of any vendor (`nvidia.com/gpu`, `amd.com/gpu`, `gpu.intel.com/*`).
    pub gpus: i64,
    /// Pods: a node's limit, or 1 for a pod.
    pub pods: i64,
}

impl Resources {
    /// Nothing.
    pub const ZERO: Resources = Resources { cpu: 0, memory: 0, gpus: 0, pods: 0 };

    /// The larger of each, as the scheduler takes it for init containers.
    #[must_use]
    pub fn max(self, other: Resources) -> Resources {
        Resources {
            cpu: self.cpu.max(other.cpu),
            memory: self.memory.max(other.memory),
            gpus: self.gpus.max(other.gpus),
            pods: self.pods.max(other.pods),
        }
    }

    /// Whether a demand of `self` finds room in `free`.
    #[must_use]
    pub fn fits(self, free: Resources) -> bool {
        self.cpu <= free.cpu && self.memory <= free.memory && self.gpus <= free.gpus && self.pods <= free.pods
    }

    /// This times a count, for replicas.
    #[must_use]
    pub fn times(self, count: i64) -> Resources {
        Resources {
            cpu: self.cpu.saturating_mul(count),
            memory: self.memory.saturating_mul(count),
            gpus: self.gpus.saturating_mul(count),
            pods: self.pods.saturating_mul(count),
        }
    }
}

impl Add for Resources {
    type Output = Resources;
    fn add(self, other: Resources) -> Resources {
        Resources {
            cpu: self.cpu.saturating_add(other.cpu),
            memory: self.memory.saturating_add(other.memory),
            gpus: self.gpus.saturating_add(other.gpus),
            pods: self.pods.saturating_add(other.pods),
        }
    }
}

impl Sub for Resources {
    type Output = Resources;
    fn sub(self, other: Resources) -> Resources {
        self + other.times(-1)
    }
}

impl AddAssign for Resources {
    fn add_assign(&mut self, other: Resources) {
        *self = *self + other;
    }
}

impl SubAssign for Resources {
    fn sub_assign(&mut self, other: Resources) {
        *self = *self - other;
    }
}

/// Milli-cores as people write them: `250m`, `4`, `31.5`.
#[derive(Clone, Copy, Debug)]
pub struct Cpu(pub i64);

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            m if m % 1000 == 0 => (m / 1000).to_string(),
            m if m.abs() < 1000 => format!("{m}m"),
            m => format!("{}.{}", m / 1000, m.abs() % 1000 / 100),
        };
        f.pad(&text)
    }
}

/// Bytes as people write them: `310 MiB`, `1.5 GiB`.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub i64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
        let mut value = self.0.unsigned_abs();
        let mut rest = 0;
        let mut unit = 0;
        while value >= 1024 && unit + 1 < UNITS.len() {
            rest = value % 1024;
            value /= 1024;
            unit += 1;
        }
        let sign = if self.0 < 0 { "-" } else { "" };
        let tenth = rest * 10 / 1024;
        let text = if value < 10 && tenth > 0 {
            format!("{sign}{value}.{tenth} {}", UNITS[unit])
        } else {
            format!("{sign}{value} {}", UNITS[unit])
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantities_read_as_kubernetes_reads_them() {
        assert_eq!(parse_milli("250m"), Some(250));
        assert_eq!(parse_milli("1.5"), Some(1500));
        assert_eq!(parse_milli("100u"), Some(1));
        assert_eq!(parse_units("1Gi"), Some(1 << 30));
        assert_eq!(parse_units("128974848"), Some(128_974_848));
        assert_eq!(parse_units("129e6"), Some(129_000_000));
        assert_eq!(parse_units("129M"), Some(129_000_000));
        assert_eq!(parse_units("0.5Gi"), Some(1 << 29));
        assert_eq!(parse_units("-1"), Some(-1));
        for bad in ["", "Gi", "1.2.3", "1Q", ".", "1e", "9".repeat(60).as_str(), "1 Gi"] {
            assert_eq!(parse_units(bad), None, "{bad}");
        }
    }

    #[test]
    fn amounts_are_written_shortly() {
        assert_eq!(Cpu(250).to_string(), "250m");
        assert_eq!(Cpu(4000).to_string(), "4");
        assert_eq!(Cpu(31_500).to_string(), "31.5");
        assert_eq!(Bytes(310 << 20).to_string(), "310 MiB");
        assert_eq!(Bytes(3 << 29).to_string(), "1.5 GiB");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,30}") {
            let _ = parse_milli(&text);
            let _ = parse_units(&text);
        }
    }
}
