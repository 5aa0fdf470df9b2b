/**
 * GPU facts from `nvidia-smi`, in a child process with a deadline on every call.
 *
 * Decides which queries to make: of a whole look always cards and compute processes; `-q -x` and `-L` for cards in MIG mode, for memory that no
 * compute process explains (a desktop's, for one), and when what changes slowly is wanted. Fields that an older driver does not know are left out and null. Whoever follows has
 * most looks from one process that goes on: `smi-loop.ts`.
 */

import { isCause } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { Cause, GpuDeep, GpuFact, Inventory } from '../machines/vocabulary.ts';
import { helper } from '../os/helper.ts';
import { explain, notInstalled, notUnderstood } from './explain.ts';
import { byReading } from './follow.ts';
import { joinFacts, wantsDetail } from './join-facts.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { type Card, type ComputeApp, type GpuField, gpuFields, type Parsed, parseComputeApps, parseGpus, refusedField } from './parse-csv.ts';
import { parseCudaVersion } from './parse-header.ts';
import { parseList } from './parse-list.ts';
import { parseDetail } from './parse-xml.ts';
import { type ChildResult, type ChildRunner, type ChildRunnerOptions, childRunner, type Stuck } from './run-child.ts';
import { type SmiLoop, smiLoop } from './smi-loop.ts';
import type { Follower, FollowOrder, GpuSource } from './source.ts';

export type NvidiaSmiOptions = Partial<ChildRunnerOptions>;

export const nvidiaSmi = (options: NvidiaSmiOptions = {}): GpuSource => {
  const executable = options.executable ?? 'nvidia-smi';
  const env = options.env ?? process.env;
  let loopStuck: Stuck | null = null;
  const runner = childRunner({ stuckElsewhere: () => loopStuck, ...options, executable, env });
  const tool: Tool = {
    runner,
    executable,
    path: env['PATH'] ?? '',
    fields: [...gpuFields],
    cudaVersion: undefined,
    wantsDeep: false,
    deep: new Map(),
  };
  const loops = new Set<SmiLoop>();
  const read = oneAtATime(async (deadlineMs) => {
    const found = await readAll(tool, deadlineMs);
    // One that waits for its time now would hang as well.
    if (isHang(found)) for (const loop of loops) loop.rest();
    return found;
  });
  const followLoop = (order: FollowOrder): Follower => {
    const loop = smiLoop(
      {
        command: (intervalMs) => helper(executable, [`--query-gpu=${tool.fields.join(',')}`, csv, `--loop-ms=${intervalMs}`], tool.path),
        env: { ...env, LC_ALL: 'C' },
        parse: (lines) => parseGpus(lines, tool.fields),
        wantsMore: () => tool.wantsDeep,
        onStuck: (stuck) => {
          loopStuck = stuck;
        },
        killSignal: options.killSignal ?? 'SIGKILL',
      },
      order,
    );
    loops.add(loop);
    const follower = byReading({ read }, order, loop.pause);
    return {
      look: follower.look,
      stop: () => {
        follower.stop();
        loop.end();
        loops.delete(loop);
      },
    };
  };
  return {
    name: 'nvidia-smi',
    read,
    follow: followLoop,
    wantDeep: () => {
      tool.wantsDeep = true;
    },
    close: () => {
      for (const loop of loops) loop.end();
      runner.close();
    },
  };
};

/** What is kept from one read to the next. */
interface Tool {
  readonly runner: ChildRunner;
  readonly executable: string;
  readonly path: string;
  /** Those this driver answers; all of them again after a failure, since the driver may be another one by then. */
  fields: GpuField[];
  /** Undefined until it was read once. */
  cudaVersion: string | null | undefined;
  wantsDeep: boolean;
  /** By UUID, as last read; kept through failures, since it has its age. */
  deep: ReadonlyMap<string, GpuDeep>;
}

type Ask = (argv: readonly string[]) => Promise<Output | Cause>;

interface Output {
  readonly text: string;
  /** Why the exit status was not 0; rows may stand in `text` all the same. */
  readonly failure: Cause | null;
}

/** nvidia-smi(1), "RETURN VALUE": the facts are complete, a warning comes with them. */
const corruptedInforom = 14;

const csv = '--format=csv,noheader,nounits';

const readAll = async (tool: Tool, deadlineMs: number): Promise<Inventory | Cause> => {
  const until = stamp().mono + deadlineMs;
  const ask: Ask = async (argv) => judge(tool, argv, deadlineMs, await tool.runner.run(argv, until - stamp().mono));
  const read = await readCards(tool, ask);
  if (isCause(read)) return forget(tool, read);

  const apps = await readApps(tool, ask, read.remarks.length > 0);
  if (isCause(apps)) return forget(tool, apps);

  const cards = joinFacts(read.rows, apps.rows, null, []);
  const wanted = tool.wantsDeep || wantsDetail(read.rows, cards);
  // Asked for once: where it fails, the next time is when it is wanted again.
  tool.wantsDeep = false;
  const detailed = wanted ? await withDetail(read.rows, apps.rows, ask, tool) : cards;
  const lacking = 'code' in detailed ? detailed : null;
  if (lacking !== null && read.rows.some((card) => card.migEnabled)) return forget(tool, lacking);

  /** Without MIG only the names of graphics processes are lacking then. */
  const remarks = lacking === null ? read.remarks : [...read.remarks, lacking.message];
  const cudaVersion = await readCudaVersion(tool, ask);
  const driverVersion = read.rows[0]?.driverVersion ?? null;
  const gpus = ('code' in detailed ? cards : detailed).map((fact) => ({ ...fact, deep: tool.deep.get(fact.uuid) ?? null }));
  return { ...stamp(), source: 'nvidia-smi', driverVersion, cudaVersion, gpus, remarks };
};

const forget = (tool: Tool, cause: Cause): Cause => {
  tool.fields = [...gpuFields];
  tool.cudaVersion = undefined;
  return cause;
};

/** Asks again without each field that this driver refuses, at most once per field. */
const readCards = async (tool: Tool, ask: Ask): Promise<Parsed<Card> | Cause> => {
  for (;;) {
    const output = await ask([`--query-gpu=${tool.fields.join(',')}`, csv]);
    if (isCause(output)) return output;
    const refused = refusedField(output.text);
    if (refused === null || refused === 'index' || refused === 'uuid' || !tool.fields.includes(refused)) {
      const parsed = understood(output, (text) => parseGpus(text, tool.fields), `${tool.executable} --query-gpu`);
      if (isCause(parsed) || parsed.rows.length > 0) return parsed;
      return noCards(tool, output.text);
    }
    tool.fields = tool.fields.filter((field) => field !== refused);
  }
};

/** Beside a card that is lost the query fails as a whole; the other cards' facts stand, with the processes that were listed. */
const readApps = async (tool: Tool, ask: Ask, cardLost: boolean): Promise<Parsed<ComputeApp> | Cause> => {
  const output = await ask(['--query-compute-apps=gpu_uuid,pid,used_memory', csv]);
  const tolerant = isCause(output) || !cardLost ? output : { ...output, failure: null };
  return understood(tolerant, parseComputeApps, `${tool.executable} --query-compute-apps`);
};

const withDetail = async (cards: readonly Card[], apps: readonly ComputeApp[], ask: Ask, tool: Tool): Promise<readonly GpuFact[] | Cause> => {
  const xml = await ask(['-q', '-x']);
  if (isCause(xml)) return xml;
  const detail = parseDetail(xml.text);
  if ('mistake' in detail) return xml.failure ?? notUnderstood(`${tool.executable} -q -x`, [detail.mistake]);
  const { at, mono } = stamp();
  tool.deep = new Map(detail.gpus.map(({ uuid, deep }) => [uuid, { ...deep, at, mono }]));
  if (!cards.some((card) => card.migEnabled)) return joinFacts(cards, apps, detail, []);
  const list = await ask(['-L']);
  return isCause(list) ? list : joinFacts(cards, apps, detail, parseList(list.text));
};

/** For display only: not knowing it fails no read. */
const readCudaVersion = async (tool: Tool, ask: Ask): Promise<string | null> => {
  if (tool.cudaVersion !== undefined) return tool.cudaVersion;
  const output = await ask([]);
  if (isCause(output)) return null;
  tool.cudaVersion = parseCudaVersion(output.text);
  return tool.cudaVersion;
};

const judge = (tool: Tool, argv: readonly string[], deadlineMs: number, result: ChildResult): Output | Cause => {
  const command = [tool.executable, ...argv.filter((arg) => arg !== csv).map((arg) => arg.replace(/=.*/, ''))].join(' ');
  switch (result.end) {
    case 'exited': {
      const text = `${result.stdout}\n${result.stderr}`;
      const fine = result.exitCode === 0 || result.exitCode === corruptedInforom;
      const failure = fine ? null : explain({ command, exitCode: result.exitCode, signal: result.signal, output: text });
      return { text: result.exitCode === 0 ? result.stdout : text, failure };
    }
    case 'not_run':
      return notInstalled(tool.executable, tool.path);
    case 'too_much':
      return {
        code: 'driver_error',
        message: `${command} was stopped: it wrote more than ${result.limitBytes} bytes where a few thousand were expected`,
      };
    case 'stuck':
      return hung(command, deadlineMs, result.stuck);
    case 'closed':
      return { code: 'driver_error', message: `${command} was not run to its end: the daemon stops reading the GPUs` };
  }
};

const hung = (command: string, deadlineMs: number, stuck: Stuck): Cause => ({
  code: 'driver_error',
  message: `${command} was expected to answer within ${deadlineMs} ms, but nvidia-smi (pid ${stuck.pid}) hangs since ${new Date(stuck.sinceAt).toISOString()}; no other is started until it is gone; the driver probably hangs: see the kernel log (dmesg | grep NVRM)`,
  details: { pid: stuck.pid, since: new Date(stuck.sinceAt).toISOString(), hanging_ms: Math.round(stamp().mono - stuck.sinceMono) },
});

export const isHang = (read: Inventory | Cause): boolean => isCause(read) && read.details?.['hanging_ms'] !== undefined;

/** Rows count even when the exit status complains (a corrupted InfoROM, one card lost); without rows the complaint does. */
const understood = <Row>(output: Output | Cause, parse: (text: string) => Parsed<Row>, command: string): Parsed<Row> | Cause => {
  if (isCause(output)) return output;
  const parsed = parse(output.text);
  if (parsed.rows.length === 0 && output.failure !== null) return output.failure;
  return parsed.strange.length > 0 ? notUnderstood(command, parsed.strange) : parsed;
};

/** Exit status 0 and no row: `No devices were found`. */
const noCards = (tool: Tool, text: string): Cause =>
  explain({ command: `${tool.executable} --query-gpu`, exitCode: 6, signal: null, output: text.trim() === '' ? 'No devices were found' : text });
