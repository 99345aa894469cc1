import type { Problem } from '../errors.ts';
import { makeVolumes } from '../recipe/install-settings.ts';
import { formatSize } from '../recipe/quantities.ts';
import type { PlanInputs } from './make-plan.ts';

const mebibyte = 2 ** 20;

/** Folders that the system needs before it mounts volumes, or that kvmimg lays out itself. */
const unmountable = /^\/(boot(\/.*)?|etc|proc|sys|dev|run|usr|bin|sbin|lib|lib64|root)$/;

/** What mkfs.xfs refuses to go below (xfsprogs 5.19 and later). */
const xfsMinimum = 300 * mebibyte;

/** BIOS boot partition and ESP, and /boot where the root is in LVM. */
const fixedBytes = { single: 129 * mebibyte, separate: 129 * mebibyte, lvm: (129 + 1024) * mebibyte } as const;

/** Volumes are beside the root, which must have what the distribution takes. */
export function checkVolumes({ recipe, distro, placeOf }: PlanInputs): Problem[] {
  const { layout, volumes, swap = 0, size } = recipe.disk;
  if (layout === 'single' && volumes !== undefined) {
    const hint = 'Say `layout: separate` or `layout: lvm`.';
    return [{ place: placeOf(['disk', 'volumes']), message: 'the layout single has none', hint }];
  }
  const together = makeVolumes(recipe.disk).reduce((sum, volume) => sum + volume.size, swap + fixedBytes[layout]);
  const problems = checkEachVolume({ recipe, placeOf });
  if (layout === 'single' || size - together >= distro.diskMinimum || size < distro.diskMinimum) return problems;
  const [taken, least] = [formatSize(together), formatSize(distro.diskMinimum)];
  const message = `volumes, boot partitions and swap take ${taken}, and ${distro.title} needs ${least} besides`;
  const hint = 'Make the disk larger, or the volumes smaller.';
  return [...problems, { place: placeOf(['disk', 'size']), message, hint }];
}

function checkEachVolume({ recipe, placeOf }: Pick<PlanInputs, 'recipe' | 'placeOf'>): Problem[] {
  const { volumes = [], filesystem } = recipe.disk;
  const names = volumes.map(({ path }) => volumeName(path));
  return volumes.flatMap(({ path, size }, index): Problem[] => {
    const place = (setting: string): string => placeOf(['disk', 'volumes', index, setting]);
    if (unmountable.test(path))
      return [{ place: place('path'), message: `${path} cannot be a file system of its own` }];
    if (names.indexOf(volumeName(path)) < index) {
      return [{ place: place('path'), message: `${path} has the same name in LVM as another volume` }];
    }
    if (filesystem === 'xfs' && size < xfsMinimum) {
      return [
        { place: place('size'), message: `XFS needs ${formatSize(xfsMinimum)} at least, not ${formatSize(size)}` },
      ];
    }
    return [];
  });
}

/** `/var/log` is `var_log`: the name of its logical volume. */
export function volumeName(path: string): string {
  return path.slice(1).replaceAll(/[/-]/g, '_');
}
