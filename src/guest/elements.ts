import { createHash } from 'node:crypto';
import type { Recipe, Step } from '../recipe/schema.ts';
import { scriptTitle } from '../recipe/step.ts';
import { checkInstalled } from './installed-checks.ts';
import type { PackageManager } from './packages/package-manager.ts';
import { checkServices, serviceActions } from './services.ts';
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

/** What applying elements depends on besides the recipe. */
export interface ElementContext {
  readonly sources: Sources;
  readonly packages: Pick<PackageManager, 'install'>;
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

/** What checking elements depends on besides the recipe. */
export interface CheckContext {
  /** SHA-256 of the user's `source` files by the path that the recipe gives. */
  readonly digests: ReadonlyMap<string, string>;
  readonly packages: Pick<PackageManager, 'checkInstalled'>;
}

/** The checks that follow from everything a recipe declares: nobody writes a test for a package they asked for. */
export function makeChecks(recipe: Recipe, { digests, packages }: CheckContext): ElementCheck[] {
  const steps = recipe.provision;
  return [
    ...[...recipe.packages, ...steps.flatMap((step) => step.packages ?? [])].map(
      (name): ElementCheck => ({ element: `package ${name}`, words: packages.checkInstalled(name) }),
    ),
    ...recipe.users.flatMap(checkUser),
    ...lastOfEachPath(steps).map((file) => checkFile(file, digestOf(file, digests))),
    ...Object.entries(mergeSysctls(steps)).map(([name, value]) => checkSysctl(name, String(value))),
    ...steps.flatMap((step) => checkServices(step.services)),
    // A base image has those of whoever has installed it.
    ...(recipe.base === undefined ? checkInstalled(recipe) : []),
    ...recipe.kernelArguments.map(checkKernelArgument),
    // Not the host name: the seal writes it, and the first-boot data of the check give the booted overlay another.
  ];
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

/** By its digest: a command line is short, and every user of the host can read it. */
function checkFile(file: RecipeFile, sha256: string): ElementCheck {
  const group = file.owner.includes(':') ? file.owner : `${file.owner}:${file.owner}`;
  const script = 'test "$(stat -c "%a %U:%G" -- "$1")" = "$2" && test "$(sha256sum <"$1" | cut -d" " -f1)" = "$3"';
  const mode = Number.parseInt(file.mode, 8).toString(8);
  return { element: `file ${file.path}`, words: ['sh', '-c', script, 'sh', file.path, `${mode} ${group}`, sha256] };
}

/** A whole word: `console=ttyS1` is not there by `console=ttyS1,9600`. No argument of a recipe has a space. */
function checkKernelArgument(argument: string): ElementCheck {
  const script = 'tr " " "\\n" </proc/cmdline | grep -qxF -- "$1"';
  return { element: `kernel argument ${argument}`, words: ['sh', '-c', script, 'sh', argument] };
}

function checkSysctl(name: string, value: string): ElementCheck {
  const script = 'test "$(sysctl -n "$1" | tr "\\t" " ")" = "$2"';
  return { element: `sysctl ${name}`, words: ['sh', '-c', script, 'sh', name, value] };
}

function contentOf(file: RecipeFile, sources: Sources): Uint8Array | string {
  return file.content ?? sourceOf(file.source, sources);
}

function digestOf(file: RecipeFile, digests: CheckContext['digests']): string {
  if (file.content === undefined) return sourceOf(file.source, digests);
  return createHash('sha256').update(file.content).digest('hex');
}

function sourceOf<T>(source: string | undefined, sources: ReadonlyMap<string, T>): T {
  const found = sources.get(source ?? '');
  if (found === undefined) throw new Error(`${source} was not read.`);
  return found;
}
