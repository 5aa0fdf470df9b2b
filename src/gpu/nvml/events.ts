/**
 * The driver's events of the cards that are listed: Xids, as they come. Looked for without waiting: whoever waited in the driver
 * could hang there.
 */
import type { Handle, Nvml } from './library.ts';
import type { WireXid } from './protocol.ts';

export interface DriverEvents {
  /** After each look: which cards there are, by handle, with their PCI addresses. Begins anew where they are others. */
  follow(cards: ReadonlyMap<Handle, { readonly uuid: string; readonly pciAddress: string | null }>): void;
  /** What came since. Where the driver fails, nothing more comes until `follow`. */
  take(): readonly WireXid[];
}

const xidEvent = 0x8n;
/** A card in trouble may tell thousands; the rest is taken the next time. */
const mostAtOnce = 256;

export const driverEvents = (nvml: Nvml): DriverEvents => {
  let set: Handle | null = null;
  let followed = '';
  let addresses: ReadonlyMap<Handle, string> = new Map();

  const end = (): void => {
    if (set !== null) nvml.closeEvents(set);
    set = null;
  };

  return {
    follow: (cards) => {
      const key = [...cards].map(([handle, { uuid }]) => `${handle} ${uuid}`).join('\n');
      if (set !== null && key === followed) return;
      end();
      const opened = nvml.openEvents();
      if (!opened.ok) return;
      set = opened.value;
      followed = key;
      addresses = new Map([...cards].flatMap(([handle, { pciAddress }]) => (pciAddress === null ? [] : [[handle, pciAddress] as const])));
      for (const handle of cards.keys()) {
        const types = nvml.eventTypes(handle);
        // A card that has no events, an old one, is told of by the kernel's log alone.
        if (types.ok && (types.value & xidEvent) !== 0n) nvml.register(handle, xidEvent, set);
      }
    },
    take: () => {
      const found: WireXid[] = [];
      for (let taken = 0; set !== null && taken < mostAtOnce; taken += 1) {
        const event = nvml.nextEvent(set);
        if (!event.ok) {
          if (event.code !== nothingThere) end();
          break;
        }
        const { device, type, data, gpuInstanceId } = event.value;
        const pciAddress = addresses.get(device);
        if (type === xidEvent && pciAddress !== undefined) found.push({ code: data, pciAddress, gpuInstanceId });
      }
      return found;
    },
  };
};

const nothingThere = 10;
