//! Faults: servers, proxies, plugins, files and machines that misbehave, each a named case.
//!
//! Sixty classes, each with the tests that inject it. Every test ends with what is shown being what the
//! server has, or with the screen saying why it is not; none allows a panic. A name without a path is a
//! row of [`every`], which runs the embedded fleet's own faults over TLS, HTTP/2 and protobuf while
//! another cluster stays right: `every: half-open`. Names of the kind `a::b` are tests elsewhere: `watch`
//! is beside this room, `cluster` and `runner` are in `src`.
//!
//! | class | fault | where |
//! |---|---|---|
//! | 1 | reset while idle | every: reset, reset-of-pods; [`transport::class_01_a_reset_while_idle_costs_nothing`], `watch::faults::connections::reset_while_idle` |
//! | 2 | reset in the middle | every: reset-midway, reset-midway-of-pods; [`transport::class_02_a_reset_in_the_middle_is_an_error`], `watch::a_watch_that_is_cut_goes_on_from_where_it_was` |
//! | 3 | end in the middle of a chunk | every: close-midway, close-midway-of-pods; [`transport::class_03_an_end_in_the_middle_of_a_chunk_is_an_error`], `watch::faults::connections::a_list_that_is_cut_off_begins_again` |
//! | 4 | half-open | every: half-open, half-open-of-pods; [`transport::class_04_a_link_that_falls_silent_is_given_up`], `embedded::a_silent_server_is_noticed_and_comes_back` |
//! | 5 | loss one way | every: one-way, one-way-of-pods; `embedded::a_server_whose_answers_get_lost_is_noticed_and_comes_back` |
//! | 6 | a byte a second | every: trickle; [`transport::class_06_an_answer_that_trickles_runs_out_of_time`], `watch::faults::connections::a_list_that_trickles_in_gives_its_turn_back` |
//! | 7 | a slow line | every: slow, slow-for-pods; `watch::faults::way::class_07_a_slow_line_is_live_and_stays_so` |
//! | 8 | five seconds of latency | every: latency, late-for-pods; `watch::faults::way::class_08_a_far_server_is_live_and_stays_so`, `watch::faults::connections::a_far_server_is_live_all_the_same` |
//! | 9 | no such host | [`course::class_09_a_name_stops_resolving_and_resolves_again`], [`course::class_09_a_name_that_does_not_resolve_is_one_cluster_s`], [`transport::class_09_a_name_that_does_not_resolve`] |
//! | 10 | connection refused | every: refusing, refusing-pods; [`transport::class_10_nothing_listens`], `watch::a_cluster_that_was_never_reached_says_why` |
//! | 11 | TLS handshake hangs | every: handshake-hangs; [`transport::class_11_a_handshake_that_hangs_is_given_up`] |
//! | 12 | another CA, in the middle of a day | every: new-authority; [`transport::class_12_13_certificates_are_told_apart`] |
//! | 13 | certificate expired, or not valid yet | every: certificate-expired, certificate-too-new; [`transport::class_12_13_certificates_are_told_apart`] |
//! | 14 | GOAWAY, RST_STREAM, one stream at a time | every: go-away, reset-stream, one-stream, go-away-from-pods; [`transport::class_14_a_server_that_says_goodbye_is_asked_anew`], [`transport::class_14_one_stream_at_a_time_serves_everybody`] |
//! | 15 | proxy 407 and 502, captive portal, redirect | every: captive-portal; [`transport::class_15_proxies_that_refuse`], [`transport::class_15_portals_and_redirects_are_no_answers`] |
//! | 16 | sleep of 1, 10, 120 minutes | [`course::class_16_a_connection_in_the_making_is_given_up_after_sleep`], [`course::class_16_versions_that_expired_while_the_machine_slept`], `watch::after_sleep_everything_is_old_until_it_is_asked_again` |
//! | 17 | 429 with `Retry-After` | every: busy-for-a-second, busy-oddly, busy-for-ever; `watch::faults::answers::busy_servers_are_asked_when_they_say` |
//! | 18 | 429 without | every: busy |
//! | 19 | 401 once, 401 for ever | every: unauthorized-once, unauthorized; [`login::class_19_a_login_refused_once_is_repeated_once`], [`login::class_19_a_login_refused_for_ever_does_not_loop`] |
//! | 20 | 403 for one kind, one namespace, all | every: forbidden-pods, forbidden; [`course::class_20_what_may_not_be_read_in_one_namespace_is_said`] |
//! | 21 | 404: a kind is not served any more | every: not-found; `watch::faults::answers::a_kind_that_is_no_longer_served` |
//! | 22 | 406 | every: no-protobuf, not-acceptable; [`course::class_22_a_server_without_protobuf_is_read_as_json`] |
//! | 23 | 410 on a list, a further page, a watch | every: expired, expired-pages, expired-once; [`course::class_23_24_first_answers_that_fail_are_asked_for_again`], `watch::a_410_anywhere_leads_to_a_new_list` |
//! | 24 | 500, 503, 504 | every: error-500, error-503, error-504-of-probes; `watch::faults::answers::refusals_heal` |
//! | 25 | 200 with nothing in it | every: empty-body, empty-everything |
//! | 26 | a wrong type | every: wrong-type, protobuf-called-json, json-called-protobuf |
//! | 27 | gzip bomb | every: gzip-bomb; the limit itself: tests of `watch::inflate`; its memory: [`limits::class_27_32_47_what_is_too_large_is_not_held`] |
//! | 28 | many gzip members | every: gzip-members, streams; [`course::class_28_44_lists_come_as_compressed_streams_where_servers_offer_that`] |
//! | 29 | truncated line or frame | every: truncated-line |
//! | 30 | garbage | every: garbage-line |
//! | 31 | no UTF-8 | every: invalid-text |
//! | 32 | a line without end | every: endless-line; its memory: [`limits::class_27_32_47_what_is_too_large_is_not_held`] |
//! | 33 | unknown type | every: unknown-type |
//! | 34 | ERROR 410, 500, without a code, without a Status | every: error-event, error-event-500, error-event-no-code, error-event-no-status |
//! | 35 | an event twice | every: duplicate |
//! | 36 | two events swapped | every: reorder |
//! | 37 | an older version | every: older-version |
//! | 38 | a version that is missing, no number, too large | every: no-version, version-of-words, version-overflow |
//! | 39 | MODIFIED of the unknown | every: unknown-modified, found by an audit |
//! | 40 | DELETED of the unknown | every: unknown-deleted |
//! | 41 | another uid without a DELETED | every: new-identity; `watch::faults::stream::another_object_under_the_same_name_takes_its_place` |
//! | 42 | a lost DELETED | every: lost-delete, found by an audit; `watch::faults::stream::what_was_lost_is_found_by_an_audit` |
//! | 43 | no bookmark | every: no-bookmarks; `watch::faults::stream::ten_minutes_of_silence` |
//! | 44 | an initial list without end | every: no-initial-end; [`course::class_28_44_lists_come_as_compressed_streams_where_servers_offer_that`], `watch::faults::stream::streaming_lists_are_used_where_they_are_compressed` |
//! | 45 | silence | every: silence; `watch::faults::stream::ten_minutes_of_silence`, `watch::faults::stream::a_restore_behind_a_silent_stream` |
//! | 46 | a storm | [`course::class_46_a_storm_is_weathered`] |
//! | 47 | an object of 20 MB | every: large-object; its memory: [`limits::class_27_32_47_what_is_too_large_is_not_held`] |
//! | 48 | 100,000 items in a page | `watch::faults::answers::a_server_that_ignores_the_limit`, with its memory; every: no-limit |
//! | 49 | an item on two pages | every: repeated-item |
//! | 50 | pages in a circle | every: endless-pages; `watch::faults::answers::tokens_that_lead_in_a_circle_are_not_followed` |
//! | 51 | etcd restored | every: restore; `watch::faults::answers::a_restore_that_comes_with_an_upgrade_is_noticed`, `watch::faults::answers::a_restore_that_was_caught_up_with_is_noticed` |
//! | 52 | a replica that lags | every: lagging; `watch::faults::answers::a_replica_that_lags_is_waited_for` |
//! | 53 | another cluster at the address | every: replaced, replaced-gracefully; [`course::class_53_another_cluster_takes_over_in_good_order`], `watch::a_restored_or_replaced_server_voids_what_was_known` |
//! | 54 | another version of the server | every: version; `watch::faults::answers::an_upgrade_is_noticed` |
//! | 55 | another version of a kind | every: withdrawn; `watch::faults::answers::an_upgrade_is_noticed` |
//! | 56 | plugin hangs, fails, floods, wants a terminal or stdin, gives no, an expired or an endless token | [`workstation::class_56_a_login_that_is_over_fails_and_works_again`], [`login::class_56_plugins_that_fail_are_told_apart`], [`login::class_56_a_plugin_that_hangs_is_ended`], [`login::class_56_a_plugin_has_neither_stdin_nor_terminal`] |
//! | 57 | kubeconfig, token and certificate rewritten, cut short, removed; a server that moved | [`workstation::class_57_a_kubeconfig_is_renewed_cut_and_gone`], [`login::class_57_a_token_that_is_renewed_on_disk_is_read`], [`login::class_57_a_client_certificate_that_is_renewed_on_disk_is_shown`], [`login::class_57_a_client_certificate_that_is_refused_is_read_again`], [`login::class_57_a_token_that_is_written_into_the_kubeconfig_anew_is_read`], [`login::class_57_a_client_certificate_that_is_written_into_the_kubeconfig_anew_is_shown`], [`course::class_57_a_server_that_moved_is_found_after_a_new_start`] |
//! | 58 | few descriptors | [`workstation::class_58_59_60_limits_and_signals_reach_the_process`], [`limits::class_58_few_descriptors_are_enough_for_many_clusters`]; G7 of the bench at 256 and 200 clusters |
//! | 59 | disk full | [`workstation::class_58_59_60_limits_and_signals_reach_the_process`], [`limits::class_59_without_room_for_a_record_nothing_is_written`] |
//! | 60 | signals and terminals | [`workstation::class_58_59_60_limits_and_signals_reach_the_process`]; the binary `tests/pty`: SIGHUP, SIGTERM, SIGINT, SIGSTOP and SIGCONT, ctrl-z, a closed terminal, a storm of sizes, 1x1, TERM=dumb |

mod course;
mod every;
mod limits;
mod login;
pub(crate) mod program;
mod rig;
mod transport;
mod workstation;
