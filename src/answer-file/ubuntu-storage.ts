import type { Firmware } from '../recipe/schema.ts';
import { type DiskLayout, type Volume, volumeGroup } from './disk-layout.ts';
import type { YamlMap } from './yaml-template.ts';

/**
 * The disk as curtin's actions, in the order in which they are done. `grub_device` says where curtin installs GRUB while
 * it installs: with BIOS on every device that has it, so that it must not be on the ESP then.
 */
export function makeStorageActions(layout: DiskLayout, firmware: Firmware): readonly YamlMap[] {
  const disk = {
    ...{ id: 'disk', type: 'disk', match: { serial: `*${layout.serial}` }, ptable: 'gpt' },
    ...{ wipe: 'superblock-recursive', preserve: false, grub_device: firmware === 'bios' },
  };
  const partitions = makePartitions(layout, firmware).map((partition, index) => ({
    ...{ id: partition.id, type: 'partition', device: 'disk', number: index + 1, size: sizeOf(partition.sizeMiB) },
    ...(partition.flag && { flag: partition.flag }),
    ...{ wipe: 'superblock', preserve: false },
    ...(partition.grubDevice && { grub_device: true }),
  }));
  return [disk, ...partitions, ...makeLogicalVolumes(layout), ...makeFileSystems(layout)];
}

interface Partition {
  readonly id: string;
  /** Undefined for what is left. */
  readonly sizeMiB: number | undefined;
  readonly flag?: 'bios_grub' | 'boot' | 'swap';
  readonly grubDevice?: boolean;
}

function makePartitions(layout: DiskLayout, firmware: Firmware): readonly Partition[] {
  const { biosBootMiB, espMiB, bootMiB, swapMiB, volumes } = layout;
  const own = volumes.map(({ name, sizeMiB }) => ({ id: idOf(name), sizeMiB }));
  return [
    ...(biosBootMiB === undefined ? [] : [{ id: 'bios-boot', sizeMiB: biosBootMiB, flag: 'bios_grub' as const }]),
    { id: 'esp', sizeMiB: espMiB, flag: 'boot', grubDevice: firmware === 'uefi' },
    ...(bootMiB === undefined ? [] : [{ id: 'boot', sizeMiB: bootMiB }]),
    ...(swapMiB === undefined ? [] : [{ id: 'swap', sizeMiB: swapMiB, flag: 'swap' as const }]),
    ...(layout.layout === 'lvm' ? [{ id: 'physical-volume', sizeMiB: undefined }] : own),
  ];
}

function makeLogicalVolumes({ layout, volumes }: DiskLayout): readonly YamlMap[] {
  if (layout !== 'lvm') return [];
  return [
    { id: 'group', type: 'lvm_volgroup', name: volumeGroup, devices: ['physical-volume'], preserve: false },
    ...volumes.map(({ name, sizeMiB }) => ({
      ...{ id: idOf(name), type: 'lvm_partition', volgroup: 'group', name, size: sizeOf(sizeMiB) },
      ...{ wipe: 'superblock', preserve: false },
    })),
  ];
}

/** Formats and mounts. `/boot` on its own is ext4 always: what is before the root is read by GRUB. */
function makeFileSystems({ filesystem, bootMiB, swapMiB, volumes }: DiskLayout): readonly YamlMap[] {
  const mounted = [
    ...volumes.map((volume) => ({ ...volume, id: idOf(volume.name), fstype: String(filesystem) })),
    ...(bootMiB === undefined ? [] : [{ id: 'boot', mountPoint: '/boot', fstype: 'ext4' }]),
    { id: 'esp', mountPoint: '/boot/efi', fstype: 'fat32' },
    // Swap is mounted nowhere.
    ...(swapMiB === undefined ? [] : [{ id: 'swap', mountPoint: 'none', fstype: 'swap' }]),
  ].sort((a, b) => depthOf(a) - depthOf(b));
  return [
    ...mounted.map(({ id, fstype }) => ({ id: `format-${id}`, type: 'format', fstype, volume: id, preserve: false })),
    ...mounted.map(({ id, mountPoint }) => ({
      ...{ id: `mount-${id}`, type: 'mount', device: `format-${id}`, path: mountPoint },
    })),
  ];
}

/** What holds another one is mounted before it. */
function depthOf({ mountPoint }: Pick<Volume, 'mountPoint'>): number {
  return mountPoint === '/' ? 0 : mountPoint.split('/').length;
}

/** An id of its own beside `esp`, `boot` and `swap`, whatever the volume is called. */
function idOf(volumeName: string): string {
  return `volume-${volumeName}`;
}

/** -1 is what is left, for the last one. */
function sizeOf(sizeMiB: number | undefined): string | number {
  return sizeMiB === undefined ? -1 : `${sizeMiB}M`;
}
