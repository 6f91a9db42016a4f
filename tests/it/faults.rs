//! Servers, proxies and plugins that misbehave, each a named case: the fault classes of the
//! transport and of credentials.
//!
//! A case is named by its class. Those of watches and lists are in `watch`; what needs the inside
//! of a connection is tested beside it, in `src/cluster`.
//!
//! | class | fault | where |
//! |---|---|---|
//! | 1 | reset while idle | [`transport::class_01_a_reset_while_idle_costs_nothing`] |
//! | 2 | reset in the middle of an answer | [`transport::class_02_a_reset_in_the_middle_is_an_error`] |
//! | 3 | end in the middle of a chunk | [`transport::class_03_an_end_in_the_middle_of_a_chunk_is_an_error`] |
//! | 4 | half-open link | [`transport::class_04_a_link_that_falls_silent_is_given_up`] |
//! | 6 | one byte a second | [`transport::class_06_an_answer_that_trickles_runs_out_of_time`] |
//! | 9 | no such host | [`transport::class_09_a_name_that_does_not_resolve`] |
//! | 10 | connection refused | [`transport::class_10_nothing_listens`] |
//! | 11 | TLS handshake hangs | [`transport::class_11_a_handshake_that_hangs_is_given_up`] |
//! | 12 | another CA | [`transport::class_12_13_certificates_are_told_apart`] |
//! | 13 | certificate expired, not valid yet, for another name | the same |
//! | 14 | GOAWAY; one stream at a time | [`transport::class_14_a_server_that_says_goodbye_is_asked_anew`], [`transport::class_14_one_stream_at_a_time_serves_everybody`] |
//! | 15 | proxy 407 and 502, captive portal, redirect | [`transport::class_15_proxies_that_refuse`], [`transport::class_15_portals_and_redirects_are_no_answers`] |
//! | 16 | sleep | `watch::after_sleep_everything_is_old_until_it_is_asked_again` |
//! | 19 | 401 once, 401 for ever | [`login::class_19_a_login_refused_once_is_repeated_once`], [`login::class_19_a_login_refused_for_ever_does_not_loop`] |
//! | 56 | plugin hangs, fails, floods, wants a terminal or stdin, gives no, an expired or an endless token | [`login::class_56_plugins_that_fail_are_told_apart`], [`login::class_56_a_plugin_that_hangs_is_ended`], [`login::class_56_a_plugin_has_neither_stdin_nor_terminal`] |
//! | 57 | files rewritten while running: token, client certificate | [`login::class_57_a_token_that_is_renewed_on_disk_is_read`], [`login::class_57_a_client_certificate_that_is_renewed_on_disk_is_shown`], [`login::class_57_a_client_certificate_that_is_refused_is_read_again`]; the kubeconfig cut short, removed, written anew: [`login::class_57_a_token_that_is_written_into_the_kubeconfig_anew_is_read`], [`login::class_57_a_client_certificate_that_is_written_into_the_kubeconfig_anew_is_shown`] |
//! | 58 | 256 descriptors | `quarterdeck get fleet` against `demo --scenario sized:200x200x2000` holds 203 sockets |

mod login;
mod rig;
mod transport;
