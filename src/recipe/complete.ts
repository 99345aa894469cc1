import { makeVolumes } from './install-settings.ts';
import type { Recipe, RecipeSettings } from './schema.ts';

/** What a distro needs of a machine, in bytes. */
export interface MachineNeeds {
  readonly memoryMinimum: number;
  readonly diskMinimum: number;
}

const gibibyte = 2 ** 30;
const usualMemory = 2 * gibibyte;
const usualDisk = 8 * gibibyte;

/** Fills in the defaults that depend on the distro: enough memory and disk for its installer. */
export function completeRecipe(settings: RecipeSettings, { memoryMinimum, diskMinimum }: MachineNeeds): Recipe {
  const { memory = Math.max(usualMemory, memoryMinimum), disk } = settings;
  const beside = makeVolumes(disk).reduce((sum, volume) => sum + volume.size, disk.swap ?? 0);
  // The boot partitions, with 1 GiB for /boot in LVM, are within what is rounded up.
  const needed = Math.max(usualDisk, diskMinimum + beside + (disk.layout === 'single' ? 0 : 1.25 * gibibyte));
  const size = disk.size ?? Math.ceil(needed / gibibyte) * gibibyte;
  return { ...settings, memory, disk: { ...disk, size } };
}
