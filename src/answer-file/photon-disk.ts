import { type DiskLayout, type Volume, volumeGroup } from './disk-layout.ts';

/** A partition of ks.json, or a logical volume. Sizes are in MiB; 0 is what is left. */
export interface PhotonPartition {
  readonly mountpoint?: string;
  readonly size: number;
  readonly filesystem: string;
  readonly lvm?: { readonly vg_name: string; readonly lv_name: string };
}

/**
 * The partitions in the order of the disk. The installer itself puts the BIOS boot partition before them, and makes one
 * physical volume of all that have `lvm`, as the last.
 */
export function makePhotonPartitions({ layout, ...disk }: DiskLayout): readonly PhotonPartition[] {
  const logical = ({ name }: Volume): Pick<PhotonPartition, 'lvm'> =>
    layout === 'lvm' ? { lvm: { vg_name: volumeGroup, lv_name: name } } : {};
  return [
    { mountpoint: '/boot/efi', size: disk.espMiB, filesystem: 'vfat' },
    // GRUB reads ext4 whatever the kernel makes of newer file systems.
    ...(disk.bootMiB === undefined ? [] : [{ mountpoint: '/boot', size: disk.bootMiB, filesystem: 'ext4' }]),
    ...(disk.swapMiB === undefined ? [] : [{ size: disk.swapMiB, filesystem: 'swap' }]),
    ...disk.volumes.map((volume) => ({
      mountpoint: volume.mountPoint,
      size: volume.sizeMiB ?? 0,
      filesystem: disk.filesystem,
      ...logical(volume),
    })),
  ];
}
