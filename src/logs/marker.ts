/** The line that stands where output was cut off. Of one length, so that a place within it can be told. */

export const marker = (droppedBytes: number, at: number): string =>
  `[pool-managerd: ${String(droppedBytes).padStart(16)} bytes of output were cut off here at ${new Date(at).toISOString()}]\n`;

export const markerBytes = Buffer.byteLength(marker(0, 0));
