import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageManagers } from '../../../src/guest/packages/package-manager.ts';
import { checkSealed } from '../../../src/guest/seal.ts';
import { makeFarewellScript, makeSealScript, sealedMark } from '../../../src/guest/seal-script.ts';
import { phaseVersions } from '../../../src/plan/layer-keys.ts';
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
    expect(phaseVersions.seal).toBe(1);
    expect(createHash('sha256').update(scripts).digest('hex')).toMatchInlineSnapshot(
      `"28740d8cbaf4c9dcb6bd10345a89ce1f284faf18d6d9939ab4cc670178983404"`,
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
