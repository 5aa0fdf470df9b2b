/** argv → command. Nothing is decided here. */
import { runCli } from './cli/program.ts';
import { configTools } from './config/tools.ts';
import { exitWith } from './os/exit-code.ts';
import { versionText } from './version.ts';

const args = process.argv.slice(2);
const ending = new AbortController();

// `serve` and `demo` end in an order of their own; for every other command an interrupt is the end of looking.
if (!args.includes('serve') && !args.includes('demo'))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());

exitWith(
  runCli(args, {
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: ending.signal,
    version: versionText,
    runServe: async () => (await import('./serve.ts')).serveDaemon(),
    runDemo: async (demo) => (await import('./demo/run-demo.ts')).runDemo(demo.args),
    config: configTools,
  }),
);
