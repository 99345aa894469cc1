import { describe, expect, it } from 'vitest';
import { findWarnings } from '../../../src/plan/warnings.ts';
import { findMeantLayout, knownKeyboardLayouts } from '../../../src/recipe/keyboard.ts';
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

describe('the language of a plan', () => {
  it.each([
    [{ locale: 'dk_DK.UTF-8' }, 'locale: glibc 2.41 has no dk_DK.UTF-8. Did you mean da_DK.UTF-8?'],
    [{ keyboard: 'uk' }, 'keyboard: XKB has no layout uk; most are called by their country. Did you mean gb?'],
    [{ keyboard: 'zz(nodeadkeys)' }, 'keyboard: XKB has no layout zz; most are called by their country.'],
  ])('%j is told', (settings, warning) => {
    expect(warningsOf(settings)).toEqual([warning]);
  });

  it.each([
    { locale: 'de_DE.UTF-8', keyboard: 'de(nodeadkeys)' },
    { locale: 'C.UTF-8', keyboard: 'latam' },
    { locale: 'zu_ZA.UTF-8', keyboard: 'al' },
    { locale: 'aa_DJ.UTF-8', keyboard: 'za' },
  ])('%j is nothing to speak of', (settings) => {
    expect(warningsOf(settings)).toEqual([]);
  });

  it('means layouts that there are by names that are none', () => {
    for (const language of ['cs', 'da', 'el', 'en', 'he', 'hi', 'ja', 'ko', 'sl', 'sv', 'uk']) {
      expect(knownKeyboardLayouts).not.toContain(language);
      expect(knownKeyboardLayouts).toContain(findMeantLayout(language));
    }
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
