import { describe, expect, it } from 'vitest';
import { findWarnings } from '../../../src/plan/warnings.ts';
import { distro, makeRecipe } from './plan-inputs.ts';

const bridge = { sysctls: { 'net.bridge.bridge-nf-call-iptables': 1 } };
const warningsOf = (settings: Parameters<typeof makeRecipe>[0], release = '13') =>
  findWarnings({ recipe: makeRecipe(settings), distro: { ...distro, release } });

describe('the time zone of a plan', () => {
  it.each([
    ['US/Eastern', 'America/New_York'],
    ['Canada/Pacific', 'America/Vancouver'],
    ['GB', 'Europe/London'],
    ['Japan', 'Asia/Tokyo'],
  ])('%s is better said as %s where tzdata has no old names', (timezone, byCity) => {
    expect(warningsOf({ timezone })).toEqual([
      `timezone: Testian 1 has ${timezone} in tzdata-legacy alone, and the install may fail. Use ${byCity}.`,
    ]);
  });

  it.each(['Etc/UTC', 'UTC', 'GMT', 'Etc/GMT+5', 'EST5EDT', 'Europe/Kyiv', 'Asia/Kolkata', 'America/Indianapolis'])(
    '%s is nothing to speak of',
    (timezone) => {
      expect(warningsOf({ timezone })).toEqual([]);
    },
  );

  it('can be an old name where there is a package of them', () => {
    expect(warningsOf({ timezone: 'US/Eastern' }, '12')).toEqual([]);
    expect(warningsOf({ timezone: 'US/Eastern', packages: ['tzdata-legacy'] })).toEqual([]);
  });
});

describe('sysctls of a bridge', () => {
  it.each([
    ['no step', [bridge]],
    [
      'a file that only a boot reads',
      [{ files: [{ path: '/etc/modules-load.d/k8s.conf', content: 'br_netfilter' }] }, bridge],
    ],
    ['a script of something else', [{ scripts: [{ run: 'true' }] }, bridge]],
    ['a script that comes too late', [bridge, { scripts: [{ run: 'modprobe br_netfilter' }] }]],
  ])('are not there after %s', (_, provision) => {
    expect(warningsOf({ provision })).toEqual([
      expect.stringContaining('net.bridge.bridge-nf-call-iptables is there only while br_netfilter is loaded'),
    ]);
  });

  it.each([
    ['a script that loads the module', { run: 'modprobe br_netfilter' }],
    ['a script that may load it', { source: 'setup.sh' }],
  ])('may be there after %s', (_, script) => {
    expect(warningsOf({ provision: [{ scripts: [script] }, bridge] })).toEqual([]);
  });
});
