/** For every test file: a warning that Node gives fails the run. Experimental features are used knowingly. */
const listening = Symbol.for('pool-managerd: stray warnings are errors');
const here = globalThis as typeof globalThis & { [listening]?: true };

// Files that share a process come by here each.
if (here[listening] === undefined) {
  here[listening] = true;
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') throw warning;
  });
}
