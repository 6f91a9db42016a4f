//! Quarterdeck: a terminal fleet console for Kubernetes.
//!
//! One terminal, many clusters. It keeps live watches on all of them at once and shows health,
//! placement, scaling and cost in panes, with actions such as drain and failover. This page is the
//! map of the house.
//!
//! # Rooms and ranks
//!
//! Imports point to a lower rank only; `tests/it/architecture.rs` enforces it.
//!
//! | rank | room | what lives there |
//! |---|---|---|
//! | 0 | [`model`] | ids, quantities, money, time, records, deltas, the fleet |
//! | 1 | [`views`] | pure derivations: findings, placement, capacity, scaling, cost; [`views::Snapshot`], [`views::Sheet`] |
//! | 1 | [`input`] | keys, commands, keymaps |
//! | 1 | [`theme`] | roles, colours, theme files |
//! | 2 | [`operations`] | every write as a [`operations::Plan`]; [`operations::Run`]; arming |
//! | 2 | [`kinds`] | one file per watched kind: its slim object, declared once for protobuf and JSON |
//! | 2 | [`config`] | settings, directories |
//! | 3 | [`cluster`] | kubeconfig, credentials, transport, discovery, access |
//! | 3 | [`store`] | the reducer, history, publishing |
//! | 3 | [`ui`] | panes, overlays, widgets |
//! | 4 | [`watch`] | every watch: a pure machine and what drives it |
//! | 4 | [`runner`] | carries plans out; the journal; reports |
//! | 4 | [`sim`] | the embedded fleet: API servers and controllers in this process |
//! | 5 | [`app`] | puts the rooms together; the main loop; the headless commands |
//!
//! Rooms of rank 0 to 2 but `kinds` and `config`, and `ui`, are pure: they name no client, no
//! runtime, no file, no network and no clock. Time comes in as a value.
//!
//! # Data flow
//!
//! ```text
//! kubeconfig ─ClusterTarget─▶ cluster ─Session─▶ watch ─Delta─▶ store ─Arc<Snapshot>─▶ ui ─Buffer─▶ terminal
//!                                ▲                               │                     │
//!                                └──────── runner ◀── Snapshot ──┘                     │
//!                                            ▲                                         │
//!                                            └── Effect::Run(Plan) ◀─ Command ◀─ keymap ◀─ Key
//! ```
//!
//! Two owners, nothing shared: the store task owns the fleet, the main task owns the screen.
//! Between them is one watch channel of [`views::Snapshot`]. A write never edits the store: it
//! patches the cluster, and the screen changes when the watch says so.
//!
//! # How to add …
//!
//! - **a pane**: a function that makes a [`views::Sheet`], and a line in `app/registry.rs`; to print
//!   it, too, a word in `app/cli.rs` (`View`) and its kinds and sheet in `app/headless/get.rs`;
//! - **a kind**: its variant in [`model::Kind`], `kinds/x.rs`, and a line in [`kinds::ALL`];
//! - **an operation**: `operations/x.rs`, and a line in [`operations::ALL`];
//! - **a rule** that finds what is wrong, or **an observer** of what happens: an implementation of
//!   [`views::Rule`] or [`views::Observer`], and a line in `app/registry.rs`;
//! - **a theme or a keymap**: a TOML file;
//! - **a command**: a line in the command table of [`input`].
//!
//! # Glossary
//!
//! Fleet, Cluster, Session (a connection), Link (health of a connection), Kind, Object (borrowed,
//! lives for one decode), Record (what the store keeps of it), Delta, Snapshot, View (a
//! derivation), Sheet (what a pane shows), Symptom (something wrong with one object), Finding
//! (symptoms folded by cause), Signal (something that happened), Pane, Overlay, Command, Scope,
//! Effect, Operation, Plan, Step, Run, Drill, Tone (meaning of a colour), Role (theme slot).

pub mod app;
pub mod cluster;
pub mod config;
pub mod input;
pub mod kinds;
pub mod model;
pub mod operations;
pub mod runner;
pub mod sim;
pub mod store;
pub mod theme;
pub mod ui;
pub mod views;
pub mod watch;
