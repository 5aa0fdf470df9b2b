/**
 * When a registration speaks: the beat, the retry, and when silence has lasted so long that only registering again helps.
 *
 * Pure. Milliseconds; times are monotonic. Jitter comes from the node's id, so that nodes of one outage do not meet.
 */
import { doubled, jittered } from './backoff.ts';

/** After 30 s of silence orchestratord takes a node for offline and then answers its heartbeats without reviving it. */
export const silenceLimitMs = 25_000;
/** Changes that come in a burst make one heartbeat per this time. */
export const quietMs = 100;
export const deregisterLimitMs = 5_000;

const shortestBeatMs = 1_000;
/** With its jitter still shorter than the silence that would make the beat useless. */
const longestBeatMs = 20_000;
const beatSpread = 0.2;
const firstRetryMs = 1_000;
const longestRetryMs = 30_000;
const rejectedRetryMs = 60_000;

/** The wished interval, by us or by the server, kept between 1 s and 20 s. */
export const beatInterval = (wishedMs: number): number => Math.min(Math.max(wishedMs, shortestBeatMs), longestBeatMs);

/** From one heartbeat to the next: the interval ±20 %. */
export const beatDelay = (intervalMs: number, nodeId: string, sequence: number): number =>
  jittered(beatInterval(intervalMs), beatSpread, `${nodeId}:${sequence}`);

/** 1, 2, 4 … 30 s, each shortened by up to a fifth: a node is back within 30 s of its control plane. */
export const retryDelay = (nodeId: string, attempt: number, callNumber: number): number =>
  jittered(doubled(firstRetryMs, longestRetryMs, attempt) * 0.9, 1 / 9, `${nodeId}:retry:${callNumber}`);

/** What will not change by itself soon is asked again about once a minute. */
export const rejectedDelay = (nodeId: string, callNumber: number): number =>
  jittered(rejectedRetryMs, beatSpread, `${nodeId}:rejected:${callNumber}`);

/** Whether `mono` is so long after the last success that the server has given this node up, or is about to. */
export const isSilenceTooLong = (lastSuccessMono: number | null, mono: number): boolean =>
  lastSuccessMono === null || mono - lastSuccessMono >= silenceLimitMs;
