/** Pools that are declared and never started: what a daemon of many pools costs by itself. */

export const idlePools = (count: number): readonly (object & { readonly id: string })[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `pool-${String(index).padStart(3, '0')}`,
    engine: 'custom',
    devices: [index % 8],
    slots: 4,
    preload: false,
    provisioning: { mode: 'external', executable: '/bin/true' },
    custom: { health_path: '/health' },
  }));
