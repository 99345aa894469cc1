import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packageManagers } from '../../../src/guest/packages/package-manager.ts';
import { checkSealed } from '../../../src/guest/seal.ts';
import { makeFarewellScript, makeSealScript, sealedMark } from '../../../src/guest/seal-script.ts';
import { phaseVersions } from '../../../src/plan/layer-keys.ts';
import { historyFiles } from '../../../src/recipe/sealed-files.ts';
import { planForDistro } from '../answer-file/answer-inputs.ts';

const plan = await planForDistro('debian-13', {
  imageMirror: 'http://mirror.example/debian',
  imageSecurityMirror: 'http://mirror.example/debian-security',
});
const facts = {
  buildUser: 'kvmimg-build',
  hostname: 'node-1',
  packageSources: packageManagers.debian.leavePublic(plan),
  traces: ['10.0.2.2', 'kvmimg-build'],
};

describe('the seal', () => {
  it.each([
    ['while SSH is up', makeSealScript(facts)],
    ['last act', makeFarewellScript(facts)],
  ])('is a valid shell script (%s)', (_, script) => {
    execFileSync('sh', ['-n'], { input: script });
  });

  it('leaves the image with the mirrors that it is told', () => {
    const script = makeSealScript(facts);
    expect(script).toContain('URIs: http://mirror.example/debian\nSuites: trixie trixie-updates\n');
    expect(script).toContain('URIs: http://mirror.example/debian-security\nSuites: trixie-security\n');
  });

  it('goes by a forced power-off, so that nothing writes state after the last look', () => {
    expect(makeFarewellScript(facts).trimEnd().split('\n').at(-1)).toBe('systemctl poweroff --force');
  });
});

/** Runs lines of a script on files below `root` in place of the guest's; refuses what would touch this machine's. */
function runBelow(root: string, lines: string): void {
  const moved = lines.replaceAll(/(?<=[\s>"'])\/(?=[a-z])(?!dev\/null)/g, `${root}/`);
  const left = moved.replaceAll(`${root}/`, '').match(/(?<![\w.*$}{-])\/(?!dev\/null)\w+/g) ?? [];
  expect(left).toEqual([]);
  execFileSync('sh', ['-eu'], { input: moved, stdio: ['pipe', 'pipe', 'ignore'] });
}

/** From the line that begins so to the one that ends it. */
function linesFrom(script: string, begin: string, end: string): string {
  const from = script.indexOf(`\n${begin}`) + 1;
  expect(from, begin).toBeGreaterThan(0);
  return script.slice(from, script.indexOf(`\n${end}\n`, from) + end.length + 2);
}

describe('what the seal does to files', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'kvmimg-seal-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const list = (): string[] =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(root, join(parentPath, name)))
      .sort();

  describe('of iSCSI', () => {
    const lines = linesFrom(makeSealScript(facts), 'if [ -e /etc/iscsi', 'fi');
    const name = 'etc/iscsi/initiatorname.iscsi';
    const checks = 'lib/open-iscsi/startup-checks.sh';

    it('has Debian and Ubuntu make a new name, which they do only when the file says so', () => {
      write(checks, 'if grep -q "^GenerateName=yes" $NAMEFILE ; then\n');
      write(name, 'InitiatorName=iqn.1993-08.org.debian:01:1234\n');
      runBelow(root, lines);
      expect(readFileSync(join(root, name), 'utf8')).toBe('GenerateName=yes\n');
    });

    it('leaves no file where a service makes one that is missing', () => {
      write(name, 'InitiatorName=iqn.1994-05.com.redhat:1234\n');
      runBelow(root, lines);
      expect(list()).toEqual([]);
    });

    it('makes no file where there was none', () => {
      write(checks, 'GenerateName=yes\n');
      runBelow(root, lines);
      expect(list()).toEqual([checks]);
    });
  });

  it('removes the histories of root and of users, and nothing else of theirs', () => {
    for (const home of ['root', 'home/ops']) {
      for (const name of [...historyFiles, '.profile', '.zshrc', 'work/.bash_history']) write(`${home}/${name}`, 'x');
    }
    runBelow(root, linesFrom(makeSealScript(facts), 'for home in', 'done'));
    const kept = ['.profile', '.zshrc', 'work/.bash_history'];
    expect(list()).toEqual(['home/ops', 'root'].flatMap((home) => kept.map((name) => `${home}/${name}`)));
  });

  it("removes the network file of Ubuntu's installer, and not what another has put there", () => {
    const lines = linesFrom(makeSealScript(facts), 'if grep -qsF "written by', 'fi');
    const path = 'etc/netplan/00-installer-config.yaml';
    write('etc/netplan/01-netcfg.yaml', 'network: {}\n');
    write(path, 'network: {}\n');
    runBelow(root, lines);
    expect(list()).toEqual([path, 'etc/netplan/01-netcfg.yaml']);
    write(path, "# This is the network config written by 'subiquity'\nnetwork: {}\n");
    runBelow(root, lines);
    expect(list()).toEqual(['etc/netplan/01-netcfg.yaml']);
  });

  it('removes rotated logs, however they are compressed, and keeps the others', () => {
    const rotated = [
      'a.gz',
      'a.xz',
      'a.bz2',
      'a.zst',
      'a.1',
      'messages-20261123',
      'app/a-20261123.zst',
      'a.log',
      'syslog',
    ];
    for (const name of [...rotated, 'messages', 'wtmp', 'app/current']) write(`var/log/${name}`, 'x');
    const [lines = ''] = /^find \/var\/log [\s\S]*? -delete$/m.exec(makeFarewellScript(facts)) ?? [];
    runBelow(root, lines);
    expect(list()).toEqual(['var/log/app/current', 'var/log/messages', 'var/log/wtmp']);
  });
});

describe('the search for traces', () => {
  it('finds the address and the name, and not what only looks like them', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kvmimg-traces-'));
    const [line = ''] = makeFarewellScript(facts)
      .split('\n')
      .filter((each) => each.includes('grep -rI'));
    const search = (/\$\((grep .*?) 2>/.exec(line)?.[1] ?? '').replace(/ \/etc .*/, ` ${folder}`);
    writeFileSync(join(folder, 'harmless'), '9f10a0b2c2d4  usr/bin/x\n10.0.2.20 other.example\n');
    writeFileSync(join(folder, 'address'), 'deb http://10.0.2.2:8080/debian\n');
    writeFileSync(join(folder, 'name'), 'x:kvmimg-build:y\n');
    try {
      const found = execFileSync('sh', ['-c', search]).toString().trim().split('\n').sort();
      expect(found).toEqual([join(folder, 'address'), join(folder, 'name')]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('what the seal layer is made by', () => {
  it('has not changed without a new version in src/plan/layer-keys.ts (then take over the new digest here)', () => {
    const scripts = [makeSealScript(facts), makeFarewellScript(facts)].join();
    expect(phaseVersions.seal).toBe(2);
    expect(createHash('sha256').update(scripts).digest('hex')).toMatchInlineSnapshot(
      `"2efe4ba642815c5f3cd533d2c7ae3974345134bd3817b8676d8643f23536e780"`,
    );
  });
});

describe('checkSealed', () => {
  it('is content with the mark on the console, also behind other text', () => {
    expect(() => checkSealed(['[  81.2] reboot', `noise ${sealedMark}`])).not.toThrow();
  });

  it('names each leftover', () => {
    const lines = [
      'kvmimg-seal: leftover: machine-id',
      'x kvmimg-seal: leftover: /root/.ssh/authorized_keys',
      sealedMark,
    ];
    expect(() => checkSealed(lines)).toThrow('The sealed image still holds: machine-id, /root/.ssh/authorized_keys.');
  });

  it('does not take silence for clean', () => {
    expect(() => checkSealed(['[  81.2] reboot: Power down'])).toThrow('without saying that the image is clean');
  });
});
