import type { Arch } from '../../recipe/schema.ts';

/** A guest that does nothing but prove that the accelerator runs guests. */
export interface ProbeGuest {
  /** Given to the machine as its firmware. */
  readonly rom: Buffer;
  readonly machineArgs: readonly string[];
  /** QEMU's exit status when the guest has answered. */
  readonly answerStatus: number;
  /** Completes "a KVM guest did not answer from …". */
  readonly provenMode: string;
}

/** Assembled from probe-guest.S, which tells how. */
export const amd64Guest = Buffer.from(
  [
    '+vwuZg8BFgD/ZrgBAAAADyLAZuoa/v//CAC4EAAAAI7YjsCO0DHAvwAQAAC5ABAAAPOrxwUAEAAAAyAAAMcFACAAAANAAADHBRggAAADMAAAxwUA',
    'QAAAgwAAAMcF+D8AAIMA4P+4IAIAAA8i4LgAEAAADyLYuYAAAMAPMg0AAQAADzC4AQAAgA8iwOqS/v//GAC8AIAAAEm4AgAAACgAAABBUFhIicJI',
    'weogAdBmD27AZg9wyABmD8TQAGYP28FmD37AZg/F0gC5AAAAAf/JdfyD+Cp1B4P6KnUC5/T06/0AAAAAAAAAAP//AAAAm88A//8AAACTzwD//wAA',
    'AJuvAB8A4P7//wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAOkN/gAAAAAA',
    'AAAAAAAAAAA=',
  ].join(''),
  'base64',
);

/** QEMU takes a PC's firmware only in multiples of this, and maps its end to 4 GiB, where the reset vector is. */
const pcRomBytes = 65_536;

/**
 * AArch64, from address 0: movz w0, #0x8400, lsl #16; movk w0, #8; hvc #0; wfi; b . - 4. That is PSCI SYSTEM_OFF
 * (Arm DEN0022, section 5.9), on which QEMU ends with status 0. There is no other mode to reach.
 */
const arm64Instructions = [0x52b0_8000, 0x7280_0100, 0xd400_0002, 0xd503_207f, 0x17ff_ffff];

export const probeGuests: Readonly<Record<Arch, ProbeGuest>> = {
  amd64: {
    rom: Buffer.concat([Buffer.alloc(pcRomBytes - amd64Guest.length), amd64Guest]),
    machineArgs: ['-machine', 'q35', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
    answerStatus: 85,
    provenMode: '64-bit mode',
  },
  arm64: {
    rom: Buffer.from(Uint32Array.from(arm64Instructions).buffer),
    machineArgs: ['-machine', 'virt'],
    answerStatus: 0,
    provenMode: 'its first instructions',
  },
};
