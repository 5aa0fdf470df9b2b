/**
 * Where GPU facts come from: nvidia-smi, NVML or, for demo and tests only, a simulation. One interface for all.
 */
import type { Cause, GpuSourceName, Inventory } from '../machines/vocabulary.ts';

/** An Xid as the driver's events tell it: nothing but what and where. */
export interface DriverXid {
  readonly code: number;
  readonly pciAddress: string;
  readonly gpuInstanceId: number | null;
}

export interface GpuSource {
  readonly name: GpuSourceName;
  /**
   * One fresh look at all cards. Always settles within `deadlineMs`, also when the driver hangs; a failure is a Cause
   * (`driver_error`, `driver_mismatch`, `gpu_missing`, …), never a throw.
   */
  read(deadlineMs: number): Promise<Inventory | Cause>;
  /** Looks at an interval, in a way of its own. Absent: by reading. */
  follow?(order: FollowOrder): Follower;
  /** The next look asks for what changes slowly too, which takes longer. Absent: this source has nothing of the kind. */
  wantDeep?(): void;
  /** Xids as the driver tells them; returns what stops it. Absent: this source tells none. */
  listen?(hear: (xid: DriverXid) => void): () => void;
  /** Ends helper processes. Does not wait for hung ones. */
  close(): void;
}

export interface FollowOrder {
  /** From the end of one look to the begin of the next. */
  readonly intervalMs: number;
  /** Of each look. */
  readonly deadlineMs: number;
  /** `begunMono`: what the look says is no older than this. */
  readonly hear: (look: Inventory | Cause, begunMono: number) => void;
}

export interface Follower {
  /** Now, or right after the look that is under way. */
  look(): void;
  /** No further look is begun; one under way ends unheard. */
  stop(): void;
}
