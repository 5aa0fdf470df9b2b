/**
 * The pools of a chaos run: sound engines and hostile ones, all of them quick. What each face does stands in
 * `fixtures/engines/many-faced`. Together they want more VRAM than the cards have.
 */
import { resolve } from 'node:path';
import type { Declared } from '../kit/daemon.ts';

export const manyFaced = resolve(import.meta.dirname, '../fixtures/engines/many-faced');

/** Never ready for long, or not at all; name → FAULTS. */
export const hostile: Readonly<Record<string, string>> = {
  exits: 'exit:2500:3',
  completes: 'exit:3500:0',
  segfaults: 'signal:2000:SEGV',
  'ends-at-once': 'exit:0:1',
  hangs: 'hang:2000',
  wedges: 'wedge:2000',
  lies: 'lie',
  stalls: 'stalls',
  mute: 'mute',
  'stops-itself': 'stop:1500',
  garbles: 'garbage:2000',
  cuts: 'cuts:2000',
  foreign: 'foreign',
};

/** Fit to serve, hard to end or to watch. */
export const awkward: Readonly<Record<string, string>> = {
  deaf: 'deaf',
  forks: 'forks',
  'deaf-forks': 'deaf,forks',
  floods: 'flood',
  closes: 'closes',
};

export const sound: readonly string[] = ['sound-0', 'sound-1', 'sound-2', 'slow'];

/** Declared over the API, later. */
export const apiIds: readonly string[] = ['api-0', 'api-1', 'api-2', 'api-3'];

export const faults: Readonly<Record<string, string>> = { ...hostile, ...awkward };

/** Any of these may be reloaded or declared with any face. */
export const faceNames: readonly string[] = ['none', ...Object.keys(faults)];

/** Large enough that a few pools fill a card, and sparse. */
export interface Models {
  readonly small: string;
  readonly large: string;
}

export const smallBytes = 1_500 * 1024 ** 2;
export const largeBytes = 9_000 * 1024 ** 2;

export const quickTimeouts = { start_stall_ms: 2_000, start_max_ms: 5_000, drain_ms: 1_500, stop_ms: 700, vram_release_ms: 3_000 };

export const pool = (id: string, device: number, model: string, env: Readonly<Record<string, string>>): Declared => ({
  id,
  engine: 'custom',
  model,
  devices: [device],
  slots: 2,
  provisioning: { mode: 'external', executable: manyFaced },
  flags: ['{port}'],
  env,
  custom: {
    health_path: '/health',
    progress_path: '/metrics',
    in_flight: { path: '/metrics', metrics: ['running'] },
    token: { path: '/completion', body: '{"n_predict":1,"stream":false}' },
  },
  timeouts: quickTimeouts,
  health: { interval_ms: 250, timeout_ms: 500, progress_timeout_ms: 700, failures: 2 },
  restart: { initial_ms: 100, max_ms: 3_000, max_restarts: 40 },
});

/** What the pools file declares at the beginning. */
export const filePools = ({ small, large }: Models): readonly Declared[] => [
  ...sound.map((id, index) => pool(id, index % 2, small, id === 'slow' ? { LOAD_MS: '1500' } : {})),
  ...Object.entries(faults).map(([id, fault], index) => pool(id, index % 2, small, { FAULTS: fault })),
  pool('large', 1, large, {}),
];

export const fileIds: readonly string[] = [...sound, ...Object.keys(faults), 'large'];
