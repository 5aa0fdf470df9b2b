/** PCI addresses in one spelling, the driver's own: `00000000:3B:00.0`. Pure. */

const written = /(?:^|[^0-9a-f])([0-9a-f]{4}|[0-9a-f]{8}):([0-9a-f]{2}):([0-9a-f]{2})(?![0-9a-f])/gi;

/** Every address that a text names, `0000:3b:00.0` and `PCI:0000:3b:00` alike. A GPU is function 0. */
export const pciAddressesIn = (text: string): readonly string[] =>
  [...text.matchAll(written)].map(([, domain = '', bus = '', device = '']) => `${domain.padStart(8, '0')}:${bus}:${device}.0`.toUpperCase());

/** Null: not an address. */
export const driverSpelling = (address: string | null): string | null => (address === null ? null : (pciAddressesIn(address)[0] ?? null));
