import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EndedBuild, type FakeSite, makeFakeSite, type RunningBuild } from './fake-site.ts';

const started = [{ serial: 'Linux version 6.12 (fake)' }, { fetchAnswerFile: true }];

async function endWithin15Seconds(build: RunningBuild, signal: NodeJS.Signals): Promise<EndedBuild> {
  const beforeMs = performance.now();
  build.child.kill(signal);
  const ended = await build.ended;
  expect(performance.now() - beforeMs).toBeLessThan(15_000);
  return ended;
}

describe('a build that fails', () => {
  let site: FakeSite;
  beforeEach(async () => {
    site = await makeFakeSite();
  });
  afterEach(() => site.close());

  const cases: readonly {
    readonly title: string;
    readonly scenario: string | object;
    readonly args?: readonly string[];
    readonly says: readonly RegExp[];
  }[] = [
    {
      title: 'a question on the console',
      scenario: 'prompts',
      says: [/stopped to ask a question/, /Partition disks/, /Prompt: '\?' for help/, /preseed\/debian\.cfg/],
    },
    { title: 'QEMU killed by a signal', scenario: 'killed', says: [/QEMU was ended by SIGKILL/, /dmesg/] },
    { title: 'a crash of QEMU', scenario: 'crashes', says: [/QEMU crashed \(SIGSEGV\)/] },
    { title: 'a kernel panic', scenario: 'panics', says: [/kernel panicked: .*VFS/, /memory/] },
    { title: 'a full disk', scenario: 'disk-full', says: [/No space is left on the disk/, /KVMIMG_CACHE_DIR/] },
    { title: 'a reboot in place of a power-off', scenario: 'reboots', says: [/The guest rebooted/] },
    {
      title: 'an error of the installer in its log',
      scenario: {
        install: [
          ...started,
          { syslog: "main-menu[301]: WARNING **: Configuring 'bootstrap-base' failed with error code 1" },
        ],
      },
      says: [/step bootstrap-base failed with error code 1/, /The installer's log/],
    },
    {
      title: 'an error of the installer on its console, waiting for Enter',
      scenario: {
        install: [
          ...started,
          { serial: '!! ERROR: Failed to run preseeded command' },
          { serial: 'Execution of preseeded command "sh /tmp/early.sh" failed with exit code 1.' },
          { prompt: '[Press enter to continue] ' },
        ],
      },
      says: [/stopped and waits on the console: Failed to run preseeded command\./, /exit code 1/, /screen\.png/],
    },
    {
      title: 'a guest that is silent from the start, the limit being 2 s',
      scenario: { install: [{ serial: 'Linux version 6.12 (fake)' }] },
      args: ['--set', 'limits.silence=2s'],
      says: [/no sign of life for 2 s/, /to ask for its answer file, which it has never done/, /Requests .*\n *none/],
    },
    {
      title: 'a guest that falls silent, the limit being 2 s',
      scenario: { install: started },
      args: ['--set', 'limits.silence=2s'],
      says: [/no sign of life for 2 s/, /the installer to finish/, /GET seed\/preseed\.cfg 200/, /limits\.silence/],
    },
    {
      title: 'a late script that exits 3',
      scenario: {
        install: [...started, { syslog: 'log-output: cp: cannot stat /nothing' }, { fetch: 'callback/late-end/3' }],
      },
      says: [/late script .* exit code 3/, /cannot stat \/nothing/],
    },
    {
      title: 'a component of the installer that the mirror does not have',
      scenario: { install: [...started, { fetch: 'debian/pool/main/g/gone/gone-udeb_1_amd64.udeb' }] },
      says: [
        /needs its component gone-udeb_1_amd64\.udeb/,
        /http:\/\/127\.0\.0\.1:\d+\/debian\/pool\/main\/g\/gone\/gone-udeb_1_amd64\.udeb answers 404/,
        /another mirror with --mirror/,
        /GET seed\/preseed\.cfg 200/,
      ],
    },
    {
      title: 'SSH that never comes up, the limit being 3 s',
      // Nothing listens there; an attempt at one who listens and is mute takes 10 s.
      scenario: { like: 'installs', sshPort: 9 },
      args: ['--set', 'limits.ssh=3s'],
      says: [/installed system to answer by SSH|SSH server/, /Serial console/, /localhost login:/],
    },
    {
      title: 'QEMU that does not start',
      scenario: { start: "qemu-system-x86_64: -device nonsense: 'nonsense' is not a valid device model name" },
      says: [/ended as soon as it was started/, /nonsense/],
    },
  ];

  it.each(cases)(
    '$title: exit 1 within 15 s, a report to act on, nothing left',
    async ({ scenario, args = [], says }) => {
      const { exitCode, said, seconds } = await site.build({ scenario, args }).ended;
      expect(exitCode, said).toBe(1);
      expect(seconds).toBeLessThan(15);
      for (const words of says) expect(said).toMatch(words);
      expect(await site.leftovers()).toEqual([]);
    },
  );

  it('an unreachable mirror: says which one, before anything is started', async () => {
    const { exitCode, said, seconds } = await site.build({ scenario: 'installs', mirror: 'http://127.0.0.1:9/debian' })
      .ended;
    expect(exitCode, said).toBe(1);
    expect(said).toMatch(/mirror http:\/\/127\.0\.0\.1:9 cannot be reached: connection refused/);
    expect(seconds).toBeLessThan(15);
    expect(await site.leftovers()).toEqual([]);
  });

  it('Ctrl-C: cleans up and exits 130', async () => {
    const build = site.build({ scenario: 'silent' });
    await build.untilSaid('Run the installer');
    const { exitCode, said } = await endWithin15Seconds(build, 'SIGINT');
    expect(exitCode, said).toBe(130);
    expect(said).toContain('SIGINT');
    expect(await site.leftovers()).toEqual([]);
  });

  it('Ctrl-C twice against a QEMU that obeys nothing: ends at once with 130', async () => {
    const build = site.build({ scenario: 'stubborn' });
    await build.untilSaid('Run the installer');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    build.child.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 300));
    const beforeMs = performance.now();
    build.child.kill('SIGINT');
    const { exitCode, said } = await build.ended;
    expect(exitCode, said).toBe(130);
    expect(performance.now() - beforeMs).toBeLessThan(2_000);
    expect(await site.leftovers()).toEqual([]);
  });

  it('SIGTERM: cleans up and exits 130', async () => {
    const build = site.build({ scenario: 'silent' });
    await build.untilSaid('Run the installer');
    expect((await endWithin15Seconds(build, 'SIGTERM')).exitCode).toBe(130);
    expect(await site.leftovers()).toEqual([]);
  });

  it('kill -9: QEMU goes with it, and the next build sweeps the rest', async () => {
    const build = site.build({ scenario: 'silent' });
    await build.untilSaid('Run the installer');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    build.child.kill('SIGKILL');
    await build.ended;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await site.leftovers()).filter((left) => left.includes('qemu'))).toEqual([]);
    const next = await site.build({ scenario: 'prompts' }).ended;
    expect(next.exitCode).toBe(1);
    expect(next.said).toContain('had left');
    expect(await site.leftovers()).toEqual([]);
  });
});
