import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkInstalled } from '../../../src/guest/installed-checks.ts';
import { makeRecipe } from '../plan/plan-inputs.ts';
import { runCheck } from './run-check.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kvmimg-installed-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function checkKeyboard(keyboard: string, files: Readonly<Record<string, string>>) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const check = checkInstalled(makeRecipe({ keyboard })).find(({ element }) => element === `keyboard ${keyboard}`);
  return runCheck(check?.words ?? [], { moved: { '/etc/': `${root}/etc/` } });
}

/** As preseed/base.sh and Ubuntu's installer write it. */
const debian = (layout: string, variant: string) => ({
  'etc/default/keyboard': `XKBMODEL="pc105"\nXKBLAYOUT="${layout}"\nXKBVARIANT="${variant}"\nXKBOPTIONS=""\nBACKSPACE="guess"\n`,
});
/** As photon/postinstall.sh writes it. */
const photon = (layout: string, variant: string) => ({
  'etc/vconsole.conf': `KEYMAP=${layout}\nXKBLAYOUT=${layout}\nXKBVARIANT=${variant}\n`,
});
/** As Anaconda writes the one and systemd-localed the other. */
const anaconda = (keymap: string, layout: string, variant: string) => ({
  'etc/vconsole.conf': `KEYMAP="${keymap}"\nFONT="eurlatgr"\n`,
  'etc/X11/xorg.conf.d/00-keyboard.conf': [
    '# Written by systemd-localed(8), read by systemd-localed and Xorg.',
    'Section "InputClass"',
    '        Identifier "system-keyboard"',
    '        MatchIsKeyboard "on"',
    `        Option "XkbLayout" "${layout}"`,
    ...(variant === '' ? [] : [`        Option "XkbVariant" "${variant}"`]),
    'EndSection\n',
  ].join('\n'),
});
const keymapOnly = (keymap: string) => ({ 'etc/vconsole.conf': `KEYMAP="${keymap}"\nFONT="eurlatgr"\n` });

describe('the check of the keyboard', () => {
  it.each([
    ['us', debian('us', '')],
    ['de(nodeadkeys)', debian('de', 'nodeadkeys')],
    ['ru', debian('us,ru', ',')],
    ['rs(latin)', debian('us,rs', ',latin')],
    ['us', {}],
    ['de(nodeadkeys)', photon('de', 'nodeadkeys')],
    ['us', anaconda('us', 'us', '')],
    ['de(nodeadkeys)', anaconda('de-nodeadkeys', 'de', 'nodeadkeys')],
    ['gb', anaconda('uk', 'gb', '')],
    ['gb', keymapOnly('uk')],
    ['us(intl)', keymapOnly('us-intl')],
    ['us', keymapOnly('us')],
  ])('is content with %s in %j', (keyboard, files) => {
    expect(checkKeyboard(keyboard, files)).toEqual({ passes: true, said: '' });
  });

  it.each([
    ['de', debian('us', ''), 'it is us\n'],
    ['de', debian('de', 'nodeadkeys'), 'it is de (nodeadkeys)\n'],
    ['de(nodeadkeys)', debian('de', ''), 'it is de\n'],
    ['de(nodeadkeys)', debian('de,us', ',nodeadkeys'), 'it is de,us (,nodeadkeys)\n'],
    ['de', {}, 'it is us\n'],
    ['de', photon('dk', ''), 'it is dk\n'],
    ['de', anaconda('us', 'us', ''), 'it is us\n'],
    ['us', anaconda('de-nodeadkeys', 'de', 'nodeadkeys'), 'it is de (nodeadkeys)\n'],
    ['us', keymapOnly('uk'), ''],
    ['gb', keymapOnly('us'), 'it is us\n'],
  ])('does not take another for %s: %j', (keyboard, files, said) => {
    expect(checkKeyboard(keyboard, files)).toEqual({ passes: false, said });
  });
});
