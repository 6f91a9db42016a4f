//! Panes that are made of what the screen itself knows. All others are views.

pub mod operations;
