import { type DiskLayout, type Volume, volumeGroup } from './disk-layout.ts';

/** The least that the root gets before it grows into what is left. */
const rootMinimumMiB = 2048;

/** udev's name of a virtio disk by its serial number, as kickstart takes devices: below /dev. */
export function diskOf({ serial }: Pick<DiskLayout, 'serial'>): string {
  return `disk/by-id/virtio-${serial}`;
}

/**
 * Lines of kickstart. Anaconda puts what has a fixed size before what grows, so that the root, or the physical volume,
 * is the last on the disk.
 */
export function renderPartitions(layout: DiskLayout): string {
  const { biosBootMiB, espMiB, bootMiB, swapMiB, filesystem } = layout;
  const part = (mountPoint: string, options: readonly string[]): string =>
    ['part', mountPoint, ...options, `--ondisk=${diskOf(layout)}`].join(' ');
  const efi = ['--fstype=efi', `--size=${espMiB}`, '--fsoptions=umask=0077,shortname=winnt'];
  return [
    ...(biosBootMiB === undefined ? [] : [part('biosboot', ['--fstype=biosboot', `--size=${biosBootMiB}`])]),
    part('/boot/efi', efi),
    ...(bootMiB === undefined ? [] : [part('/boot', [`--fstype=${filesystem}`, `--size=${bootMiB}`])]),
    ...(swapMiB === undefined ? [] : [part('swap', ['--fstype=swap', `--size=${swapMiB}`])]),
    ...(layout.layout === 'lvm' ? renderLvm(layout, part) : layout.volumes.map(renderVolume)),
  ].join('\n');

  function renderVolume(volume: Volume): string {
    return part(volume.mountPoint, [`--fstype=${filesystem}`, ...sizeOptions(volume)]);
  }
}

type Part = (mountPoint: string, options: readonly string[]) => string;

function renderLvm({ volumes, filesystem }: DiskLayout, part: Part): readonly string[] {
  return [
    part('pv.01', [`--size=${rootMinimumMiB}`, '--grow']),
    `volgroup ${volumeGroup} pv.01`,
    ...volumes.map((volume) =>
      [
        ...['logvol', volume.mountPoint, `--vgname=${volumeGroup}`, `--name=${volume.name}`, `--fstype=${filesystem}`],
        ...sizeOptions(volume),
      ].join(' '),
    ),
  ];
}

function sizeOptions({ sizeMiB }: Volume): readonly string[] {
  return sizeMiB === undefined ? [`--size=${rootMinimumMiB}`, '--grow'] : [`--size=${sizeMiB}`];
}
