import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { checkSealed } from '../../../src/guest/seal.ts';
import { makeFarewellScript, makeSealScript, sealedMark } from '../../../src/guest/seal-script.ts';

const facts = {
  buildUser: 'kvmimg-build',
  hostname: 'node-1',
  codename: 'trixie',
  mirror: 'http://mirror.example/debian',
  securityMirror: 'http://mirror.example/debian-security',
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
