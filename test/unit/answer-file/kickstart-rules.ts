/** What pykickstart's parser does with a file, and what it accepts, written from its documentation and command table. */

export interface KickstartCommand {
  readonly name: string;
  readonly words: readonly string[];
}

export interface KickstartSection {
  readonly name: string;
  readonly words: readonly string[];
  readonly body: readonly string[];
}

export interface Kickstart {
  readonly commands: readonly KickstartCommand[];
  readonly sections: readonly KickstartSection[];
}

const sectionNames = ['pre', 'pre-install', 'post', 'onerror', 'traceback', 'packages', 'addon'];

/** A line ends where Python's `str.splitlines` says. */
const lineEnds = ['\r\n', ...'\n\r\v\f\u001c\u001d\u001e\u0085\u2028\u2029'];
const lineEnd = new RegExp(lineEnds.join('|'), 'u');

/** Reads a kickstart file. @throws Error in pykickstart's words. */
export function parseKickstart(text: string): Kickstart {
  const commands: KickstartCommand[] = [];
  const sections: { name: string; words: readonly string[]; body: string[] }[] = [];
  let open: (typeof sections)[number] | undefined;
  for (const line of text.split(lineEnd)) {
    const word = /^%[\w-]+/.exec(line)?.[0].slice(1);
    if (open) {
      if (word === 'end') open = undefined;
      else if (word !== undefined && sectionNames.includes(word)) throw new Error(`Section %${open.name} does not end`);
      else open.body.push(line);
      continue;
    }
    const [name, ...words] = splitWords(line);
    if (name === undefined) continue;
    if (!name.startsWith('%')) {
      commands.push({ name, words });
      continue;
    }
    if (!sectionNames.includes(name.slice(1))) throw new Error(`Unknown kickstart section: ${name}`);
    open = { name: name.slice(1), words, body: [] };
    sections.push(open);
  }
  if (open) throw new Error(`Section %${open.name} does not end with %end.`);
  return { commands, sections };
}

/** A piece of a word as shlex reads it: quoted, escaped or plain. */
const piece = /'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\#]+)/uy;

/** Python's `shlex.split(line, comments=True)`, in its POSIX mode. @throws Error as it does. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let rest = line.replace(/^[ \t\r\n]+/, '');
  while (rest !== '' && !rest.startsWith('#')) {
    const { word, length } = readWord(rest);
    words.push(word);
    rest = rest.slice(length).replace(/^[ \t\r\n]+/, '');
  }
  return words;
}

function readWord(text: string): { readonly word: string; readonly length: number } {
  let word = '';
  let length = 0;
  while (length < text.length && !/[ \t\r\n#]/.test(text.charAt(length))) {
    piece.lastIndex = length;
    const found = piece.exec(text);
    if (!found) throw new Error(text.endsWith('\\') ? 'No escaped character' : 'No closing quotation');
    const [whole, single, double, escaped, plain] = found;
    word += single ?? double?.replace(/\\(["\\])/g, '$1') ?? escaped ?? plain ?? '';
    length += whole.length;
  }
  return { word, length };
}

interface CommandRule {
  /** Options; with `=` those that take a value. */
  readonly options: readonly string[];
  /** Words that are no options: the least and the most. */
  readonly arguments?: readonly [least: number, most: number];
  readonly required?: readonly string[];
}

const file = ['--fstype=', '--size=', '--grow', '--maxsize=', '--fsoptions=', '--label=', '--mkfsoptions='];

/**
 * The commands that our template uses, as the handlers RHEL9, RHEL10, F43 and F44 have them: without options that are
 * deprecated or gone in any of these (`timezone --isUtc`, `--nontp` and `--ntpservers`, `repo --ignoregroups`, ...), for
 * a warning counts as an error.
 */
const rules: Readonly<Record<string, CommandRule>> = {
  bootloader: { options: ['--append=', '--location=', '--timeout=', '--boot-drive=', '--leavebootorder'] },
  cdrom: { options: [] },
  clearpart: { options: ['--all', '--none', '--drives=', '--initlabel', '--disklabel=', '--list='] },
  firewall: { options: ['--enabled', '--disabled', '--service=', '--port=', '--trust='] },
  firstboot: { options: ['--disabled', '--enabled', '--reconfig'] },
  ignoredisk: { options: ['--drives=', '--only-use='] },
  keyboard: { options: ['--vckeymap=', '--xlayouts=', '--switch='], arguments: [0, 1] },
  lang: { options: ['--addsupport='], arguments: [1, 1] },
  logvol: { options: [...file, '--vgname=', '--name='], arguments: [1, 1], required: ['--vgname', '--name'] },
  network: { options: ['--bootproto=', '--device=', '--hostname=', '--activate', '--onboot='] },
  part: { options: [...file, '--ondisk=', '--onpart=', '--asprimary'], arguments: [1, 1] },
  poweroff: { options: ['--eject'] },
  repo: { options: ['--name=', '--baseurl=', '--cost=', '--install', '--proxy='], required: ['--name', '--baseurl'] },
  rootpw: { options: ['--lock', '--iscrypted', '--plaintext'], arguments: [0, 1] },
  selinux: { options: ['--enforcing', '--permissive', '--disabled'] },
  skipx: { options: [] },
  sshkey: { options: ['--username='], arguments: [1, 1], required: ['--username'] },
  timesource: { options: ['--ntp-server=', '--ntp-pool=', '--ntp-disable', '--nts'] },
  timezone: { options: ['--utc'], arguments: [0, 1] },
  url: { options: ['--url=', '--mirrorlist=', '--metalink=', '--proxy=', '--noverifyssl'], required: ['--url'] },
  user: {
    options: ['--name=', '--lock', '--groups=', '--shell=', '--homedir=', '--uid=', '--gecos=', '--password='],
    required: ['--name'],
  },
  volgroup: { options: ['--pesize='], arguments: [2, 99] },
  zerombr: { options: [] },
};

const script: CommandRule = { options: ['--interpreter=', '--erroronfail', '--log='] };
const sectionRules: Readonly<Record<string, CommandRule>> = {
  pre: script,
  post: { options: [...script.options, '--nochroot'] },
  onerror: script,
  traceback: script,
  packages: { options: ['--exclude-weakdeps', '--excludedocs', '--inst-langs=', '--nocore', '--ignoremissing'] },
  addon: { options: ['--disable', '--enable', '--reserve-mb='], arguments: [1, 1] },
};

/** Commands that may stand more than once. */
const repeated = ['part', 'logvol', 'repo', 'timesource', 'volgroup', 'user', 'sshkey'];

/** What an install without questions must have. */
const needed = ['lang', 'keyboard', 'timezone', 'rootpw', 'bootloader', 'zerombr', 'clearpart', 'part', 'poweroff'];

/** Everything that is wrong with a kickstart file. */
export function findKickstartProblems({ commands, sections }: Kickstart): string[] {
  const names = commands.map(({ name }) => name);
  return [
    ...commands.flatMap((command) => checkWords(rules[command.name], command)),
    ...sections.flatMap((section) => checkWords(sectionRules[section.name], section)),
    ...names
      .filter((name, index) => names.indexOf(name) !== index && !repeated.includes(name))
      .map((name) => `${name} twice`),
    ...needed.filter((name) => !names.includes(name)).map((name) => `no ${name}`),
    ...(names.filter((name) => ['url', 'cdrom'].includes(name)).length === 1 ? [] : ['not one installation source']),
    ...(sections.filter(({ name }) => name === 'packages').length === 1 ? [] : ['not one %packages']),
  ];
}

function checkWords(rule: CommandRule | undefined, { name, words }: KickstartCommand): string[] {
  if (rule === undefined) return [`unknown command ${name}`];
  const options = words.filter((word) => word.startsWith('--'));
  const [least, most] = rule.arguments ?? [0, 0];
  const count = words.length - options.length;
  const given = options.map((option) => option.replace(/=.*/s, ''));
  return [
    ...options
      .filter((option) => !rule.options.includes(option.replace(/=.*/s, '=')) || option.endsWith('='))
      .map((option) => `${name}: unknown option ${option}`),
    ...(rule.required ?? []).filter((option) => !given.includes(option)).map((option) => `${name}: no ${option}`),
    ...(count >= least && count <= most ? [] : [`${name}: ${count} arguments`]),
  ];
}
