/** A pool's way through its states, in the words of the domain; each step expects to begin where the last one ended. */
import type { Proof, RunRecord } from '../../src/machines/vocabulary.ts';
import type { PoolDriver } from './pool-driver.ts';
import { engine, gpus, handoff, inventory, load, model, proof, run } from './pool-words.ts';

export const provision = async (pool: PoolDriver): Promise<void> => {
  await pool.open('provisionEngine').answer(engine);
  await pool.open('provisionModel').answer(model);
};

export const measure = (pool: PoolDriver): Promise<void> => pool.open('measureGpus').answer({ inventory, needBytes: 1_000 });
export const admit = (pool: PoolDriver): void => pool.send({ type: 'admission.granted', gpus, reservedBytes: 1_000 });

/** The process is there; its record carries the time of its start. */
export const spawn = (pool: PoolDriver, record: Partial<RunRecord> = {}): Promise<void> =>
  pool.open('spawnEngine').answer({ run: { ...run, startedMono: pool.now().mono, ...record } });

export const answer = (pool: PoolDriver): void => pool.send({ type: 'health.passed', outcome: 'ok', load: load(0) });
export const handOff = (pool: PoolDriver): void =>
  pool.send({ type: 'handoff.appeared', handoff: { ...handoff, incarnation: pool.context().run?.incarnation ?? null } });
export const prove = (pool: PoolDriver, shown: Partial<Proof> = {}): Promise<void> => pool.open('proveReadiness').answer({ ...proof, ...shown });

export const toAdmitting = async (pool: PoolDriver): Promise<void> => {
  await provision(pool);
};
export const toAsking = async (pool: PoolDriver): Promise<void> => {
  await toAdmitting(pool);
  await measure(pool);
};
export const toSpawning = async (pool: PoolDriver): Promise<void> => {
  await toAsking(pool);
  admit(pool);
};
export const toLoading = async (pool: PoolDriver, record: Partial<RunRecord> = {}): Promise<void> => {
  await toSpawning(pool);
  await spawn(pool, record);
};
export const toProving = async (pool: PoolDriver, record: Partial<RunRecord> = {}): Promise<void> => {
  await toLoading(pool, record);
  answer(pool);
  handOff(pool);
};
export const toReady = async (pool: PoolDriver, record: Partial<RunRecord> = {}): Promise<void> => {
  await toProving(pool, record);
  await prove(pool);
};

/** From `draining.stopping` to where the pool settles. */
export const end = async (pool: PoolDriver): Promise<void> => {
  await pool.open('stopEngine').answer({ survivors: [], killed: false, exit: null });
  await pool.open('awaitRelease').answer({ released: true, heldBytes: 0 });
};

/** The control plane takes note, and the engine says how much is in it. */
export const empty = (pool: PoolDriver, inFlight: number | null = 0): void => {
  pool.send({ type: 'drain.acknowledged' });
  pool.send({ type: 'engine.loadChanged', load: load(inFlight) });
};
