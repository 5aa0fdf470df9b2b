/** Free ports for daemons of tests, as the demo finds them. */
export { freePorts, isFree } from '../../src/demo/ports.ts';
