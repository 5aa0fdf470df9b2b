/**
 * The command line: names, options, help and exit codes. Each command is a function of its own in `commands/`.
 *
 * `runCli` never throws and never exits the process; the exit code is its result.
 */
import { Argument, Command, CommanderError } from 'commander';
import { poolsSchema } from './answers.ts';
import { configCheck, configExample, configSchema } from './commands/config.ts';
import { heartbeat, register } from './commands/control-plane.ts';
import { declare } from './commands/declare.ts';
import { drain } from './commands/drain.ts';
import { events } from './commands/events.ts';
import { gpus } from './commands/gpus.ts';
import { inspect } from './commands/inspect.ts';
import { logs } from './commands/logs.ts';
import { pools } from './commands/pools.ts';
import { reload } from './commands/reload.ts';
import { remove } from './commands/remove.ts';
import { resume } from './commands/resume.ts';
import { start } from './commands/start.ts';
import { status } from './commands/status.ts';
import { completionFor, idsCommand, type Shell, shells } from './completion.ts';
import type { CliContext, Session } from './context.ts';
import { CliError, exitCodes } from './exit.ts';
import { examplesOf, generalHelp } from './help.ts';
import { addRemoteOptions, openSession, type RemoteOptions } from './remote.ts';
import { durationMs, wholeNumber } from './words.ts';

const longestTail = 10_000;
const mostEvents = 1_000;
const mostSlots = 1_024;
const mostTokens = 16_777_216;
const mostDevices = 64;
const largestPort = 65_535;
const usualViewer = 'https://stately.ai/inspect';

export const runCli = async (args: readonly string[], context: CliContext): Promise<number> => {
  const ending = new AbortController();
  const outcome = { exitCode: 0 };
  /** The reader of our output went away, as `head` does: nobody is left to tell. It may come after the last write. */
  context.stdout.on('error', () => ending.abort());
  const signal = context.signal === undefined ? ending.signal : AbortSignal.any([context.signal, ending.signal]);
  try {
    await createProgram(context, signal, outcome).parseAsync([...args], { from: 'user' });
    return outcome.exitCode;
  } catch (thrown) {
    return signal.aborted ? exitCodes.ok : report(context, thrown);
  }
};

const report = (context: CliContext, thrown: unknown): number => {
  /** Commander has written its message already. */
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (thrown instanceof CliError) {
    context.stderr.write(`${thrown.exitCode === exitCodes.configuration ? '' : 'pool-managerd: '}${thrown.message}\n`);
    return thrown.exitCode;
  }
  context.stderr.write(`pool-managerd: unexpected failure: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`);
  return exitCodes.internal;
};

/** For completion: says nothing where it has nothing to say. */
const printIds = async (session: Session): Promise<void> => {
  const { pools: known } = await session.api.ask((client) => client.v2.pools.$get()).read(poolsSchema);
  for (const { pool_id } of known) session.print(pool_id);
};

/** Exported for tests, which parse with it and run nothing. */
export const createProgram = (context: CliContext, signal: AbortSignal, outcome: { exitCode: number }): Command => {
  const program = new Command('pool-managerd')
    .description('One daemon per GPU machine: starts inference engines, keeps them alive, and says what it is doing and why.')
    .version(context.version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => context.stdout.write(text), writeErr: (text) => context.stderr.write(text) })
    .showHelpAfterError('(--help tells more)')
    .addHelpText('after', generalHelp);
  addRemoteOptions(program);
  addLocalCommands(program, context, outcome);
  addRemoteCommands(
    (name, summary, act) =>
      addRemoteOptions(program.command(name, { hidden: name === idsCommand }).description(summary)).action(async (...given: unknown[]) => {
        const command = given.at(-1);
        if (!(command instanceof Command)) throw new TypeError('commander gave no command');
        const options = command.optsWithGlobals<RemoteOptions & Options>();
        await act(openSession(context, options, signal), command.args, options);
      }),
    context.env,
  );
  addExamples(program, '');
  return program;
};

const addExamples = ({ commands }: Command, parents: string): void => {
  for (const command of commands) {
    const name = `${parents}${command.name()}`;
    command.addHelpText('after', examplesOf(name));
    addExamples(command, `${name} `);
  }
};

const addLocalCommands = (program: Command, context: CliContext, outcome: { exitCode: number }): void => {
  program
    .command('serve')
    .description('run the daemon; configured by environment variables and the pools file')
    .action(async () => {
      outcome.exitCode = await context.runServe();
    });
  program
    .command('demo')
    .description('a daemon with simulated GPUs, a control plane and an engine, to look at')
    .argument('[args...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (args: string[]) => {
      outcome.exitCode = await context.runDemo({ args });
    });
  program
    .command('replay <file>')
    .description('tells what a journal holds (<state>/journal/events.jsonl) and checks it against the charts (exit 1 where they part)')
    .action(async (file: string) => (await import('./local/replay.ts')).replayFile(context, file));
  program
    .command('explain <file> <seq>')
    .description('what one event of a journal did: transitions taken, guards asked, actions ordered')
    .action(async (file: string, seq: string) =>
      (await import('./local/explain.ts')).explainEvent(context, file, wholeNumber('<seq>', seq, 999_999_999)),
    );
  program
    .command('estimate <model>')
    .description('how much VRAM a model would need, in parts; MODEL: a GGUF file or a folder of safetensors')
    .option('-c, --ctx <tokens>', "context of each slot (default: the model's own, once)")
    .option('-n, --slots <count>', 'requests at once (default: 1)')
    .option('-d, --devices <count>', 'GPUs it is split over (default: 1)')
    .option('-t, --cache-type <type>', 'of keys and values in the KV cache, such as q8_0 or fp8 (default: 16 bits)')
    .option('-e, --engine <name>', 'llamacpp, vllm, sglang or tgi (default: llamacpp for a file, vllm for a folder)')
    .action(async (model: string, _own: Options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const ctx = text(options, 'ctx');
      return (await import('./local/estimate.ts')).estimateModel(context, model, {
        slots: wholeNumber('--slots', text(options, 'slots') ?? '1', mostSlots),
        ctx: ctx === null ? null : wholeNumber('--ctx', ctx, mostTokens),
        devices: wholeNumber('--devices', text(options, 'devices') ?? '1', mostDevices),
        cacheType: text(options, 'cacheType'),
        engine: text(options, 'engine'),
        json: isSet(options, 'json'),
      });
    });
  addStoreCommands(program, context);
  program
    .command('completion')
    .description('completion for your shell; --help tells how to install it')
    .addArgument(new Argument('<shell>', 'bash, zsh or fish').choices(shells))
    .action((dialect: Shell) => {
      context.stdout.write(completionFor(dialect, program));
    });
  const config = program.command('config').description('the pools file, without a daemon');
  config
    .command('check [file]')
    .description('says "ok", or one line per mistake (exit 78); without a file of the one that serve reads: POOL_MANAGERD_CONFIG, or pools.yaml')
    .action((file: string | undefined) => configCheck(context, file ?? null));
  config
    .command('schema')
    .description('the JSON Schema of the pools file')
    .action(() => configSchema(context));
  config
    .command('example')
    .description('a pools file to begin with')
    .action(() => configExample(context));
};

/** The machine, and engines and models on it. */
const addStoreCommands = (program: Command, context: CliContext): void => {
  const local = (name: string, summary: string): Command =>
    program.command(name).description(summary).option('--pools <file>', 'the pools file (default: POOL_MANAGERD_CONFIG, or pools.yaml)');
  const given = (command: Command): Options => command.optsWithGlobals<Options>();
  local(
    'doctor',
    'what of this machine or of its pools file would keep the daemon or its engines from working, each with what to do (exit 1 when something fails)',
  ).action(async (_own: Options, command: Command) => {
    const options = given(command);
    const colour = context.stdout.isTTY === true && context.env['NO_COLOR'] === undefined;
    return (await import('./local/doctor/doctor.ts')).doctor(context, { poolsFile: text(options, 'pools'), json: isSet(options, 'json'), colour });
  });
  local('pull [model]', 'fetch a model, or all engines and models that the pools file names, before anything is started')
    .option('--pool <id>', 'only what this pool needs')
    .option('--checksum <digest>', 'what the model must hash to, as sha256:…')
    .option('-q, --quant <name>', 'quantisation, where the reference leaves a choice')
    .option('-e, --engine <name>', 'engine that it is for, where a repository has several forms of it')
    .action(async (model: string | undefined, _own: Options, command: Command) => {
      const options = given(command);
      const word = (name: string): string | null => text(options, name);
      await (await import('./local/pull.ts')).pull(context, model ?? null, {
        poolsFile: word('pools'),
        pool: word('pool'),
        checksum: word('checksum'),
        quant: word('quant'),
        engine: word('engine'),
        json: isSet(options, 'json'),
      });
    });
  local('provision', 'carries what pools need to a machine without a network: --export there, --import here')
    .option('--export <path>', 'write it into one file, or into a folder where the path ends with /')
    .option('--all', 'with --export: all that was fetched, whoever uses it')
    .option('--import <path>', 'take in what --export wrote')
    .option('--expect <digest>', 'with --import: what the export said of itself, as sha256:…')
    .action(async (_own: Options, command: Command) => {
      const options = given(command);
      const [to, from] = [text(options, 'export'), text(options, 'import')];
      const { exportStore, importStore } = await import('./local/provision.ts');
      const common = { poolsFile: text(options, 'pools'), json: isSet(options, 'json') };
      if (to !== null && from === null) return exportStore(context, to, { ...common, all: isSet(options, 'all') });
      if (from !== null && to === null) return importStore(context, from, { ...common, expected: text(options, 'expect') });
      throw new CliError('expected --export or --import, one of them', exitCodes.usage);
    });
  local('models', 'the models that were fetched, from where, and which pools use them').action(async (_own: Options, command: Command) =>
    (await import('./local/store.ts')).listModels(context, { poolsFile: text(given(command), 'pools'), json: isSet(given(command), 'json') }),
  );
  local('engines', 'the engines that were installed, from where, and which pools use them').action(async (_own: Options, command: Command) =>
    (await import('./local/store.ts')).listEngines(context, { poolsFile: text(given(command), 'pools'), json: isSet(given(command), 'json') }),
  );
  local('prune', 'shows what no pool uses; --yes removes it')
    .option('--yes', 'remove it')
    .action(async (_own: Options, command: Command) => {
      const options = given(command);
      await (await import('./local/store.ts')).pruneStore(context, {
        poolsFile: text(options, 'pools'),
        json: isSet(options, 'json'),
        yes: isSet(options, 'yes'),
      });
    });
};

type Options = Readonly<Record<string, unknown>>;
type Act = (session: Session, args: readonly string[], options: Options) => Promise<void>;
type Remote = (name: string, summary: string, act: Act) => Command;

const addRemoteCommands = (remote: Remote, env: CliContext['env']): void => {
  remote('status [id]', 'the node and its pools, or one pool in full', (session, [id], options) =>
    status(session, id, isSet(options, 'watch')),
  ).option('-w, --watch', 'again once a second');
  remote('pools', 'one line per pool', (session) => pools(session));
  remote(idsCommand, 'ids of pools, for completion', printIds);
  remote('pool <id>', 'one pool in full', (session, [id]) => status(session, id, false));
  remote('gpus', 'one line per GPU', (session) => gpus(session));
  addCommands(remote);
  remote('inspect [actor]', 'the charts at work: each event, the transitions it took, guards and actions', async (session, [actor], options) =>
    isSet(options, 'stately')
      ? (await import('./stately/inspect-stately.ts')).inspectInStately(session, {
          port: wholeNumber('--port', text(options, 'port') ?? '0', largestPort),
          viewer: text(options, 'viewer') ?? usualViewer,
          open: options['open'] !== false,
          env,
        })
      : inspect(session, actor),
  )
    .option('--stately', 'all of them in the viewer of Stately, in a browser; it comes from the network')
    .option('--port <port>', 'where the page with the viewer is served, on loopback (default: any)')
    .option('--viewer <url>', `the viewer (default: ${usualViewer})`)
    .option('--no-open', 'only print the address of the page');
  remote('logs <id>', 'what the engine of a pool wrote', (session, [id = ''], options) =>
    logs(session, id, {
      follow: isSet(options, 'follow'),
      tail: wholeNumber('--tail', text(options, 'tail') ?? '100', longestTail),
      previous: isSet(options, 'previous'),
    }),
  )
    .option('-f, --follow', 'go on with what it writes')
    .option('-n, --tail <lines>', 'how many of the last lines (default: 100)')
    .option('-p, --previous', 'of the run before this one, as after a crash');
  remote('events [id]', 'what became of the pools, or of one', (session, [id], options) =>
    events(session, id, {
      follow: isSet(options, 'follow'),
      limit: wholeNumber('--limit', text(options, 'limit') ?? '50', mostEvents),
      all: isSet(options, 'all'),
    }),
  )
    .option('-f, --follow', 'go on with what happens')
    .option('-n, --limit <count>', 'how many of the latest (default: 50)')
    .option('-a, --all', 'with the steps inside provisioning and starting; --json has them always');
};

/** Commands that change something. */
const addCommands = (remote: Remote): void => {
  addWait(
    remote('start <id>', 'want a pool up; also tries again at once what is waiting to be retried', (session, [id = ''], options) =>
      start(session, id, waitMs(options)),
    ),
  );
  addWait(
    remote('drain <id>', 'want a pool down; its engine ends when its work is done', (session, [id = ''], options) => {
      const deadline = text(options, 'deadline');
      return drain(session, id, deadline === null ? null : durationMs('--deadline', deadline), waitMs(options));
    }).option('-d, --deadline <time>', 'end it then at the latest, such as 30s (default: drain_ms of the pool)'),
  );
  addWait(
    remote('resume <id>', 'take a drain back while the engine is still there', (session, [id = ''], options) => resume(session, id, waitMs(options))),
  );
  addWait(
    remote(
      'reload <id>',
      'a new engine with something changed, in place of the old one once it is ready; unchanged, a pool goes on as it is',
      (session, [id = ''], options) =>
        reload(
          session,
          id,
          {
            model: text(options, 'model'),
            slots: count(options, 'slots', mostSlots),
            ctx: count(options, 'ctx', mostTokens),
            asFiled: options['asFiled'] === true,
          },
          waitMs(options),
        ),
    ),
  )
    .option('-m, --model <ref>', 'with this model')
    .option('-n, --slots <count>', 'with this many requests at once')
    .option('-c, --ctx <tokens>', 'with this context of each slot')
    .option('-f, --as-filed', 'with what the pools file says, in place of what was ordered since');
  remote('declare <file>', 'declare a pool over the API: one pool of a pools file as JSON; - is standard input', (session, [file = '']) =>
    declare(session, file),
  );
  remote('register', 'register with orchestratord now, and print its answer', (session) => register(session));
  remote('heartbeat', 'send orchestratord a heartbeat now, and print its answer', (session) => heartbeat(session));
  addWait(
    remote('remove <id>', 'drain a pool declared over the API, and forget it', (session, [id = ''], options) => remove(session, id, waitMs(options))),
  );
};

const addWait = (command: Command): Command =>
  command.option('--wait', 'end when it is done').option('--timeout <time>', 'how long to wait (default: 10m)');

const waitMs = (options: Options): number | null => {
  const limit = durationMs('--timeout', text(options, 'timeout') ?? '10m');
  return isSet(options, 'wait') ? limit : null;
};

const isSet = (options: Options, name: string): boolean => options[name] === true;

/** Null where it was not given. */
const count = (options: Options, name: string, most: number): number | null => {
  const given = text(options, name);
  return given === null ? null : wholeNumber(`--${name}`, given, most);
};

const text = (options: Options, name: string): string | null => {
  const value = options[name];
  return typeof value === 'string' ? value : null;
};
