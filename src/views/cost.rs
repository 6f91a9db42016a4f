//! Cost: what is paid an hour, for whom, and what of it is idle.
//!
//! A node's price is split over its cores, memory and GPUs, and each pod takes the share of what
//! it asks for or uses, whichever is more (OpenCost's allocation). What no pod takes is idle; what
//! pods ask for and do not use is waste, which lies inside their cost.

mod breakdown;
mod evidence;
mod rows;
mod sheet;
mod unit;
mod waste;

pub use breakdown::{Breakdown, Share, breakdown};
pub use evidence::evidence;
pub use sheet::{CostLens, sheet};
pub use unit::Unit;
