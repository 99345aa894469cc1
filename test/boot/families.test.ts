import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FamilySite, makeFamilySite } from './family-site.ts';

let site: FamilySite;
beforeAll(async () => {
  site = await makeFamilySite();
}, 5 * 60_000);
afterAll(() => site.close());

describe("a build with a family's tiny installer", () => {
  it.each([
    ['ubuntu', 'from the ISO of a --media folder', [], 'preparing', /\.iso$/],
    ['redhat', "from a mirror's tree", [], 'reading the answer file', /^vmlinuz initrd\.img install\.img$/],
    ['redhat', 'from an ISO', ['--set', 'installer.from=iso'], 'reading the answer file', /\.iso$/],
    ['photon', 'from its ISO, whose end is a reset', [], 'partitioning and installing packages', /\.iso$/],
  ] as const)('installs: %s, %s', async (family, _, flags, activity, from) => {
    const { exitCode, said, disk, media, fetched } = await site.build(family, 'installs', ...flags);
    expect(exitCode, said).toBe(0);
    expect(said).toContain(`install: ${activity}`);
    expect(disk).toBe(`tiny-installer: ${family} on vda`);
    expect(media.join(' ')).toMatch(from);
    // Of a tree once, before the guest asks for it.
    expect(fetched.filter((path) => path.endsWith('install.img'))).toHaveLength(
      activity === 'reading the answer file' && flags.length === 0 ? 1 : 0,
    );
  });
});

describe("a failure of a family's installer ends the build at once, with its log", () => {
  it.each([
    ['ubuntu', 'fails', 'A step of the installer has failed.', /journal of the installer/],
    ['ubuntu', 'asks', 'The installer has stopped to ask whether it may go on.', /Continue with autoinstall\?/],
    ['ubuntu', 'cannot-parse', 'it has found no answer file.', /GET seed\/user-data 200/],
    ['redhat', 'fails', 'The installer failed.', /exception: The scenario says so/],
    ['redhat', 'asks', 'The answer file leaves open what the installer must know', /mandatory spokes/],
    ['redhat', 'cannot-parse', 'its answer file.', /command: tiny/],
    ['photon', 'fails', 'The installer failed: Failed to install some packages', /Traceback/],
    [
      'photon',
      'cannot-parse',
      'The installer cannot read its answer file: Expecting value: line 1 column 1 (char 0)',
      /JSONDecodeError: Expecting value: line 1/,
    ],
    ['photon', 'asks', 'The installer has found no answer file, and asks on the console.', /LICENSE AGREEMENT/],
  ] as const)('%s, which %s: %s', async (family, scenario, message, logged) => {
    const { exitCode, said, report } = await site.build(family, scenario);
    expect(exitCode, said).toBe(1);
    expect(said).toContain(message);
    expect(Object.values(report).join('\n')).toMatch(logged);
  });
});
