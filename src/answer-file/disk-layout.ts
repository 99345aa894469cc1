import { diskSerial, type Plan } from '../plan/plan.ts';
import { volumeName } from '../plan/volume-rules.ts';
import { type Filesystem, type LayoutName, makeVolumes } from '../recipe/install-settings.ts';

/** A file system, as a partition or as a logical volume. */
export interface Volume {
  /** `root`, `var_log`: the name of its logical volume. */
  readonly name: string;
  readonly mountPoint: string;
  /** Undefined for what is left: the root's. */
  readonly sizeMiB: number | undefined;
}

/**
 * What is on the disk, in this order: BIOS boot partition (amd64), ESP, `/boot` (lvm), swap if it is asked for, and at
 * last the volumes with the root as the last one, or the physical volume that holds them. GPT, whatever the firmware.
 */
export interface DiskLayout {
  readonly layout: LayoutName;
  readonly filesystem: Filesystem;
  /** Serial number of the disk, by which it is found. */
  readonly serial: string;
  /** 1 MiB for GRUB's second stage on BIOS machines; undefined where there is no BIOS. */
  readonly biosBootMiB: number | undefined;
  readonly espMiB: number;
  /** A partition of its own, where the root is in LVM. */
  readonly bootMiB: number | undefined;
  readonly swapMiB: number | undefined;
  /** The root last. */
  readonly volumes: readonly Volume[];
}

/** The volume group of the layout `lvm`. */
export const volumeGroup = 'system';

const mebibyte = 2 ** 20;

/** The recipe's disk in figures. Pure. */
export function makeDiskLayout({ recipe }: Pick<Plan, 'recipe'>): DiskLayout {
  const { layout, filesystem, swap } = recipe.disk;
  return {
    layout,
    filesystem,
    serial: diskSerial,
    biosBootMiB: recipe.arch === 'amd64' ? 1 : undefined,
    espMiB: 128,
    bootMiB: layout === 'lvm' ? 1024 : undefined,
    swapMiB: swap === undefined ? undefined : swap / mebibyte,
    volumes: [...makeVolumes(recipe.disk).map(makeVolume), { name: 'root', mountPoint: '/', sizeMiB: undefined }],
  };
}

function makeVolume({ path, size }: { readonly path: string; readonly size: number }): Volume {
  return { name: volumeName(path), mountPoint: path, sizeMiB: size / mebibyte };
}
