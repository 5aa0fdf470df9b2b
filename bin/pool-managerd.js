#!/usr/bin/env node
/**
 * The command, on whatever Node the machine has: with one that will do it starts the daemon's main, with an older one it
 * hands over to the Node in node_modules, and without that it says what to do and exits with 78.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { badSetup, findNode, whatToDo } from './find-node.js';

/** `node:ffi` is experimental and used knowingly; every other warning is shown. */
const hideExperimentalWarnings = () => {
  const emit = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    const type = warning instanceof Error ? warning.name : typeof rest[0] === 'object' ? rest[0].type : rest[0];
    if (type !== 'ExperimentalWarning') emit.call(process, warning, ...rest);
  };
};

/** Becomes the other Node where this one can, which Node 20 cannot: then it stays as a shell around it. */
const handOverTo = (node) => {
  if (typeof process.execve !== 'function') return wrap(node);
  hideExperimentalWarnings();
  process.execve(node, [node, ...process.argv.slice(1)], process.env);
};

/** Passes on signals, and ends as the other one ends. What is typed at a terminal reaches both, so that is not passed on. */
const wrap = (node) => {
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' });
  const typed = process.stdin.isTTY ? ['SIGINT', 'SIGQUIT', 'SIGHUP'] : [];
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];
  for (const signal of signals) process.on(signal, () => typed.includes(signal) || child.kill(signal));
  child.on('error', (error) => {
    console.error(`${node} could not be started: ${error.message}\n${whatToDo()}`);
    process.exitCode = badSetup;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code === null ? 128 + (constants.signals[signal] || 0) : code;
  });
};

const node = findNode();
if (node === null) {
  console.error(whatToDo());
  process.exitCode = badSetup;
} else if (node === process.execPath) {
  hideExperimentalWarnings();
  // The sources in a checkout, the scripts made of them in a package.
  const inSources = existsSync(new URL('../src/main.ts', import.meta.url));
  const [command, ...more] = process.argv.slice(2);
  // What units start, and what asks the driver, is to load little.
  if (command === 'engine-exec') import(inSources ? '../src/engine-exec/main.ts' : '../lib/engine-exec.js');
  else if (command === 'nvml-probe') import(inSources ? '../src/gpu/nvml/main.ts' : '../lib/nvml-probe.js');
  else if (command === 'serve' && more.length === 0) import(inSources ? '../src/serve-main.ts' : '../lib/serve.js');
  else import(inSources ? '../src/main.ts' : '../lib/main.js');
} else {
  handOverTo(node);
}
