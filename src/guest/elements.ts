import { createHash } from 'node:crypto';
import { makeVolumes } from '../recipe/install-settings.ts';
import { type Recipe, recipeSchema, type Step } from '../recipe/schema.ts';
import { scriptTitle } from '../recipe/step.ts';
import type { PackageManager } from './packages/package-manager.ts';
import type { GuestFile } from './ssh-session.ts';

/** What applying an element does in the guest, as root. */
export type GuestAction =
  | { readonly kind: 'write'; readonly title: string; readonly file: GuestFile }
  | { readonly kind: 'command'; readonly title: string; readonly words: readonly string[] }
  /** Uploaded to a temporary file and run there. Without a `#!` line `/bin/sh -e` runs it. */
  | { readonly kind: 'script'; readonly title: string; readonly text: string };

/** A shell test, run as root on the booted artefact: exit status 0 means that the image has what was declared. */
export interface ElementCheck {
  readonly element: string;
  readonly words: readonly string[];
}

/** Contents of the user's `source` files by the path that the recipe gives. */
export type Sources = ReadonlyMap<string, Uint8Array>;

const sysctlFile = '/etc/sysctl.d/90-kvmimg.conf';

/** What applying and checking elements depends on besides the recipe. */
export interface ElementContext {
  readonly sources: Sources;
  readonly packages: Pick<PackageManager, 'install' | 'checkInstalled'>;
}

/**
 * The actions that apply a step. `sysctlsBefore` are those of the earlier steps: the file in /etc/sysctl.d holds all.
 */
export function makeActions(
  step: Step,
  { sources, packages }: ElementContext,
  sysctlsBefore: Sysctls = {},
): GuestAction[] {
  return [
    ...(step.packages ? packages.install(step.packages) : []),
    ...(step.files ?? []).map(
      (file): GuestAction => ({
        kind: 'write',
        title: `write ${file.path}`,
        file: { path: file.path, mode: file.mode, owner: file.owner, content: contentOf(file, sources) },
      }),
    ),
    ...(step.sysctls ? sysctlActions({ ...sysctlsBefore, ...step.sysctls }) : []),
    ...serviceActions(step.services),
    ...(step.scripts ?? []).map(
      (script): GuestAction => ({
        kind: 'script',
        title: `script ${scriptTitle(script)}`,
        text: script.run ?? new TextDecoder().decode(sourceOf(script.source, sources)),
      }),
    ),
  ];
}

/** The actions that make the users of a recipe: keys only, no password. */
export function makeUserActions(users: Recipe['users']): GuestAction[] {
  return users.flatMap((user): GuestAction[] => [
    {
      kind: 'command',
      title: `make user ${user.name}`,
      words: ['sh', '-c', 'id -u "$1" >/dev/null 2>&1 || useradd -m -s /bin/bash -p "*" -- "$1"', 'sh', user.name],
    },
    {
      kind: 'write',
      title: `write the SSH keys of ${user.name}`,
      file: {
        path: `/home/${user.name}/.ssh/authorized_keys`,
        content: user.sshKeys.map((key) => `${key}\n`).join(''),
        mode: '0600',
        owner: `${user.name}:${user.name}`,
      },
    },
    {
      kind: 'command',
      title: `protect the SSH folder of ${user.name}`,
      words: ['sh', '-c', 'chown "$1:$1" "/home/$1/.ssh" && chmod 0700 "/home/$1/.ssh"', 'sh', user.name],
    },
    ...(user.sudo ? [sudoAction(user.name)] : []),
  ]);
}

/** Run after the steps, whose packages may bring the groups. */
export function makeGroupActions(users: Recipe['users']): GuestAction[] {
  return users.flatMap((user) =>
    user.groups.map(
      (group): GuestAction => ({
        kind: 'command',
        title: `add ${user.name} to group ${group}`,
        words: ['usermod', '-a', '-G', group, '--', user.name],
      }),
    ),
  );
}

function sudoAction(name: string): GuestAction {
  const content = `${name} ALL=(ALL) NOPASSWD:ALL\n`;
  return {
    kind: 'write',
    title: `let ${name} use sudo`,
    file: { path: `/etc/sudoers.d/kvmimg-user-${name}`, content, mode: '0440', owner: 'root:root' },
  };
}

/** The checks that follow from everything a recipe declares: nobody writes a test for a package they asked for. */
export function makeChecks(recipe: Recipe, { sources, packages }: ElementContext): ElementCheck[] {
  const steps = recipe.provision;
  return [
    ...[...recipe.packages, ...steps.flatMap((step) => step.packages ?? [])].map(
      (name): ElementCheck => ({ element: `package ${name}`, words: packages.checkInstalled(name) }),
    ),
    ...recipe.users.flatMap(checkUser),
    ...lastOfEachPath(steps).map((file) => checkFile(file, contentOf(file, sources))),
    ...Object.entries(mergeSysctls(steps)).map(([name, value]) => checkSysctl(name, String(value))),
    ...steps.flatMap((step) => checkServices(step.services)),
    // A base image has those of whoever has installed it.
    ...(recipe.base === undefined ? checkInstalled(recipe) : []),
    ...recipe.kernelArguments.map(
      (argument): ElementCheck => ({
        element: `kernel argument ${argument}`,
        words: ['grep', '-qF', '--', argument, '/proc/cmdline'],
      }),
    ),
  ];
}

/** What only an installer makes. */
function checkInstalled(recipe: Recipe): ElementCheck[] {
  const { network, ntp, repositories, timezone, locale } = recipe;
  // An answer file of the user's need not heed what the recipe has by default.
  const defaults = recipe.answerFile === undefined ? undefined : recipeSchema.parse({ distro: recipe.distro });
  return [
    ...(timezone === defaults?.timezone ? [] : [checkTimezone(timezone)]),
    ...(locale === defaults?.locale ? [] : [checkLocale(locale)]),
    ...(defaults === undefined ? checkDisk(recipe.disk) : []),
    ...repositories.map(({ name, url }) =>
      checkConfigured(`repository ${name}`, url, ['/etc/apt/sources.list.d', '/etc/yum.repos.d']),
    ),
    ...ntp.map((server) =>
      checkConfigured(`time server ${server}`, server, [
        '/etc/systemd/timesyncd.conf.d',
        '/etc/chrony.conf',
        '/etc/chrony',
      ]),
    ),
    ...(network === 'dhcp' ? [] : [checkConfigured(`address ${network.address}`, network.address, networkFolders)]),
  ];
}

function checkDisk(disk: Recipe['disk']): ElementCheck[] {
  const swap = { element: 'swap', words: ['sh', '-c', 'tail -n +2 /proc/swaps | grep -q .'] };
  return [
    ...makeVolumes(disk).map(({ path }): ElementCheck => checkVolume(path, disk.filesystem)),
    checkVolume('/', disk.filesystem),
    ...(disk.swap === undefined ? [] : [swap]),
  ];
}

/** Where the families keep the network of an image that starts without first-boot data. */
const networkFolders = ['/usr/lib/kvmimg', '/etc/systemd/network', '/etc/netplan', '/etc/NetworkManager'];

function checkVolume(path: string, filesystem: string): ElementCheck {
  const script = 'test "$(findmnt -n -o FSTYPE --mountpoint "$1")" = "$2"';
  return { element: `file system ${path}`, words: ['sh', '-c', script, 'sh', path, filesystem] };
}

/** A text of the recipe in one of the files that the family has for it; those of other families are not there. */
function checkConfigured(element: string, text: string, places: readonly string[]): ElementCheck {
  return { element, words: ['grep', '-rqsF', '--', text, ...places] };
}

function checkTimezone(timezone: string): ElementCheck {
  return {
    element: `timezone ${timezone}`,
    words: ['test', '/etc/localtime', '-ef', `/usr/share/zoneinfo/${timezone}`],
  };
}

function checkLocale(locale: string): ElementCheck {
  return {
    element: `locale ${locale}`,
    words: ['grep', '-rqsF', `LANG=${locale}`, '/etc/default/locale', '/etc/locale.conf'],
  };
}

type Sysctls = NonNullable<Step['sysctls']>;
type RecipeFile = NonNullable<Step['files']>[number];

/** The sysctls of all steps, the last word of each name. */
export function mergeSysctls(steps: readonly Step[]): Sysctls {
  return Object.assign({}, ...steps.map((step) => step.sysctls ?? {}));
}

function lastOfEachPath(steps: readonly Step[]): RecipeFile[] {
  return [...new Map(steps.flatMap((step) => step.files ?? []).map((file) => [file.path, file])).values()];
}

function sysctlActions(sysctls: Sysctls): GuestAction[] {
  const content = Object.entries(sysctls).map(([name, value]) => `${name} = ${value}\n`);
  return [
    {
      kind: 'write',
      title: `write ${sysctlFile}`,
      file: { path: sysctlFile, mode: '0644', owner: 'root:root', content: content.join('') },
    },
    { kind: 'command', title: 'apply the sysctls', words: ['sysctl', '-q', '-p', sysctlFile] },
  ];
}

function serviceActions(services: Step['services']): GuestAction[] {
  return (['enable', 'disable', 'mask'] as const).flatMap((verb): GuestAction[] => {
    const units = services?.[verb] ?? [];
    if (units.length === 0) return [];
    return [
      { kind: 'command', title: `${verb} ${units.join(', ')}`, words: ['systemctl', '-q', verb, '--', ...units] },
    ];
  });
}

function checkUser(user: Recipe['users'][number]): ElementCheck[] {
  const keysFile = `/home/${user.name}/.ssh/authorized_keys`;
  return [
    { element: `user ${user.name}`, words: ['id', '-u', '--', user.name] },
    ...user.sshKeys.map(
      (key): ElementCheck => ({ element: `SSH key of ${user.name}`, words: ['grep', '-qxF', '--', key, keysFile] }),
    ),
    ...(user.sudo
      ? [
          {
            element: `sudo of ${user.name}`,
            words: ['sh', '-c', 'sudo -n -l -U "$1" | grep -q NOPASSWD', 'sh', user.name],
          },
        ]
      : []),
    ...user.groups.map(
      (group): ElementCheck => ({
        element: `group ${group} of ${user.name}`,
        words: ['sh', '-c', 'id -nG "$1" | tr " " "\\n" | grep -qxF "$2"', 'sh', user.name, group],
      }),
    ),
  ];
}

function checkFile(file: RecipeFile, content: Uint8Array | string): ElementCheck {
  // Its digest, not itself: a command line is short, and every user of the host can read it.
  const sha256 = createHash('sha256').update(content).digest('hex');
  const group = file.owner.includes(':') ? file.owner : `${file.owner}:${file.owner}`;
  const script = 'test "$(stat -c "%a %U:%G" -- "$1")" = "$2" && test "$(sha256sum <"$1" | cut -d" " -f1)" = "$3"';
  const mode = Number.parseInt(file.mode, 8).toString(8);
  return { element: `file ${file.path}`, words: ['sh', '-c', script, 'sh', file.path, `${mode} ${group}`, sha256] };
}

function checkSysctl(name: string, value: string): ElementCheck {
  const script = 'test "$(sysctl -n "$1" | tr "\\t" " ")" = "$2"';
  return { element: `sysctl ${name}`, words: ['sh', '-c', script, 'sh', name, value] };
}

function checkServices(services: Step['services']): ElementCheck[] {
  // A static unit is not enabled either; what matters of a disabled one is that nothing starts it at boot.
  const tests = {
    enable: ['enabled', 'test "$(systemctl is-enabled "$1")" = enabled'],
    disable: ['not enabled', 'case "$(systemctl is-enabled "$1")" in enabled*) exit 1 ;; esac'],
    mask: ['masked', 'test "$(systemctl is-enabled "$1")" = masked'],
  } as const;
  return (['enable', 'disable', 'mask'] as const).flatMap((verb) =>
    (services?.[verb] ?? []).map((unit) => ({
      element: `service ${unit} ${tests[verb][0]}`,
      words: ['sh', '-c', tests[verb][1], 'sh', unit],
    })),
  );
}

function contentOf(file: RecipeFile, sources: Sources): Uint8Array | string {
  return file.content ?? sourceOf(file.source, sources);
}

function sourceOf(source: string | undefined, sources: Sources): Uint8Array {
  const content = sources.get(source ?? '');
  if (content === undefined) throw new Error(`The content of ${source} was not read while planning.`);
  return content;
}
