//! The classes of faults that a watch must survive, each with the test that injects it.
//!
//! Every test ends with what is shown being what the server has, or with the screen saying why it
//! is not; none allows a panic. Names of the kind `a::b` are tests elsewhere in this repository.
//!
//! | class | test |
//! |---|---|
//! | 1 reset while idle | [`connections::reset_while_idle`] |
//! | 2, 3 cut inside a line, or a chunk | `watch::a_watch_that_is_cut_goes_on_from_where_it_was`, [`connections::a_list_that_is_cut_off_begins_again`] |
//! | 4 half-open | `embedded::a_silent_server_is_noticed_and_comes_back`, `cluster::transport::a_dead_link_is_noticed_within_fifteen_seconds`, [`connections::a_server_that_never_answers_a_request`] |
//! | 5 loss one way | `embedded::a_server_whose_answers_get_lost_is_noticed_and_comes_back` |
//! | 6 a byte a second | [`connections::a_list_that_trickles_in_gives_its_turn_back`] |
//! | 7 a slow line | [`way::class_07_a_slow_line_is_live_and_stays_so`], [`connections::a_slow_list_is_waited_for`] |
//! | 8 five seconds of latency | [`way::class_08_a_far_server_is_live_and_stays_so`]; without pings, [`connections::a_far_server_is_live_all_the_same`] |
//! | 9, 11–13, 15, 56–58 names, TLS, proxies, credentials, kubeconfigs, descriptors | `faults`, beside this room |
//! | 10 refused | `watch::a_cluster_that_was_never_reached_says_why` |
//! | 14 GOAWAY, RST_STREAM | `cluster::transport::a_connection_that_is_ended_is_made_again`, [`way::class_14_answers_that_are_broken_off_are_asked_for_again`] |
//! | 15 a captive portal | `watch::a_login_portal_is_not_taken_for_an_empty_cluster` |
//! | 16 sleep | `watch::after_sleep_everything_is_old_until_it_is_asked_again` |
//! | 17, 18 429 | [`answers::busy_servers_are_asked_when_they_say`] |
//! | 19 401 | `watch::a_refused_login_is_the_clusters_state`, [`answers::refusals_heal`] |
//! | 20 403 | [`answers::a_server_that_forbids_everything_is_asked_seldom_and_heals_when_asked`], `watch::a_kind_that_is_denied_says_so_and_the_others_go_on`, [`answers::what_is_taken_away_is_noticed_when_asked`] |
//! | 21 404 | [`answers::a_kind_that_is_no_longer_served`] |
//! | 22 406 | `watch::servers_without_protobuf_are_read_as_json` |
//! | 23 410 | `watch::a_410_anywhere_leads_to_a_new_list` |
//! | 24 500, 503, 504 | [`answers::refusals_heal`] |
//! | 25, 26 an empty body, a wrong type | [`answers::answers_that_make_no_sense_are_asked_for_again`] |
//! | 27, 28 gzip bombs, many members | [`answers::answers_that_make_no_sense_are_asked_for_again`], every list of these tests |
//! | 29–31, 33, 34, 36–38 garbled, unknown, unversioned and older events | [`stream::events_that_cannot_be_believed_lead_to_one_list`] |
//! | 32 a line without end | [`stream::a_line_without_end_is_given_up`] |
//! | 34 ERROR 500 | [`stream::an_error_event_resumes`] |
//! | 35, 39, 40 duplicates, changes of the unknown | [`stream::odd_events_do_no_harm`] |
//! | 41 another uid without a DELETE | [`stream::another_object_under_the_same_name_takes_its_place`] |
//! | 42 a lost event | [`stream::what_was_lost_is_found_by_an_audit`] |
//! | 43, 45 no bookmark, nothing at all for ten minutes | [`stream::ten_minutes_of_silence`] |
//! | 44 an initial list without end | [`stream::streaming_lists_are_used_where_they_are_compressed`] |
//! | 46 a storm | [`stream::a_storm_is_weathered`] |
//! | 47 an object of 19 MB | [`stream::a_huge_object_is_read`] |
//! | 48 a server that ignores the limit | [`answers::a_server_that_ignores_the_limit`] |
//! | 49 an object on two pages | [`answers::an_object_on_two_pages_is_one`] |
//! | 50 tokens that lead in a circle | [`answers::tokens_that_lead_in_a_circle_are_not_followed`], `watch::machine::tests::listing::pages_that_lead_in_a_circle_are_not_followed` |
//! | 51, 53 restored, replaced | `watch::a_restored_or_replaced_server_voids_what_was_known`, [`stream::a_restore_behind_a_silent_stream`], [`answers::a_restore_that_comes_with_an_upgrade_is_noticed`], `store::tests::what_a_restored_server_does_not_have_any_more_goes_with_its_first_list` |
//! | 52 a replica that lags | [`answers::a_replica_that_lags_is_waited_for`], `store::audit::tests::a_list_from_before_it_began_brings_nothing_back` |
//! | 54, 55 the server, or a version of a kind, changes | [`answers::an_upgrade_is_noticed`] |
//! | 59 the disk is full | tests of `runner::journal` |
//! | 60 signals and terminals | the binary `tests/pty` |

mod answers;
mod connections;
mod stream;
mod way;

use quarterdeck::model::{Fleet, Kind};

use super::server::{Misdeed, Server};
use super::view::{View, live, names};

/// Whether exactly these pods are shown, and live.
fn shows(wanted: &[&str]) -> impl Fn(&Fleet) -> bool {
    move |fleet| names(&fleet.clusters[0], Kind::Pod) == wanted && live(&fleet.clusters[0], Kind::Pod)
}

/// A server with three pods.
async fn three() -> Server {
    let server = Server::start().await;
    ["a", "b", "c"].iter().for_each(|name| server.put("pods", name));
    server
}

/// A server that does this once to a request with this text, and a view of it.
async fn with(containing: &'static str, misdeed: Misdeed) -> (Server, View) {
    let server = three().await;
    server.once(containing, misdeed);
    let view = View::open(&server.kubeconfig());
    (server, view)
}

/// How often the pods were listed from the beginning.
fn lists(server: &Server) -> usize {
    server.count("/pods?limit=2500") - server.count("/pods?limit=2500&continue=")
}
