import { KvmimgError } from '../errors.ts';
import type { ElementCheck } from '../guest/elements.ts';
import type { PackageManager } from '../guest/packages/package-manager.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { BootedImage } from './boot-image.ts';

const checkLimitMs = 2 * 60_000;

/** What the standing checks depend on. */
export interface ImageFacts {
  readonly packages: Pick<PackageManager, 'checkDatabase'>;
  /** Undefined where the user's own answer file has made it. */
  readonly disk: Pick<Recipe['disk'], 'layout' | 'swap'> | undefined;
}

const rootGrown: ElementCheck = {
  // The root is within 7 % of the disk: it has grown, and nothing lies behind it.
  element: 'root grown to the disk',
  words: [
    'sh',
    '-c',
    'root=$(findmnt -no SOURCE /); disk=/dev/$(lsblk -no PKNAME "$root"); test $(blockdev --getsize64 "$root") -gt $(($(blockdev --getsize64 "$disk") * 93 / 100))',
  ],
};

/** What a booted image has to fulfil. */
const makeImageChecks = ({ packages, disk }: ImageFacts): readonly ElementCheck[] => [
  {
    element: 'no failed unit',
    words: ['sh', '-c', 'systemctl --failed --no-legend --plain; test -z "$(systemctl --failed --no-legend --plain)"'],
  },
  { element: 'machine-id of its own', words: ['test', '-s', '/etc/machine-id'] },
  { element: 'no password', words: ['sh', '-c', "! awk -F: '$2 !~ /^[!*]/' /etc/shadow | grep ."] },
  ...(disk && disk.swap === undefined
    ? [{ element: 'no swap', words: ['sh', '-c', '! tail -n +2 /proc/swaps | grep .'] }]
    : []),
  { element: 'package database whole', words: packages.checkDatabase },
  ...(disk?.layout === 'single' ? [rootGrown] : []),
];

/**
 * Runs the checks in a booted image: the standing ones and those that the recipe's elements are.
 *
 * @throws KvmimgError `image-check`, naming each that fails with what it wrote.
 */
export async function checkImage(
  booted: BootedImage,
  elementChecks: readonly ElementCheck[],
  facts: ImageFacts,
): Promise<void> {
  const { guest, watched } = booted;
  const failures: string[] = [];
  for (const check of [...makeImageChecks(facts), ...elementChecks]) {
    const okExitCodes = Array.from({ length: 255 }, (_, code) => code);
    const result = await guest.runAsRoot(check.words, { signal: watched.signal, okExitCodes, timeoutMs: checkLimitMs });
    if (result.exitCode === 0) continue;
    const said = `${result.stdout}${result.stderr}`.trim();
    failures.push(said === '' ? check.element : `${check.element}: ${said}`);
  }
  if (failures.length === 0) return;
  throw new KvmimgError({
    code: 'image-check',
    message: `The booted image does not have what was declared: ${failures.map((failure) => failure.split('\n')[0]).join('; ')}.`,
    hint: 'See what each check said; a later provision step may have undone an earlier one.',
    evidence: [{ title: 'Failed checks', lines: failures.flatMap((failure) => failure.split('\n')) }],
  });
}
