import type { Problem } from '../errors.ts';
import { diskSizeLimitBytes, makeVolumes } from '../recipe/install-settings.ts';
import { formatSize } from '../recipe/quantities.ts';
import type { PlanInputs } from './make-plan.ts';

const mebibyte = 2 ** 20;

/** Folders that the system needs before it mounts volumes, or that kvmimg lays out itself; some with all below them. */
const unmountable =
  /^\/(root|usr|((boot|etc|proc|sys|dev|run|var\/run|var\/lock|(usr\/)?(bin|sbin|lib(32|64|x32)?))(\/.*)?))$/;

/** Names that LVM keeps for its own volumes (lvm(8), RESERVED NAMES). */
const reservedByLvm =
  /^(pvmove|snapshot)|_(cdata|cmeta|corig|cvol|iorig|mimage|mlog|pmspare|rimage|rmeta|tdata|tmeta|vdata|vorigin|wcorig)/;

/** The device mapper takes 127 characters, with the group's name and a second hyphen for each one. */
const longestName = 100;

/** What mkfs.xfs refuses to go below (xfsprogs 5.19 and later). */
const xfsMinimum = 300 * mebibyte;

/**
 * BIOS boot partition and ESP, and /boot where the root is in LVM. In one root they are within what the distribution
 * takes, which is said of such a disk.
 */
const fixedBytes = { single: 0, separate: 129 * mebibyte, lvm: (129 + 1024) * mebibyte } as const;

/** Volumes and swap are beside the root, which must have what the distribution takes. */
export function checkVolumes({ recipe, distro, placeOf }: PlanInputs): Problem[] {
  const { layout, volumes } = recipe.disk;
  if (layout === 'single' && volumes !== undefined) {
    const hint = 'Say `layout: separate` or `layout: lvm`.';
    return [{ place: placeOf(['disk', 'volumes']), message: 'the layout single has none', hint }];
  }
  return [...checkEachVolume({ recipe, distro, placeOf }), ...checkTogether({ recipe, distro, placeOf })];
}

type VolumeInputs = Pick<PlanInputs, 'recipe' | 'distro' | 'placeOf'>;

/** A size that the recipe does not say is made of its volumes, and is too large where they are. */
function checkTogether({ recipe, distro, placeOf }: VolumeInputs): Problem[] {
  const { layout, volumes, swap = 0, size } = recipe.disk;
  if (size > diskSizeLimitBytes) {
    const message = `makes a disk of ${formatSize(size)}; it must be less than 2 TiB, the most that a VMDK holds`;
    return [{ place: placeOf(['disk', volumes === undefined ? 'swap' : 'volumes']), message }];
  }
  const together = makeVolumes(recipe.disk).reduce((sum, volume) => sum + volume.size, swap + fixedBytes[layout]);
  if (size - together >= distro.diskMinimum || size < distro.diskMinimum) return [];
  const [taken, least] = [formatSize(together), formatSize(distro.diskMinimum)];
  const what = layout === 'single' ? 'swap takes' : 'volumes, boot partitions and swap take';
  const message = `${what} ${taken}, and ${distro.title} needs ${least} besides`;
  const hint = `Make the disk larger, or the ${layout === 'single' ? 'swap' : 'volumes'} smaller.`;
  return [{ place: placeOf(['disk', 'size']), message, hint }];
}

function checkEachVolume({ recipe, distro, placeOf }: VolumeInputs): Problem[] {
  const { volumes = [], filesystem, layout } = recipe.disk;
  const names = volumes.map(({ path }) => volumeName(path));
  return volumes.flatMap(({ path, size }, index): Problem[] => {
    const wrong = (setting: 'path' | 'size', message: string): Problem[] => [
      { place: placeOf(['disk', 'volumes', index, setting]), message },
    ];
    if (unmountable.test(path)) return wrong('path', `${path} cannot be a file system of its own`);
    const isRepeated = names.indexOf(volumeName(path)) < index;
    const obstacle = layout === 'lvm' ? findNameObstacle(volumeName(path)) : undefined;
    if (obstacle) return wrong('path', `${path} ${obstacle}`);
    if (isRepeated && layout === 'lvm') return wrong('path', `${path} has the same name in LVM as another volume`);
    // The name is also what actions of curtin refer to each other by.
    if (isRepeated && distro.family === 'ubuntu') return wrong('path', `${path} has the same name as another volume`);
    if (filesystem !== 'xfs' || size >= xfsMinimum) return [];
    return wrong('size', `XFS needs ${formatSize(xfsMinimum)} at least, not ${formatSize(size)}`);
  });
}

/** What keeps a name from being a logical volume's, to be said after its path. */
function findNameObstacle(name: string): string | undefined {
  if (name.length > longestName) return `is too long for LVM: at most ${longestName} characters`;
  return reservedByLvm.test(name) ? `makes the name ${name}, which LVM keeps for itself` : undefined;
}

/** `/var/log` is `var_log`: the name of its logical volume. */
export function volumeName(path: string): string {
  return path.slice(1).replaceAll(/[/-]/g, '_');
}
