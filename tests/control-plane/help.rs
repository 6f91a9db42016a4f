//! What `--help` says beyond options; its lines fit a terminal of 80 columns.

/// What building and starting takes.
pub(crate) const COSTS: &str = "\
Costs, measured on two cores that others used too. A build is done once for this
machine; Go downloads modules first. A start from the cache takes seconds.

                              build (CPU)   on disk
  1.36, etcd, kubectl, KWOK        12 min   406 MiB
  1.35                              5 min   256 MiB
  1.34                             10 min   256 MiB
  karpenter                         4 min    59 MiB
  metrics-server                    6 min    68 MiB
  keda                             16 min   267 MiB

                              until nodes are there   memory
  one plane                                     5 s   590 MiB
  one of each minor                            10 s   1.6 GiB
  one plane with all controllers               12 s   1.0 GiB

The binaries are in quarterdeck/control-plane below the user's cache directory
and may be removed at any time. `go clean -cache -modcache` frees what building
left behind, about 18 GiB after all of them.";

/// What can be done with the controllers that run beside planes.
const CONTROLLERS: &str = "\
What controllers are given to do:

  karpenter       On planes that look like EKS: a pool `burst`, and a Deployment
                  that runs on nothing else. `scale eks-use1 burst/render 12`
                  makes nodes, `scale eks-use1 burst/render 1` gives them up.
  metrics-server  Usage, which KWOK makes up from annotations of pods. After
                  `load eks-use1 shop/web 400m` the autoscaler of --seed small
                  makes pods within a minute.
  keda            Orders, and a Deployment that packs two of them a pod.
                  `scale eks-use1 queue/orders 8` wakes it and makes four pods
                  of it, `scale eks-use1 queue/orders 0` puts it to sleep.";

/// What can be typed while planes run.
pub(crate) const COMMANDS: &str = "\
stop PLANE                 kill the API server; its port refuses
start PLANE                start it again, with the data it had
freeze PLANE               connections stay open, nothing answers
thaw PLANE                 go on
revoke-pods PLANE [USER]   take the right to read pods from a user (viewer)
grant-pods PLANE [USER]    give it back
nodes PLANE COUNT          add nodes
scale PLANE DEPLOYMENT N   replicas of a Deployment (NAMESPACE/NAME)
load PLANE DEPLOYMENT CPU  what each of its pods uses from now on (400m)
pids                       processes
help, quit";

/// What can be done with planes that run.
pub(crate) fn planes() -> String {
    format!("{CONTROLLERS}\n\nCommands, one a line, while planes run:\n\n{COMMANDS}")
}
