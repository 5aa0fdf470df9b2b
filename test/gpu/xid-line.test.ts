/** Lines of the kernel's log as NVIDIA's modules write them, of several versions. */
import { describe, expect, it } from 'vitest';
import { mayTellXid, readXid } from '../../src/gpu/xid-line.ts';

describe('an Xid', () => {
  it.each([
    [
      "NVRM: Xid (PCI:0000:05:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
      { code: 79, pciAddress: '00000000:05:00.0', pid: null },
    ],
    ['NVRM: Xid (0000:03:00): 14, Channel 00000001', { code: 14, pciAddress: '00000000:03:00.0' }],
    ['NVRM: Xid (PCI:0000:b3:00.0): 48, An uncorrectable double bit error', { code: 48, pciAddress: '00000000:B3:00.0' }],
    ['NVRM: Xid (PCI:0000:00:05): 43, pid=1045242, name=pt_main_thread, Ch 00000008', { code: 43, pid: 1_045_242, pciAddress: '00000000:00:05.0' }],
    ["NVRM: Xid (PCI:0000:01:00): 31, pid='4711', name=x, MMU Fault", { code: 31, pid: 4711 }],
    ['NVRM: Xid (PCI:0000:01:00 GPU-I:05): 94, pid=7194, Contained: CE User Channel (0x9). RST: No', { code: 94, gpuInstanceId: 5, pid: 7194 }],
    ['NVRM: Xid (PCI:0000:3b:00 GPU-I:01 GPU-CI:02): 13, pid=9, name=a, Graphics Exception', { code: 13, gpuInstanceId: 1 }],
    ['NVRM: Xid (PCI:0000:dc:00): 45, pid=1818990, name=python3, Ch 00000001 caused by previous Xid 149', { code: 45, follows: 149 }],
    [
      'NVRM: Xid (PCI:0008:01:00): 154, GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)',
      { code: 154, recovery: 'reset', pciAddress: '00000008:01:00.0' },
    ],
    ['NVRM: Xid (PCI:0000:01:00): 154, GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)', { recovery: 'reboot' }],
    ['NVRM: Xid (PCI:0000:01:00): 154, GPU recovery action changed from 0x0 (None) to 0x2 (OS Reboot)', { recovery: 'reboot' }],
    ['NVRM: Xid (PCI:0000:01:00): 154, GPU recovery action changed from 0x0 (None) to 0x3 (Drain P2P)', { recovery: 'drain_p2p' }],
    ['NVRM: Xid (PCI:0000:01:00): 154, GPU recovery action changed from 0x0 (None) to 0x4 (Drain and Reset)', { recovery: 'drain_and_reset' }],
    ['NVRM: Xid (PCI:0000:01:00): 154, GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)', { recovery: 'none' }],
    ['NVRM: Xid (PCI:0000:01:00): 154, GPU recovery action changed from 0x0 (None) to 0x9 (Sing)', { recovery: 'other' }],
    ['NVRM: Xid (PCI:0000:9b:00): 149, NETIR_LINK_EVT Fatal XC0 i0 Link 08 (0x004a3 0x0)', { code: 149, fatal: true }],
    ['NVRM: Xid (PCI:0000:9b:00): 145, RLW_REMAP Nonfatal XC1 i0 Link 08 (0x004a3 0x0)', { code: 145, fatal: false }],
  ])('is read from %s', (line, expected) => {
    expect(mayTellXid(line)).toBe(true);
    expect(readXid(line)).toMatchObject({ text: line, ...expected });
  });

  it('keeps a bounded text', () => {
    expect(readXid(`NVRM: Xid (PCI:0000:01:00): 13, ${'x'.repeat(5_000)}`)?.text).toHaveLength(400);
  });
});

describe('the loss of a card that the driver tells without an Xid', () => {
  it.each([
    ['NVRM: GPU 0000:04:00.0: GPU has fallen off the bus.', '00000000:04:00.0'],
    [
      'NVRM: The NVIDIA GPU 0000:9b:00.0 (PCI ID: 10de:2330) installed in this system has fallen off the bus and is not responding to commands.',
      '00000000:9B:00.0',
    ],
    [
      'NVRM: The NVIDIA GPU 0000:02:00.0\\x0aNVRM: (PCI ID: 10de:1d13) installed in this system has\\x0aNVRM: fallen off the bus and is not responding to commands.',
      '00000000:02:00.0',
    ],
  ])('is read as the Xid that it stands for (row 33): %s', (line, pciAddress) => {
    expect(readXid(line)).toMatchObject({ code: 79, pciAddress, pid: null });
  });
});

describe('what is no error of a card', () => {
  it.each([
    'NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  590.48.01',
    'NVRM: GPU at PCI:0000:00:05: GPU-efbdfde9-5798-a6e7-4c46-12518fa15375',
    'NVRM: GPU 0000:09:00.0: RmInitAdapter failed! (0x22:0x56:894)',
    'NVRM: Xid ( nonsense ): 79',
    'usb 1-1: the keyboard has fallen off the bus',
  ])('is passed over: %s', (line) => expect(readXid(line)).toBeNull());
});
