/** What pykickstart's parser does with a file, and what it accepts, written from its parser, sections and commands. */

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
    // Fetched before anything is parsed, wherever it stands.
    if (line.trim().startsWith('%ksappend')) throw new Error(`Illegal url for %ksappend: ${line.trim()}`);
    if (open) {
      if (endsSection(open.name, line)) open = undefined;
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

/** In a section only these mean something to the parser, with white space before them too. */
function endsSection(section: string, line: string): boolean {
  const [word = ''] = line.trimStart().split(/\s/);
  if (word === '%include') throw new Error(`%include in %${section}`);
  if (word.startsWith('%') && sectionNames.includes(word.slice(1))) {
    throw new Error(`Section %${section} does not end with %end.`);
  }
  if (word !== '%end') return false;
  splitWords(line);
  return true;
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
  /** Options; after `=` the values: any but none, `#` for a whole number, or the ones to choose from. */
  readonly options: readonly string[];
  /** Words that are no options: the least and the most. */
  readonly arguments?: readonly [least: number, most: number];
  readonly required?: readonly string[];
  /** Exactly one of these. */
  readonly oneOf?: readonly string[];
  /** What a line is told from others by, where a command may stand more than once: a second one warns. */
  readonly identity?: (command: KickstartCommand) => string;
}

const file = ['--fstype=', '--size=#', '--grow', '--maxsize=#', '--fsoptions=', '--label=', '--mkfsoptions='];
const urls = ['--mirrorlist=', '--metalink=', '--proxy=', '--noverifyssl'];

/**
 * The commands that our template uses, as the handlers RHEL9, RHEL10, F43 and F44 have them: without options that are
 * deprecated or gone in any of these (`timezone --isUtc`, `--nontp` and `--ntpservers`, `repo --ignoregroups`, ...), for
 * a warning counts as an error.
 */
const rules: Readonly<Record<string, CommandRule>> = {
  bootloader: {
    options: ['--append=', '--location=mbr|partition|none|boot', '--timeout=#', '--boot-drive=', '--leavebootorder'],
  },
  cdrom: { options: [] },
  clearpart: { options: ['--all', '--none', '--drives=', '--initlabel', '--disklabel=', '--list='] },
  firewall: { options: ['--enabled', '--disabled', '--use-system-defaults', '--service=', '--port=', '--trust='] },
  firstboot: { options: ['--disabled', '--enabled', '--reconfig'] },
  ignoredisk: { options: ['--drives=', '--only-use='], oneOf: ['--drives', '--only-use'] },
  keyboard: { options: ['--vckeymap=', '--xlayouts=', '--switch='], arguments: [0, 1] },
  lang: { options: ['--addsupport='], arguments: [1, 1] },
  logvol: {
    options: [...file, '--vgname=', '--name='],
    arguments: [1, 1],
    required: ['--vgname', '--name', '--size'],
    identity: (line) => `${optionOf(line, '--vgname')}/${optionOf(line, '--name')}`,
  },
  network: { options: ['--bootproto=dhcp', '--device=', '--hostname=', '--activate', '--onboot=on|off|yes|no'] },
  part: {
    options: [...file, '--ondisk=', '--onpart=', '--asprimary'],
    arguments: [1, 1],
    required: ['--size'],
    identity: (line) => argumentsOf(line).join(),
  },
  poweroff: { options: ['--eject'] },
  repo: {
    options: ['--name=', '--baseurl=', '--cost=#', '--install', ...urls],
    required: ['--name'],
    oneOf: ['--baseurl', '--mirrorlist', '--metalink'],
    identity: (line) => optionOf(line, '--name'),
  },
  rootpw: { options: ['--lock', '--iscrypted', '--plaintext'], arguments: [0, 1] },
  selinux: { options: ['--enforcing', '--permissive', '--disabled'] },
  skipx: { options: [] },
  sshkey: {
    options: ['--username='],
    arguments: [1, 1],
    required: ['--username'],
    identity: (line) => optionOf(line, '--username'),
  },
  timesource: {
    options: ['--ntp-server=', '--ntp-pool=', '--ntp-disable', '--nts'],
    oneOf: ['--ntp-server', '--ntp-pool', '--ntp-disable'],
    identity: (line) => line.words.join(' '),
  },
  timezone: { options: ['--utc'], arguments: [1, 1] },
  url: { options: ['--url=', ...urls], oneOf: ['--url', '--mirrorlist', '--metalink'] },
  user: {
    options: ['--name=', '--lock', '--groups=', '--shell=', '--homedir=', '--uid=#', '--gecos=', '--password='],
    required: ['--name'],
    identity: (line) => optionOf(line, '--name'),
  },
  volgroup: { options: ['--pesize=#'], arguments: [2, 99], identity: (line) => argumentsOf(line)[0] ?? '' },
  zerombr: { options: [] },
};

const script: CommandRule = { options: ['--interpreter=', '--erroronfail', '--log='] };
const sectionRules: Readonly<Record<string, CommandRule>> = {
  pre: script,
  post: { options: [...script.options, '--nochroot'] },
  onerror: script,
  traceback: script,
  packages: { options: ['--exclude-weakdeps', '--excludedocs', '--inst-langs=', '--nocore', '--ignoremissing'] },
  addon: { options: ['--disable', '--enable', '--reserve-mb=#'], arguments: [1, 1] },
};

/** What an install without questions must have. */
const needed = ['lang', 'keyboard', 'timezone', 'rootpw', 'bootloader', 'zerombr', 'clearpart', 'part', 'poweroff'];

/** Everything that is wrong with a kickstart file. */
export function findKickstartProblems(kickstart: Kickstart): string[] {
  const { commands, sections } = kickstart;
  const names = commands.map(({ name }) => name);
  return [
    ...commands.flatMap((command) => checkWords(rules[command.name], command)),
    ...sections.flatMap((section) => checkWords(sectionRules[section.name], section)),
    ...findRepeated(commands),
    ...findLoose(commands),
    ...findPackageProblems(sections.flatMap(({ name, body }) => (name === 'packages' ? body : []))),
    ...needed.filter((name) => !names.includes(name)).map((name) => `no ${name}`),
    ...(names.filter((name) => ['url', 'cdrom'].includes(name)).length === 1 ? [] : ['not one installation source']),
    ...(sections.filter(({ name }) => name === 'packages').length === 1 ? [] : ['not one %packages']),
  ];
}

function checkWords(rule: CommandRule | undefined, command: KickstartCommand): string[] {
  const { name, words } = command;
  if (rule === undefined) return [`unknown command ${name}`];
  // argparse takes every word with a leading hyphen for an option.
  const options = words.filter((word) => word.startsWith('-'));
  const given = options.map(nameOfOption);
  const [least, most] = rule.arguments ?? [0, 0];
  const { length } = argumentsOf(command);
  const chosen = rule.oneOf?.filter((option) => given.includes(option));
  return [
    ...options
      .filter((word) => !rule.options.some((option) => fits(word, option)))
      .map((word) => `${name}: unknown option or value ${word}`),
    ...given.filter((option, index) => given.indexOf(option) !== index).map((option) => `${name}: ${option} twice`),
    ...(rule.required ?? []).filter((option) => !given.includes(option)).map((option) => `${name}: no ${option}`),
    ...(chosen === undefined || chosen.length === 1 ? [] : [`${name}: not one of ${rule.oneOf?.join(', ')}`]),
    ...(length >= least && length <= most ? [] : [`${name}: ${length} arguments`]),
  ];
}

function fits(word: string, option: string): boolean {
  if (!option.includes('=')) return word === option;
  const name = nameOfOption(option);
  if (!word.startsWith(`${name}=`)) return false;
  const value = word.slice(name.length + 1);
  const values = option.slice(name.length + 1);
  if (values === '') return value !== '';
  return values === '#' ? /^\d+$/.test(value) : values.split('|').includes(value);
}

function nameOfOption(word: string): string {
  return word.replace(/=.*/s, '');
}

function argumentsOf({ words }: KickstartCommand): readonly string[] {
  return words.filter((word) => !word.startsWith('-'));
}

function optionOf({ words }: KickstartCommand, name: string): string {
  return words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
}

/** Commands that may stand once, and lines that name the same thing again, which warns; only swap may. */
function findRepeated(commands: readonly KickstartCommand[]): string[] {
  const lines = commands.map((command) => `${command.name} ${rules[command.name]?.identity?.(command) ?? ''}`.trim());
  return lines
    .filter((line, index) => lines.indexOf(line) !== index && line !== 'part swap')
    .map((line) => `${line} twice`);
}

/** What Anaconda looks for when it makes the partitions and the users: the parts of LVM, and whose a key is. */
function findLoose(commands: readonly KickstartCommand[]): string[] {
  const all = (name: string): KickstartCommand[] => commands.filter((command) => command.name === name);
  const members = all('volgroup').flatMap((line) => argumentsOf(line).slice(1));
  const physical = all('part').flatMap((line) => argumentsOf(line).filter((name) => name.startsWith('pv.')));
  const groups = all('volgroup').map((line) => argumentsOf(line)[0]);
  const users = all('user').map((line) => optionOf(line, '--name'));
  return [
    ...members.filter((name) => !physical.includes(name)).map((name) => `volgroup: no part ${name}`),
    ...physical.filter((name) => !members.includes(name)).map((name) => `part: ${name} is in no volgroup`),
    ...all('logvol')
      .filter((line) => !groups.includes(optionOf(line, '--vgname')))
      .map((line) => `logvol: no volgroup ${optionOf(line, '--vgname')}`),
    ...all('sshkey')
      .filter((line) => !users.includes(optionOf(line, '--username')))
      .map((line) => `sshkey: no user ${optionOf(line, '--username')}`),
  ];
}

/** The lines of %packages: a name each, wanted or left out, and never both. */
function findPackageProblems(body: readonly string[]): string[] {
  const lines = body.map((line) => line.replace(/#.*/s, '').trim()).filter((line) => line !== '');
  return [
    ...lines.filter((line) => !/^-?@?[A-Za-z0-9][\w*+.^-]*$/.test(line)).map((line) => `packages: ${line}`),
    ...lines.filter((line) => lines.includes(`-${line}`)).map((line) => `packages: ${line} and -${line}`),
  ];
}
