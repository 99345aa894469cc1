import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dnf } from '../../../src/guest/packages/dnf.ts';
import { packageManagers } from '../../../src/guest/packages/package-manager.ts';
import { makePlan } from '../../../src/plan/make-plan.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import { makeInputs } from '../plan/plan-inputs.ts';
import { publicKey } from '../public-key.ts';
import { runCheck } from './run-check.ts';

const oldRoot = `http://10.0.2.2:1111/${'a'.repeat(32)}`;
const newRoot = `http://10.0.2.2:2222/${'b'.repeat(32)}`;
const repositories = [{ name: 'more', url: 'https://repo.example.org/more', key: publicKey }];

function makeTestPlan(): Plan {
  const made = makePlan(makeInputs({ recipe: { repositories } }));
  if ('problems' in made) throw new Error(JSON.stringify(made.problems));
  return made.plan;
}

/** The same build of a distribution with repositories of RPMs. */
function makeRpmPlan(): Plan {
  const plan = makeTestPlan();
  const {
    installerLocks: _,
    skipUdebs: __,
    basePackages: ___,
    ...facts
  } = plan.distro as Extract<Plan['distro'], { readonly family: 'debian' }>;
  const baseos = { id: 'baseos', path: '9/BaseOS/{arch}/os' };
  return {
    ...plan,
    distro: {
      ...facts,
      ...{
        family: 'redhat',
        kickstartVersion: 'RHEL9',
        iso: {},
        repositories: [baseos],
        subscription: false,
        hasTree: true,
      },
      mirrors: { public: 'http://public.example.org/debian' },
    },
  };
}

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kvmimg-packages-'));
  for (const folder of ['etc/apt/sources.list.d', 'etc/yum.repos.d', 'var/lib/apt/lists', 'var/cache', 'bin']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  for (const name of ['dnf', 'rpm', 'chown']) {
    writeFileSync(join(root, 'bin', name), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  }
});
afterEach(() => rmSync(root, { recursive: true }));

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const list = (path: string): string[] => readdirSync(join(root, path)).sort();

/** Runs a script as in the guest, whose /etc and /var are folders of this test: every one of these names, wherever it stands. */
function runInGuest(script: string): void {
  const moved = script.replaceAll(/\/(etc|var)\//g, `${root}/$1/`);
  const wipe = 'set -eu\nwipe() { rm -f "$@"; }\n';
  const input = script.includes('wipe ') ? `${wipe}${moved}` : moved;
  execFileSync('/bin/sh', ['-s'], { input, env: { PATH: `${root}/bin:/usr/bin:/bin` } });
}

describe('apt', () => {
  const apt = packageManagers.debian;
  const file = (address: string) => `URIs: ${address}/repository-more\n`;

  it('is pointed at the build, keeps what it has read of an earlier one, and goes public in the end', () => {
    write('etc/apt/sources.list.d/more.sources', file(oldRoot));
    write('etc/apt/sources.list.d/kvmimg-build.list', `deb ${oldRoot}/debian testy-updates main\n`);
    runInGuest(apt.pointAtBuild(makeTestPlan(), oldRoot, 'installer'));
    expect(read('etc/apt/sources.list').split('\n')[0]).toBe(`deb ${oldRoot}/debian testy main`);
    expect(list('etc/apt/sources.list.d')).toEqual(['more.sources']);

    write(`var/lib/apt/lists/10.0.2.2:1111_${'a'.repeat(32)}_debian_dists_testy_InRelease`, 'read\n');
    runInGuest(apt.pointAtBuild(makeTestPlan(), newRoot, 'build'));
    expect(read('etc/apt/sources.list')).not.toContain(oldRoot);
    expect(read('etc/apt/sources.list.d/more.sources')).toBe(file(newRoot));
    expect(list('var/lib/apt/lists')).toEqual([`10.0.2.2:2222_${'b'.repeat(32)}_debian_dists_testy_InRelease`]);

    runInGuest(apt.leavePublic(makeTestPlan()));
    expect(existsSync(join(root, 'etc/apt/sources.list'))).toBe(false);
    expect(read('etc/apt/sources.list.d/more.sources')).toBe('URIs: https://repo.example.org/more\n');
    expect(read('etc/apt/sources.list.d/debian.sources')).toContain('URIs: http://public.example.org/debian\n');
    expect(list('var/lib/apt/lists')).toEqual(['auxfiles', 'partial']);
  });
});

describe("the list of apt's packages", () => {
  const programs = (): string => join(root, 'bin');
  const useQuery = (...args: readonly string[]): void =>
    writeFileSync(join(programs(), 'dpkg-query'), `#!/bin/sh\n${args.join(' ')} "$@"\n`, { mode: 0o755 });

  it('has no package that is removed and has left its configuration', () => {
    const stanza = (name: string, status: string): string =>
      `Package: ${name}\nStatus: ${status}\nVersion: 1.0-1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: a\n`;
    write(
      'dpkg/status',
      [stanza('here', 'install ok installed'), stanza('gone', 'deinstall ok config-files')].join('\n'),
    );
    useQuery('/usr/bin/dpkg-query', `--admindir='${join(root, 'dpkg')}'`);
    expect(runCheck(packageManagers.debian.list, { programs: programs() })).toEqual({
      passes: true,
      said: 'here\t1.0-1\tall\n',
    });
  });

  it('fails where dpkg does', () => {
    useQuery('exit 2 #');
    expect(runCheck(packageManagers.debian.list, { programs: programs() })).toEqual({ passes: false, said: '' });
  });
});

describe('apt in a step', () => {
  const [update, install] = packageManagers.debian.install(['jq']);
  const wordsOf = (action: typeof update): readonly string[] => (action?.kind === 'command' ? action.words : []);

  it('waits for another apt that is at work', () => {
    for (const words of [wordsOf(update), wordsOf(install)])
      expect(words.join(' ')).toContain(' -o DPkg::Lock::Timeout=120 ');
  });

  it('waits until nobody has the lock of the package index', () => {
    const lock = 'var/lib/apt/lists/lock';
    write(lock, '');
    write('locks', `1: POSIX  ADVISORY  WRITE 7 fe:00:${statSync(join(root, lock)).ino} 0 EOF\n`);
    const log = join(root, 'log');
    writeFileSync(join(root, 'bin/sleep'), `#!/bin/sh\necho sleep >>${log}\n: >${root}/locks\n`, { mode: 0o755 });
    writeFileSync(join(root, 'bin/apt-get'), `#!/bin/sh\necho "$@" | grep -o 'update$' >>${log}\n`, { mode: 0o755 });
    const moved = { '/var/lib/': `${root}/var/lib/`, '/proc/locks': `${root}/locks` };
    expect(runCheck(wordsOf(update), { moved, programs: join(root, 'bin') }).passes).toBe(true);
    expect(read('log')).toBe('sleep\nupdate\n');
  });
});

describe('dnf', () => {
  const own = '[baseos]\nmirrorlist=https://mirrors.example.org\nenabled=1\n';

  it('is pointed at the build, and has the files of the distribution again in the end', () => {
    const plan = makeRpmPlan();
    write('etc/yum.repos.d/testian.repo', own);
    write('etc/yum.repos.d/more.repo', `[more]\nbaseurl=${oldRoot}/repository-more\n`);
    runInGuest(dnf.pointAtBuild(plan, oldRoot, 'installer'));
    expect(list('etc/yum.repos.d')).toEqual(['kvmimg-build.repo', 'more.repo']);
    expect(read('etc/yum.repos.d/kvmimg-build.repo')).toContain(`baseurl=${oldRoot}/packages/9/BaseOS/x86_64/os\n`);

    runInGuest(dnf.pointAtBuild(plan, newRoot, 'build'));
    expect(read('etc/yum.repos.d/kvmimg-build.repo')).toContain(`baseurl=${newRoot}/packages/`);
    expect(read('etc/yum.repos.d/more.repo')).toContain(`baseurl=${newRoot}/repository-more\n`);

    runInGuest(dnf.leavePublic(plan));
    expect(list('etc/yum.repos.d')).toEqual(['more.repo', 'testian.repo']);
    expect(read('etc/yum.repos.d/testian.repo')).toBe(own);
    expect(read('etc/yum.repos.d/more.repo')).toBe('[more]\nbaseurl=https://repo.example.org/more\n');
    expect(list('etc')).not.toContain('kvmimg-repos.d');
  });

  it('is left with another mirror, if the recipe names one for the image, and with what the recipe has added', () => {
    const plan = makeRpmPlan();
    write('etc/yum.repos.d/testian.repo', own);
    runInGuest(dnf.pointAtBuild(plan, oldRoot, 'installer'));
    write('etc/yum.repos.d/step.repo', '[step]\nbaseurl=http://step.example.org\nenabled=1\n');
    runInGuest(dnf.leavePublic({ ...plan, mirrors: { ...plan.mirrors, image: 'http://mine.example.org/t' } }));
    expect(read('etc/yum.repos.d/testian.repo')).toContain('enabled=0');
    expect(read('etc/yum.repos.d/step.repo')).toContain('enabled=1');
    expect(read('etc/yum.repos.d/kvmimg-mirror.repo')).toContain(
      'baseurl=http://mine.example.org/t/9/BaseOS/x86_64/os\n',
    );
  });
});

describe('rpm', () => {
  let bin: string;
  beforeEach(() => {
    bin = mkdtempSync(join(tmpdir(), 'kvmimg-rpm-'));
  });
  afterEach(() => rmSync(bin, { recursive: true }));

  it.each([
    ['a package with its version', 'kubelet-1.33.1', true],
    ['a provide', 'MTA', true],
    ['what is not there', 'kubelet-1.34.0', false],
  ])('finds %s', (_, name, expected) => {
    const rpm =
      '#!/bin/sh\ncase "$*" in "-q --quiet kubelet-1.33.1" | "-q --quiet --whatprovides MTA") ;; *) exit 1 ;; esac\n';
    writeFileSync(join(bin, 'rpm'), rpm, { mode: 0o755 });
    const [program = '', ...args] = dnf.checkInstalled(name);
    const { status } = spawnSync(program, args, { env: { PATH: `${bin}:${process.env.PATH}` } });
    expect(status === 0).toBe(expected);
  });
});
