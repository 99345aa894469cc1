import type { DiskLayout, Volume } from './disk-layout.ts';

/** The root is given everything that is left; d-i wants to know how much it needs at least, and how eager it is. */
const rootLimits = '1000 10000 -1';

/**
 * The partitions as partman's expert recipe, a line each, in d-i's own notation: `MIN PRIORITY MAX FILESYSTEM
 * {attributes} .`, in megabytes. Of the layout `lvm`, what is `$lvmok{ }` goes into the volume group, for which
 * partman-auto-lvm adds a partition at the end.
 */
export function makePartmanRecipe(layout: DiskLayout): string {
  return [
    ...(layout.biosBootMiB === undefined ? [] : [bootPartition(layout.biosBootMiB, 'method{ biosgrub }')]),
    bootPartition(layout.espMiB, 'method{ efi } format{ }'),
    // GRUB reads ext4 whatever the kernel makes of newer file systems.
    ...(layout.bootMiB === undefined ? [] : [`${fixed(layout.bootMiB)} ${mounted('ext4', '/boot')}`]),
    ...(layout.swapMiB === undefined ? [] : [`${fixed(layout.swapMiB)} linux-swap method{ swap } format{ } .`]),
    ...layout.volumes.map((volume) => volumeLine(layout, volume)),
  ].join(' \\\n  ');
}

/** Which of d-i's ways of partitioning takes the recipe. */
export function partmanMethod({ layout }: DiskLayout): 'regular' | 'lvm' {
  return layout === 'lvm' ? 'lvm' : 'regular';
}

/** Udebs aside, what the image itself needs to mount its disk. */
export function diskPackages({ layout, filesystem }: Pick<DiskLayout, 'layout' | 'filesystem'>): readonly string[] {
  return [...(layout === 'lvm' ? ['lvm2'] : []), ...(filesystem === 'xfs' ? ['xfsprogs'] : [])];
}

/** Of these two partitions a few percent more or less are the same; that keeps the recipe's figures readable. */
function bootPartition(megabytes: number, attributes: string): string {
  return `${megabytes} ${megabytes} ${megabytes} free $iflabel{ gpt } $reusemethod{ } ${attributes} .`;
}

function volumeLine({ layout, filesystem }: DiskLayout, { name, mountPoint, sizeMiB }: Volume): string {
  const limits = sizeMiB === undefined ? rootLimits : fixed(sizeMiB);
  const logical = layout === 'lvm' ? `$lvmok{ } lv_name{ ${name} } ` : '';
  return `${limits} ${mounted(filesystem, mountPoint, logical)}`;
}

function mounted(filesystem: string, mountPoint: string, logical = ''): string {
  const format = `method{ format } format{ } use_filesystem{ } filesystem{ ${filesystem} }`;
  return `${filesystem} ${logical}${format} mountpoint{ ${mountPoint} } .`;
}

/** Not less than asked for: partman counts in millions of bytes. */
function fixed(sizeMiB: number): string {
  const megabytes = Math.ceil((sizeMiB * 2 ** 20) / 1e6);
  return `${megabytes} ${megabytes} ${megabytes}`;
}
