/**
 * The rows of the fault table: what may happen, the figure to hold, and the tests that hold it. Tests that carry their row in
 * the title, `(row 9)`, and scenarios that carry it as a tag, `@fault-9`, are added to these.
 *
 * `missing`: what no test here holds yet; `elsewhere`: what cannot be tried on a machine like those that run the tests, and why.
 */
import { by, type Held } from './claim.ts';

export interface Fault {
  readonly row: number;
  readonly fault: string;
  /** What has to hold, in short words. */
  readonly holds: string;
  readonly tests: readonly Held[];
  readonly missing?: string;
  readonly elsewhere?: string;
}

const fault = (row: number, what: string, holds: string, tests: readonly Held[] = [], rest: Pick<Fault, 'missing' | 'elsewhere'> = {}): Fault => ({
  row,
  fault: what,
  holds,
  tests,
  ...rest,
});

export const faults: readonly Fault[] = [
  fault(1, 'daemon restarted or upgraded while engines serve', 'engines keep pid and InvocationID in every restart'),
  fault(2, 'daemon killed', 'SIGKILL to READY within 1 s at the median', [
    ...by('actors/launch-detached.test.ts', 'leaves its engine running, and the next one identifies it, sees its end and can end it'),
    ...by('e2e/crash-and-restart.test.ts', 'leaves its engines and their requests alone when it is killed'),
  ]),
  fault(3, 'daemon killed while it starts or adopts', 'no engine lost, none twice, restart counts never less', [
    ...by(
      'actors/launch-detached.test.ts',
      'before the record was written leaves nothing',
      'has the record on disk before the first instruction of the engine',
    ),
  ]),
  fault(4, 'engines in the control group of the daemon', 'engines are units of their own: a restart of the daemon leaves them', [
    ...by('system/systemd/daemon-life.test.ts', 'restarts (row 1)'),
  ]),
  fault(5, 'KillMode=process as a shortcut', 'only where there are no rights to units, and logged'),
  fault(6, 'output of an engine is a pipe to the daemon', 'output goes to a file; no descriptor of the daemon is inherited', [
    ...by(
      'actors/launch-detached.test.ts',
      'gives it a session of its own, the planned environment, and no file but its three and the FIFO',
      'passes on no file that the daemon itself was given',
    ),
  ]),
  fault(7, 'event loop of the daemon blocked', 'watchdog ends it; back within 20 s, engines alive', [
    ...by('os/notify.test.ts', 'is fed three times an interval while all is well, and not at all otherwise'),
  ]),
  fault(8, 'Node has no datagram socket of Unix', 'sd_notify from the own pid', [
    ...by('os/notify.test.ts', 'is heard from its own pid over a socket with a %s', 'speaks through systemd-notify where Node has no ffi'),
  ]),
  fault(9, 'READY lost to a full queue', 'none lost'),
  fault(10, 'configuration reloaded', 'reload returns when applied; an invalid file keeps the old one', [
    ...by('e2e/pools-file.test.ts', 'that is not valid changes nothing, is named by the node until it is, and is read again on SIGHUP'),
  ]),
  fault(
    11,
    'slow start with many engines on a sick GPU',
    'READY within 2 s whatever engines do',
    by('machines/node.test.ts', 'waits for adoptions before it registers, and for slow ones no longer than two seconds'),
  ),
  fault(12, 'requests refused while the daemon restarts', 'none refused', [
    ...by('os/notify.test.ts', 'serves in the process that got it and is closed in its children'),
  ]),
  fault(13, 'restart storm of the daemon', 'left alone after ten starts'),
  fault(
    14,
    'engine killed by the kernel for want of memory',
    'told as oom_killed; the daemon goes on',
    [
      ...by('actors/ending.test.ts', 'is seen to be killed by the kernel, with its numbers'),
      ...by('os/oom-kill.test.ts', 'is told by two lines of the kernel, or by either'),
    ],
    { elsewhere: "what systemd's OOMPolicy does needs a host with cgroup v2 alone" },
  ),
  fault(15, 'engines inherit the OOM score of the daemon', 'daemon at most −500, engines at least 0'),
  fault(16, 'a pid used again', 'no signal to a foreign process, whatever records say', [
    ...by(
      'actors/end-tree.test.ts',
      'is never signalled, whatever records say of it',
      'that got the pid of a dead engine is told apart, and its boot is asked first',
    ),
    ...by('actors/engine-life.test.ts', 'a foreign process with the recorded pid is a stranger and lives on'),
  ]),
  fault(17, 'a zombie looks alive', 'a dead engine is seen within a probe', [
    ...by('os/process-facts.test.ts', 'is dead as a zombie, which kill(pid, 0) does not tell'),
  ]),
  fault(18, 'reading cmdline, environ or maps of a hung process blocks', 'no such read in the code'),
  fault(19, 'children of an engine outlive it', 'none left', [
    ...by('actors/end-tree.test.ts', 'ends a child in a session of its own that ignores SIGTERM', 'ends what the root left behind when it crashed'),
  ]),
  fault(20, 'an engine ignores SIGTERM', 'gone within its grace and 2 s', [
    ...by('actors/end-tree.test.ts', 'that ignores SIGTERM is killed after the grace, not before'),
  ]),
  fault(21, 'an engine that cannot be killed', 'its GPUs are quarantined, other pools serve on', [
    ...by('actors/end-tree.test.ts', 'reports survivors when KILL has no effect'),
    ...by('machines/pool/draining.ts', 'is reported with its processes, its GPUs are quarantined, and nothing is started until it is gone'),
  ]),
  fault(22, 'SIGKILL with a GPU context freezes the GPU', 'TERM first and a long grace; KILLs below 1 % of stops', [
    ...by('actors/end-tree.test.ts', 'that obeys takes milliseconds and no KILL'),
    ...by('e2e/bad-input.test.ts', 'one that ignores SIGTERM is killed'),
  ]),
  fault(23, 'VRAM is not back when the next engine starts', 'no start before; vram_not_released at the limit', [
    ...by(
      'actors/await-release.test.ts',
      'is not back at the limit: says how much is held',
      'is back when no process of the pool is on the card and what is in use is explained',
    ),
    ...by('machines/pool/draining.ts', 'blocks the pool, also with a new spec, and quarantines its GPUs'),
  ]),
  fault(24, 'an engine crashes in a loop', 'waits double to a minute; eight starts in ten minutes, then minutes', [
    ...by(
      'machines/restart.test.ts',
      'doubles from a second to a minute and stays there',
      'opens at the eighth start within ten minutes, and not at the seventh',
    ),
  ]),
  fault(25, 'the wall clock jumps', 'no transition for it', by('machines/restart.test.ts', 'counts starts of this boot only')),
  fault(26, 'the daemon forgets backoff and drains', 'a drain goes on to the same deadline', [
    ...by('e2e/crash-and-restart.test.ts', 'is followed by one that goes on where its engines were'),
    ...by('machines/pool/adopting.ts', 'draining: with what is left of its deadline, and no second order'),
  ]),

  fault(27, 'nvidia-smi hangs', 'told within 3 s; one stuck child at most', [
    ...by('gpu/nvidia-smi.test.ts', 'has one stuck child at most, and reads then answer at once (%s)'),
  ]),
  fault(28, 'a call of NVML hangs', 'told by the deadline; one stuck process at most, and never in the daemon itself'),
  fault(30, 'a sick driver restarts the daemon in a loop', 'a hung probe is data: it is shown with its age'),
  fault(31, 'result codes of the driver', 'all 32 are known'),
  fault(
    32,
    'an Xid is logged',
    "the card's pools are down within 2 s, the others' engines keep their pids",
    by('machines/xids.test.ts', 'says %s for each of its numbers'),
  ),
  fault(33, 'a card falls off the bus without an Xid', 'seen'),
  fault(34, 'a card is marked and never comes back', 'three good looks and nothing left to do'),
  fault(35, 'the driver says what is to be done', 'its word comes before the table', [
    ...by('machines/gpu.test.ts', 'recovers without a reset where the driver says that none is needed: its word comes before the table'),
    ...by('machines/gpu.test.ts', 'takes the word of the driver that follows an error, in the log or at a look'),
  ]),
  fault(39, 'an engine puts part of its model on the host', 'never ready, and ended when it happens later', [
    ...by('actors/prove-readiness.test.ts', 'shows what its processes hold beside what it says, and is not ready where that is too little'),
    ...by('actors/residency.test.ts', 'measures at its interval, and takes two violations in a row for one'),
  ]),
  fault(40, 'an error of one MIG slice', 'its siblings go on', [], { missing: 'a real MIG card' }),
  fault(42, '/dev/nvidia-uvm is missing', 'no engine is started; told, with what makes it'),

  fault(44, 'healthy to ask, dead to work', 'out of ready within 60 s', [
    ...by('actors/probe-health.test.ts', 'is wedged once its work has stood still for long, and not a moment while it moves'),
    ...by('e2e/bad-input.test.ts', 'an engine that hangs is drained for its health and started again'),
  ]),
  fault(45, 'a busy engine taken for dead', 'slow is busy; three misses in a row', [
    ...by('actors/probe-health.test.ts', 'that answers slowly is busy, not dead'),
    ...by('machines/pool/serving.ts', 'a busy engine is not a failure'),
  ]),
  fault(46, 'probes pile up', 'two connections to an engine at most'),
  fault(47, 'scraping /metrics disturbs its numbers', 'asked only when emptying with idle slots', [
    ...by('engines/llamacpp.test.ts', 'is asked for the queue only when emptying and every slot is idle'),
  ]),
  fault(48, 'loading takes minutes', 'what gets on is left alone; what stalls is ended', [
    ...by('actors/engine-life.test.ts', 'says nothing while %s', 'says once that nothing moves', 'says nothing while its VRAM grows'),
  ]),
  fault(
    49,
    'readiness claimed too early',
    'ready only after one token',
    by('actors/prove-readiness.test.ts', 'without %s is not: %s, and the proof is named'),
  ),
  fault(50, 'a drain loses requests', 'none cut before the deadline', [
    ...by('e2e/real-engine.test.ts', 'a drain under load cuts no request, and leaves nothing of the engine'),
    ...by('e2e/control-plane.test.ts', 'knows of a drain before the engine is told to end'),
  ]),
  fault(
    51,
    'a drain never ends',
    'forced at its deadline and counted',
    by('machines/pool/draining.ts', 'is forced at its deadline, and that is counted'),
  ),
  fault(52, 'SIGTERM cuts streams, twice kills', 'told once', by('actors/end-tree.test.ts', 'is done once when asked for twice at once')),
  fault(53, 'free slots are wrong under a queue', 'never above total, none while work waits', [
    ...by('engines/llamacpp.test.ts', 'about its queue: it counts, and while it is not empty no slot is free'),
    ...by('orchestrator/wire.test.ts', 'never says more free than total, a fraction, or a negative number'),
  ]),
  fault(54, 'a sleeping model is healthy', 'flags that let it sleep are refused', by('engines/llamacpp.test.ts', 'has %s, which a pool may not set')),
  fault(55, 'a bad probe ejects every pool at once', 'half of the pools in one round: the host is suspected', [
    ...by('actors/probe-health.test.ts', 'make their host suspected, until too few of them fail alike'),
    ...by('machines/pool/serving.ts', 'that most engines fail at once are waited out for one more, which is said'),
  ]),
  fault(56, 'flapping', 'three misses out, two passes in; out of service once in 30 s', [
    ...by('machines/pool/serving.ts', 'the third miss in a row empties it, and two passes in a row bring it back'),
  ]),
  fault(
    57,
    'the queue of inotify overflows',
    'every file is seen',
    by('actors/watch-handoffs.test.ts', 'filled with thousands of files at once has every one seen'),
  ),
  fault(
    58,
    'the watched directory is made anew',
    'found within an interval',
    by('actors/watch-handoffs.test.ts', 'may be missing, removed and made again'),
  ),
  fault(59, 'limits of inotify', 'polling goes on'),
  fault(60, 'no events on network file systems', 'the rescan alone is enough'),
  fault(
    61,
    'half-written JSON',
    'waited for, then given up',
    by('actors/watch-handoffs.test.ts', 'half written is waited for, and given up when it stays so'),
  ),
  fault(62, "editors' temporary files", 'passed over', by('actors/watch-handoffs.test.ts', 'that is no handoff is left alone: dotfiles, backups')),
  fault(63, 'a handoff of a dead engine', 'never ready', by('machines/pool/starting.ts', 'only a handoff of this incarnation opens the proof')),
  fault(64, 'ready by handoff, then the engine dies', 'probes own readiness', [
    ...by('actors/probe-health.test.ts', 'fails as refused when nobody listens, and as timeout when it takes connections only'),
    ...by('machines/pool/attached.ts', 'leaves ready after three misses or a wedge, and nothing is ended'),
  ]),
  fault(65, 'a full disk in the middle of a state write', 'the old content stays whole', by('os/atomic-file.test.ts', 'the old content stays whole')),
  fault(66, 'power cut between rename and flush of the directory', 'old or new, never mixed', [
    ...by('state/crash-points.test.ts', 'killed at %s leaves the old or the new content, whole', 'those are its crash points'),
  ]),
  fault(67, 'a torn last line of the journal', 'every whole line is read, at every cut', [
    ...by('observe/journal.test.ts', 'cut off at any byte, gives back every whole line and is written on after it'),
  ]),
  fault(68, 'fsync answers EIO', 'told, never retried as if fine', [
    ...by('state/crash-points.test.ts', 'is told as %s, never retried as if fine, and clears up'),
    ...by('actors/keep-memory.test.ts', 'that cannot be written is told at each failure'),
  ]),
  fault(69, 'a state file of another version', 'newer refused untouched, older brought up', [
    ...by('state/codec.test.ts', 'is brought up step by step'),
    ...by('state/files.test.ts', 'of a newer version is set aside untouched, and what to do is said'),
  ]),
  fault(70, 'a corrupt state file', 'set aside; engines kept', [
    ...by('state/files.test.ts', 'A record with a bit flipped, at every byte, is set aside or as it was'),
    ...by('actors/load-state.test.ts', 'do not cost a pool its engine'),
  ]),
  fault(71, 'disk full in a download', 'part file removed, disk_full'),
  fault(72, 'a partial or corrupted download', 'nothing unverified is visible; nine bytes of ten are kept'),
  fault(73, 'hashing 40 GB stalls the loop', 'loop lag below 50 ms'),
  fault(74, 'logs fill the disk', 'below the cap', by('logs/flood.test.ts', 'a flood is bounded on disk and in memory')),
  fault(75, 'two daemons on one node', 'the second exits 75, the first is undisturbed', [
    ...by('os/lock.test.ts', 'A second daemon is refused at once and told the pid of the first, which is undisturbed'),
  ]),
  fault(76, 'control plane down', 'engines serve; registered again within 35 s', [
    ...by('orchestrator/registration.test.ts', 'comes back by itself after the control plane was away'),
  ]),
  fault(
    77,
    'control plane forgot the node',
    'registered again at the next heartbeat',
    by('orchestrator/registration.test.ts', 'registers again as soon as it was forgotten'),
  ),
  fault(78, 'storm of heartbeats after an outage', 'peak at most twice the mean', [
    ...by('machines/backoff.test.ts', 'keeps 200 nodes that restart together under twice the mean rate'),
    ...by('machines/registration.test.ts', 'come at the interval the server names, ±20 %'),
  ]),
  fault(79, 'heartbeats hide a hang', 'the age of the last probe is in them', [
    ...by('orchestrator/wire.test.ts', 'and how long ago the engine was last asked'),
  ]),

  fault(
    86,
    'an engine accepts and never answers',
    'ends at the deadline',
    by('actors/ask-engine.test.ts', 'ends at its deadline when the engine %s'),
  ),
  fault(87, 'descriptors leak', 'as many after 1,000 starts and ends as after one'),
  fault(88, 'an unhandled rejection', 'logged, exit 70, engines live on'),
  fault(89, 'memory leak', 'flat over 1,000 starts and ends', [], { missing: 'a whole day' }),
  fault(90, 'the event loop lags', '/ready 503 above 1 s'),
  fault(91, 'wrong order of a shutdown', 'in order, within 5 s, engines untouched', [
    ...by(
      'machines/node.test.ts',
      'and take them with it waits for every engine, says good-bye, and stops',
      'and keep its engines stops at once and orders nothing',
    ),
  ]),
  fault(92, 'the host shuts down', 'engines are asked before they are killed'),
  fault(93, 'helpers outlive the daemon', 'none after 1 s'),
  fault(94, 'suspend and resume', 'no pool leaves ready because the daemon slept'),
];

/** Of later parts of the work. */
export const laterRows = [29, ...range(36, 38), 41, 43, ...range(80, 85)];

function range(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
