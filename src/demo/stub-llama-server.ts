/**
 * A stand-in for llama-server, so that the demo and tests run without an engine: same flags, same routes, no model. It says
 * that it is a stub in its log, its properties and its text, and in the script of `stub-executable.ts` that starts it.
 *
 * Behaviour by environment: STUB_LOAD_MS, STUB_TOKENS_PER_SECOND, STUB_HANG (`slots`, `all`), STUB_HANG_AFTER_MS,
 * STUB_CRASH_AFTER_MS, STUB_CRASH_CODE, STUB_FAIL_LOAD (a last line to print), STUB_IGNORE_TERM, STUB_SAYS_PLACED.
 */
import { existsSync } from 'node:fs';
import { readArguments } from './stub-engine/arguments.ts';
import { readBehaviour } from './stub-engine/behaviour.ts';
import { serveStub } from './stub-engine/serve.ts';

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const argv = process.argv.slice(2);

const behaviour = readBehaviour(process.env);
const read = readArguments(argv);
if (read.problem !== null) {
  say(`error: invalid argument: ${read.problem}`);
  process.exit(1);
}
if (!existsSync(read.options.model)) {
  say(`gguf_init_from_file: failed to open GGUF file '${read.options.model}'`);
  say('srv  llama_server: exiting due to model loading error');
  process.exit(1);
}
say('stub engine: this is NOT llama.cpp; it loads no model and its text is made up');
void serveStub(read.options, behaviour, say);
