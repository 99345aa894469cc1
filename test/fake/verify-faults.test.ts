import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeSite, makeFakeSite } from './fake-site.ts';

const kernel = { serial: 'Linux version 6.12 (the image)' };

describe('a sealed image that does not boot', () => {
  let site: FakeSite;
  beforeEach(async () => {
    site = await makeFakeSite();
  });
  afterEach(() => site.close());

  const cases: readonly {
    readonly title: string;
    readonly firstBoot: readonly object[];
    readonly args?: readonly string[];
    readonly says: readonly RegExp[];
    /** A machine that has ended has no screen. */
    readonly hasScreen: boolean;
  }[] = [
    {
      title: 'a kernel panic',
      firstBoot: [kernel, { serial: 'Kernel panic - not syncing: VFS: Unable to mount root fs' }],
      says: [/error: The guest's kernel panicked: .*VFS/, /memory/],
      hasScreen: true,
    },
    {
      title: 'a host key that never comes, the limit being 3 s',
      firstBoot: [
        kernel,
        { fetchFirstBoot: 'meta-data' },
        // More than are shown.
        ...Array.from({ length: 40 }, (_, index) => ({ serial: `[ OK ] Started unit ${index}.` })),
        { prompt: 'localhost login: ' },
      ],
      args: ['--set', 'limits.ssh=3s'],
      says: [
        /error: Waited 3 s for the booted image to print its SSH host key/,
        /First-boot requests:\n {2}GET nocloud\/meta-data 200\n/,
        / {2}localhost login:/,
      ],
      hasScreen: true,
    },
    {
      title: 'QEMU killed by a signal',
      firstBoot: [kernel, { waitMs: 300 }, { die: 'SIGKILL' }],
      says: [/error: QEMU was ended by SIGKILL/, /dmesg/],
      hasScreen: false,
    },
  ];

  it.each(cases)(
    '$title: exit 1 within 15 s, a report to act on, nothing left',
    async ({ firstBoot, args = [], says, hasScreen }) => {
      const { exitCode, said, seconds } = await site.build({ scenario: { like: 'builds', firstBoot }, args }).ended;
      expect(exitCode, said).toBe(1);
      expect(seconds).toBeLessThan(15);
      for (const words of says) expect(said).toMatch(words);
      expect(said).toMatch(/Waiting for:\n {2}the sealed image to print its SSH host key and let its user in\n/);
      expect(said.match(/^Serial console:$/gm)).toHaveLength(1);
      const log = / {2}(\S+\/reports\/\S+\/serial\.log)\n/.exec(said)?.[1] ?? '';
      expect(await readFile(log, 'utf8')).toContain(kernel.serial);
      expect(/ {2}\S+\/reports\/\S+\/screen\.png\n/.test(said), said).toBe(hasScreen);
      expect(await site.leftovers()).toEqual([]);
    },
  );
});
