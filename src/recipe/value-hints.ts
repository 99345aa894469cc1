import { formatPath, type Path } from './path.ts';

/** What people write who do not know a setting yet, and what to do about it. `setting` is tested on paths with `[*]` for each entry. */
interface ValueHint {
  readonly setting: RegExp;
  /** The hint for a value; undefined where it does not fit. */
  readonly find: (value: unknown) => string | undefined;
}

const valueHints: readonly ValueHint[] = [
  { setting: /^users\[\*\]\.sshKeys\[\*\]$/, find: when(/^[~./]|\.pub$/, 'Paste the content of the file.') },
  {
    setting: /^provision\[\*\]\.scripts\[\*\]$/,
    find: (value) => (typeof value === 'string' ? `Such as { source: ${value} } or { run: … }` : undefined),
  },
  {
    setting: /^disk\.volumes\[\*\]\.path$/,
    find: when(/^\/$/, '/ has what the volumes leave; disk.size says how much.'),
  },
  { setting: /^proxy$/, find: when(/@/, 'Put one with a password into the variables http_proxy and https_proxy.') },
  { setting: /^disk\.swap$/, find: (value) => (Number(value) === 0 ? 'Leave it out for no swap.' : undefined) },
  { setting: /^(memory|disk\.(size|swap)|disk\.volumes\[\*\]\.size)$/, find: findSizeHint },
  { setting: /^hostname$/, find: when(/^[A-Za-z0-9-]+\./, 'Say it without a domain; first-boot data gives that.') },
  {
    setting: /^(provision\[\*\]\.)?packages\[\*\]$/,
    find: when(/.=./, 'To choose a version, install it in a script, or name a repository that has only that one.'),
  },
];

/** For names that are no settings, where another one that is near would lead astray. */
const keyHints: readonly { readonly setting: RegExp; readonly hint: string }[] = [
  { setting: /^users\[\*\]\.(password|passwd)$/, hint: 'Nobody has a password: users log in by sshKeys.' },
  { setting: /^provision\[\*\]\.(shell|run|inline|command)$/, hint: 'Did you mean scripts: [{ run: … }]?' },
];

/** What to do about a value that is wrong; undefined where its message says all. */
export function findValueHint(path: Path, value: unknown): string | undefined {
  const setting = patternOf(path);
  return valueHints.filter((hint) => hint.setting.test(setting)).flatMap((hint) => hint.find(value) ?? [])[0];
}

/** The same for a name that is no setting. */
export function findKeyHint(path: Path): string | undefined {
  const setting = patternOf(path);
  return keyHints.find((hint) => hint.setting.test(setting))?.hint;
}

/** `users[*].name` */
function patternOf(path: Path): string {
  return formatPath(path).replace(/\[\d+\]/g, '[*]');
}

function when(pattern: RegExp, hint: string): ValueHint['find'] {
  return (value) => (typeof value === 'string' && pattern.test(value) ? hint : undefined);
}

/** A number that is small was not meant as bytes: GiB, or MiB of memory. */
function findSizeHint(value: unknown): string | undefined {
  const text = String(value);
  return /^[1-9]\d{0,3}$/.test(text)
    ? `${text} is bytes; write ${text}${Number(text) < 64 ? 'GiB' : 'MiB'}.`
    : undefined;
}
