/** For every test file: a warning that Node gives fails the run. Experimental features are used knowingly. */
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') throw warning;
});
