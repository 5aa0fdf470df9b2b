/** The control plane for tests: the same stand-in that the demo runs. */
export * from '../../src/demo/orchestrator-stand-in.ts';
