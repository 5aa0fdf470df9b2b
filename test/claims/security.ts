/**
 * The rows of the threat table: what somebody could try, what holds against it, and the tests that show it. Tests that carry
 * their row in the title, `(S9)`, are added to these.
 *
 * `missing`: what no test here holds yet; `notApplicable`: why there is nothing to hold; `differs`: where what holds is not what
 * was asked, and why.
 */
import { by, type Held } from './claim.ts';

export interface Threat {
  /** `9` of S9. */
  readonly row: number;
  readonly threat: string;
  /** What has to hold, in short words. */
  readonly holds: string;
  readonly tests: readonly Held[];
  readonly missing?: string;
  readonly notApplicable?: string;
  readonly differs?: string;
}

const threat = (
  row: number,
  what: string,
  holds: string,
  tests: readonly Held[] = [],
  rest: Pick<Threat, 'missing' | 'notApplicable' | 'differs'> = {},
): Threat => ({ row, threat: what, holds, tests, ...rest });

export const threats: readonly Threat[] = [
  threat(1, 'a token in the environment of the unit, which every user may read', 'from a credential or a file; the environment only with a warning', [
    ...by('config/environment.test.ts', 'that is strong is accepted, with a warning that the environment is no place for it'),
  ]),
  threat(2, 'the token is inherited by engines', 'their environment is made from nothing', [
    ...by('engines/llamacpp.test.ts', "inherits nothing of the daemon's environment"),
    ...by('engines/vllm.test.ts', "has an environment from zero: the engine's own programs first, no hub, no statistics"),
    ...by('actors/launch-detached.test.ts', 'passes on no file that the daemon itself was given'),
  ]),
  threat(3, 'the token in logs, errors, URLs, files', 'its fingerprint of six hex digits, never itself', [
    ...by('http/access.test.ts', 'names the token that let a request in by its fingerprint'),
    ...by('orchestrator/client.test.ts', 'understands a 401 without a body, and never quotes the token'),
    ...by('config/token.test.ts', 'never shows in a mistake'),
    ...by('config/environment.test.ts', 'shows no token and no password'),
    ...by('cli/commands.test.ts', 'asks for a token, or says that it is the wrong one, and never prints it'),
    ...by('observe/sanitise.test.ts', 'of %j is %j'),
  ]),
  threat(4, 'a token guessed by the time that a comparison takes', 'hashes compared in constant time; |t| < 4.5 over 10⁵ guesses'),
  threat(5, 'the API open to the network without a token', 'no start, exit 78', [
    ...by('config/environment.test.ts', 'is required where other machines reach the API, and the line says what to set'),
    ...by('features/security.feature', 'An address that others reach needs a token, and the refusal says what to set'),
    ...by('http/access.test.ts', 'serves nobody on an address that others reach'),
  ]),
  threat(6, 'a weak token or a placeholder', 'at least 16 characters, no placeholder, where others reach the API', [
    ...by('config/environment.test.ts', 'such as %s is refused there, unshown, and is good enough on loopback'),
    ...by('config/token.test.ts', 'must hold a strong token where other machines reach the API, and a weak one does not replace it'),
  ]),
  threat(7, 'guessing', 'ten wrong tokens a minute and address; nobody who was right is shut out'),
  threat(8, 'DNS rebinding', 'hosts by a list, else 421; pages of others 403; no CORS headers', by('http/access.test.ts', 'refuses %s on loopback'), {
    differs: "an Origin that is the daemon's own is accepted: the page it serves itself",
  }),
  threat(9, 'a page that makes a browser give orders', 'a body that is not application/json is 415, another Origin 403', [
    ...by('http/problems.test.ts', 'takes no order as %s'),
  ]),
  threat(10, 'a handoff file that leads probes elsewhere', 'plain http to loopback or an allowed host, spelled plainly; no redirect, no resolver', [
    ...by(
      'engines/endpoint.test.ts',
      '%j is refused with a sentence',
      'never leads anywhere but to loopback or an allowed host, whatever is written',
    ),
    ...by('actors/ask-engine.test.ts', 'follows no redirect'),
  ]),
  threat(11, 'an engine whose answers are the attack', '256 KiB, a deadline, nothing unpacked', [
    ...by('actors/ask-engine.test.ts', 'reads at most what it was told to', 'does not take headers without end', 'unpacks nothing'),
    ...by('actors/ask-engine.test.ts', 'ends at its deadline when the engine %s'),
  ]),
  threat(12, 'a pool id that is a path', 'one pattern at every border; decoded once', [
    ...by('http/problems.test.ts', 'refuses the malformed id %s', 'decodes the path once'),
    ...by('logs/logs.test.ts', 'is made for pool ids and incarnations only'),
  ]),
  threat(13, 'a pool id that is another unit', 'no escaping, no shell; polkit knows the pattern too', [
    ...by('actors/launch-units.test.ts', 'never becomes a unit of the name %j'),
  ]),
  threat(14, 'a model or a flag that is read as something else', 'argument lists; what begins with - is no path', [
    ...by('engines/llamacpp.test.ts', 'is refused without a model, and for a path that reads as a flag'),
    ...by('engines/custom.test.ts', 'gets its flags filled in once, words it uses itself left alone'),
  ]),
  threat(15, 'flags that open an engine', 'refused by name and by what they are about; unknown ones are mistakes', [
    ...by(
      'engines/llamacpp.test.ts',
      'has %s, which a pool may not set',
      'is denied every flag that names a file of configuration, a URL or a token',
      'are refused where the engine could not be asked what it knows',
    ),
    ...by('engines/vllm.test.ts', 'with %j in flags', 'with %s in env'),
    ...by('engines/sglang.test.ts', 'is refused with %j in flags', 'is refused with %s in env'),
    ...by('engines/tgi.test.ts', 'is refused with %j in flags', 'is refused with %s in env, which is a flag too'),
  ]),
  threat(16, 'a directory that somebody else has prepared', 'owned by root or the daemon, all the way up; else no start, exit 78'),
  threat(
    17,
    'a link, FIFO or device in the place of a file',
    'opened without following or waiting, judged when open',
    [
      ...by(
        'os/read-safely.test.ts',
        'a symbolic link, whatever it points to',
        'a hard link to another file',
        'a FIFO, and it does not wait for its writer',
        'a directory, a device, a socket',
        'a file of another owner',
      ),
      ...by('actors/watch-handoffs.test.ts', 'that is a link to something else is never read'),
      ...by('actors/launch-units.test.ts', 'follows no link that stands where the log should be'),
    ],
    { differs: 'whoever may write to the runtime directory may own a handoff file there: the group decides, not a list of uids' },
  ),
  threat(18, 'a handoff file swapped while it is deleted', 'only the very content that was read is deleted', [
    ...by('actors/watch-handoffs.test.ts', 'A consumed file replaced in the very moment of its deletion is never lost'),
  ]),
  threat(19, 'JSON that is too large, too deep or a prototype', '64 KiB before it is parsed; known keys only', [
    ...by('http/problems.test.ts', 'sees no other prototype in a body'),
    ...by('config/pool-spec.test.ts', 'cannot smuggle a prototype in'),
    ...by('actors/parse-handoff.test.ts', 'takes nothing from __proto__ and leaves nobody changed'),
    ...by(
      'config/pools-file.test.ts',
      'such as nesting without end is refused in few lines',
      'such as one that multiplies itself is refused quickly',
    ),
  ]),
  threat(20, 'numbers that are none', 'whole, and in their range', [
    ...by('actors/parse-handoff.test.ts', 'refuses %s as a number', 'never throws, and lets no number through that is not a whole one in range'),
  ]),
  threat(
    21,
    'an engine binary that was swapped',
    'a release is known by the digests of all its files, looked at before it is run',
    [
      ...by('provisioning/install-engine.test.ts', 'that was written to is not run: it is fetched again (row 72)', 'is what has another digest'),
      ...by('provisioning/fetch-model.test.ts', 'is digest_mismatch where it is not what was asked for, and nothing of it stays (row 72)'),
    ],
    { differs: 'between that look and its start only root and the user of the daemon could swap it; an engine of mode external is believed' },
  ),
  threat(
    22,
    'an archive that unpacks elsewhere',
    'files and folders below its own directory, within limits; links only to files in it, and of a Python environment to its interpreter',
    [
      ...by(
        'provisioning/unpack.test.ts',
        'of which an entry %s',
        'as zip, of which an entry %s',
        'that is a bomb, by its ratio, its size or its number of entries',
        'nothing is written outside of its folder, and nothing but files and folders in it',
      ),
      ...by('provisioning/environment.test.ts', 'may not lead to %s', 'have a name that nothing else has, and nothing below it'),
      ...by('provisioning/move-environment.test.ts', 'is refused, and nothing of it is ever in the store'),
    ],
  ),
  threat(23, 'a malicious GGUF', 'fetched by digest; the daemon reads its header within limits; the engine is in a sandbox', [
    ...by('provisioning/fetch-model.test.ts', 'is digest_mismatch where it is not what was asked for, and nothing of it stays (row 72)'),
    ...by('system/systemd/units.test.ts', 'an engine sees of the state its own log and nothing else'),
  ]),
  threat(
    24,
    'models that are programs, engines that listen everywhere',
    'only safetensors and GGUF are fetched, folders of pickles are refused; the unit listens on and reaches loopback only',
    [...by('provisioning/hub.test.ts', 'is its safetensors and what belongs to them, verified one by one, never pickles')],
    {
      missing:
        "the unit's filter of addresses was not seen at work: systemd filters only where there is cgroup v2 alone, and its test is skipped elsewhere",
    },
  ),
  threat(25, 'an engine that listens on all addresses', 'always told its address, loopback unless the pool has a key', [
    ...by('engines/llamacpp.test.ts', 'says everything that matters, for one GPU'),
    ...by('engines/vllm.test.ts', 'says everything that matters, with its fraction of the card from what was granted'),
    ...by('engines/sglang.test.ts', 'says everything that matters, with the fraction for weights and KV cache alone'),
    ...by('config/pools-file.test.ts', 'of an address that other machines reach without a key'),
    ...by('features/security.feature', 'An engine that others reach needs a key of its own'),
  ]),
  threat(
    26,
    'prompts read from an engine by its neighbours',
    'a key file for the engine; variables that show prompts refused',
    [...by('engines/llamacpp.test.ts', 'is refused with %s in env')],
    { differs: 'the key is the operator’s, in `api_key_file`: clients speak to engines directly and must know it' },
  ),
  threat(27, 'a local user who uses an engine directly', 'the same key; documented'),
  threat(28, 'a polkit rule that gives too much', 'four verbs on engine units, an explicit no to all else'),
  threat(29, 'secrets in core dumps', 'no cores of daemon and engines', [], {
    differs: "Node's diagnostic reports are off unless NODE_OPTIONS asks for them, and no endpoint makes heap snapshots",
  }),
  threat(30, 'metrics that tell too much', 'on loopback; no paths, prompts or tokens in labels', [
    ...by('http/metrics-port.test.ts', 'serves metrics on a port of their own without a token, and nothing else'),
  ]),
  threat(31, 'a debugger opened by SIGUSR1', 'nothing happens'),
  threat(32, 'a package that runs at its installation', 'none does; each is known by its hash; no native addon', [
    ...by('os/notify.test.ts', 'speaks through systemd-notify where Node has no ffi'),
  ]),
  threat(33, 'odd HTTP', 'refused by the parser, answered in our shape; nothing smuggled', [
    ...by(
      'http/hostile-clients.test.ts',
      'refuses %s',
      'reads no second request out of a smuggled body of %s',
      'answers the unknown method %s with 405',
      'answers headers of more than 8 KiB with 431',
      'that trickle headers are cut off with 408',
      'that trickle a body are cut off with 408',
      'beyond the limit are turned away and come in when there is room',
    ),
  ]),
  threat(34, 'lines in the log that somebody else wrote', 'one line in, one line out; 8 KiB at most', [
    ...by(
      'logs/lines.test.ts',
      'remain one line whatever bytes are in them',
      'are never longer than 8 KiB, not by escaping either, and end on whole characters',
    ),
  ]),
  threat(35, 'a forged answer of the control plane', 'https but on loopback; no redirect; only known fields count', [
    ...by('config/environment.test.ts', 'over plain http is refused on another machine unless that is allowed'),
    ...by('orchestrator/client.test.ts', 'follows no redirect, so that the token stays where it belongs'),
    ...by('orchestrator/client.test.ts', 'takes a body that is no answer for no answer, and an interval that is no number for none'),
    ...by(
      'os/tls-fetch.test.ts',
      'believes the authority it was given, and no other',
      'believes no certificate that has ended or is of another name',
    ),
  ]),
  threat(36, 'a clock that is set', 'nothing about access asks for the time of day'),
  threat(
    37,
    'pools without end',
    '1000 pools, 64 KiB a body, 256 connections, 64 streams',
    [
      ...by('config/pools-file.test.ts', 'such as more than 1000 pools is refused; 1000 are not'),
      ...by('http/hostile-clients.test.ts', 'are refused by what they announce, before a byte of them is read'),
      ...by('http/streams.test.ts', 'has room for so many clients and tells the next one to wait'),
      ...by('provisioning/fetch-model.test.ts', 'is enough for all who want the same, who hear the same and may leave'),
    ],
    { differs: 'what is fetched is fetched once for all who want it, not one job for each GPU' },
  ),
  threat(38, 'an engine that writes to the daemon’s state', 'another user; state 0700; specs read-only'),
];
