import { describe, expect, it } from 'vitest';
import { type ContainerPlan, createArgv } from '../../src/actors/launch/container-argv.ts';
import { gpuRun } from '../kit/gpu-facts.ts';

const argvWith = (cpus?: readonly number[]): readonly string[] => {
  const plan: ContainerPlan['plan'] = { executable: '/engine', argv: ['--port', '1'], env: {} };
  return createArgv({
    plan: cpus === undefined ? plan : { ...plan, cpus },
    facts: gpuRun(),
    runtime: { name: 'podman', user: '0:0' },
    image: 'registry.test/engine@sha256:0',
    reads: [],
    files: { go: '/berth/go', env: '/berth/env' },
  });
};

describe('the command line that creates a container', () => {
  it('names the CPUs that its engine is to have, before the image, and is otherwise the same', () => {
    const [bound, free] = [argvWith([0, 1, 34]), argvWith()];
    const at = bound.indexOf('--cpuset-cpus');
    expect(bound[at + 1]).toBe('0,1,34');
    expect(at, 'what follows the image is the engine’s').toBeLessThan(bound.indexOf('registry.test/engine@sha256:0'));
    expect(bound.toSpliced(at, 2)).toEqual(free);
  });

  it('says nothing of CPUs where none are named, so that the runtime gives it all', () => {
    expect(argvWith()).not.toContain('--cpuset-cpus');
  });
});
