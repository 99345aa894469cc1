import { Command, Option } from 'commander';
import { readPackageVersion } from '../package-root.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';

type Action = (context: CommandContext) => Promise<CommandStatus>;

export interface ProgramHooks {
  /** Runs a command; given so that nothing here decides about exit codes. */
  readonly act: (action: Action) => Promise<void>;
  readonly write: { readonly out: (text: string) => void; readonly err: (text: string) => void };
}

/** As in the recipe's schema, which is not loaded for a command line. */
const arches = ['amd64', 'arm64'];
const scsiControllers = ['pvscsi', 'lsilogic'];

/** Commands whose flags come from the recipe's schema, which `addSettingFlags` loads. */
const recipeCommands = ['build', 'plan', 'render'];

const environmentHelp = `
Environment:
  KVMIMG_CACHE_DIR      folder of downloads and layers (default: kvmimg in $XDG_CACHE_HOME or ~/.cache)
  KVMIMG_DISTROS_DIR    folder that stands in for kvmimg's own distros/
  KVMIMG_TEMPLATES_DIR  folder whose preseed/, autoinstall/, kickstart/ and photon/ stand in for kvmimg's own templates
  KVMIMG_DEBUG          1: progress tells details as well
  http_proxy, https_proxy, no_proxy
                        for what kvmimg fetches, unless the recipe names a proxy
`;

const shellHelp = `
Of a recipe or distro the newest layer there is; of \`kvmimg cache ls\` one layer, by the beginning of its id or key; a
qcow2 or raw image file; or the machine that a build keeps by --keep-on-failure, by its id. But for the last, whatever is
changed is thrown away at the end. With a command the exit status is the command's.
`;

const convertHelp = `
What is not said of the machine is as in the OVA that is converted, or as the manifest of the build beside the image has it.
`;

/**
 * The whole command line. Each command loads its code when it runs, so that help is quick; the flags that the recipe's
 * schema declares are added by `addSettingFlags`.
 */
export function makeProgram({ act, write }: ProgramHooks): Command {
  const program = new Command('kvmimg')
    .description("Builds VM disk images by running a distribution's own installer under QEMU/KVM.")
    .version(readPackageVersion())
    .exitOverride()
    .configureOutput({ writeOut: write.out, writeErr: write.err })
    .showHelpAfterError('(kvmimg --help tells more)')
    .addHelpText('after', environmentHelp);
  const add = (name: string, description: string): Command =>
    program.command(name).description(description).copyInheritedSettings(program);

  add('build <distro|recipe.yaml...>', 'build images and write them in the formats asked for')
    .option('--fail-fast', 'of several builds, end the others when one fails')
    .action((subjects, flags) => act(async (c) => (await import('./build-command.ts')).build(subjects, flags, c)));
  add('plan <distro|recipe.yaml...>', 'say what build would do, and why; touches nothing')
    .option('--json', 'the plan, what is cached and the QEMU command lines as JSON')
    .action((subjects, flags) => act(async (c) => (await import('./plan-command.ts')).printPlans(subjects, flags, c)));
  add('render <distro|recipe.yaml>', 'print the answer file')
    .option('--file <name>', 'another file that goes with it, such as late.sh')
    .action((subject, flags) =>
      act(async (c) => (await import('./render-command.ts')).renderAnswerFile(subject, flags, c)),
    );
  add('distros', 'list what can be built')
    .option('--json', 'as JSON')
    .action((flags) => act(async (c) => (await import('./distros-command.ts')).listDistros(flags, c)));
  add('doctor', 'say whether this host is ready, and what would make it so')
    .option('--fix', "install what is missing with the host's package manager, after asking")
    .option('--yes', 'do not ask')
    .addOption(new Option('--arch <arch>', "of the images to build. Default: this host's own").choices(arches))
    .option('--json', 'as JSON')
    .action((flags) => act(async (c) => (await import('./doctor-command.ts')).examine(flags, c)));
  add('convert <image>', 'write formats from an existing disk image or OVA')
    .requiredOption('--format <list>', 'files to write (comma-separated: qcow2, raw, vmdk, ova)')
    .option('-o, --output <dir>', 'folder for the files', './out')
    .option('--name <name>', "name of the files. Default: the image's")
    .option('--force', 'replace files that exist')
    .option('--hardware-version <number>', "VMware's virtual hardware that an OVA or VMDK is for, such as 17", Number)
    .addOption(new Option('--controller <name>', "SCSI controller of an OVA's disk").choices(scsiControllers))
    .option('--disk-enable-uuid', 'let an OVA show its guest stable ids of disks')
    .option('--no-disk-enable-uuid', 'do not let it')
    .option('--os-type <id>', "VMware's id of an OVA's system, such as debian12_64Guest")
    .addHelpText('after', convertHelp)
    .action((image, flags) => act(async (c) => (await import('./convert-command.ts')).convert(image, flags, c)));
  add('inspect <image>', 'say what an image or OVA is and holds')
    .option('--json', 'as JSON')
    .option('--digest', 'its SHA-256 as well, which reads all of it')
    .action((image, flags) => act(async (c) => (await import('./inspect-command.ts')).inspect(image, flags, c)));
  add('lock <distro>', 'make a fresh installer lock from a mirror')
    .addOption(new Option('--arch <arch>', 'processor architecture').choices(arches).default('amd64'))
    .option('--mirror <url>', "mirror to read. Default: this host's own, then the public one")
    .option('-o, --output <file>', "file to write. Default: the distro's own")
    .action((distro, flags) => act(async (c) => (await import('./lock-command.ts')).lock(distro, flags, c)));
  add('shell <what> [command...]', 'boot a throw-away overlay and open an SSH session in it')
    .usage('[options] <recipe.yaml|distro|layer|image|machine> [-- command...]')
    .addHelpText('after', shellHelp)
    .action((what, command, flags) =>
      act(async (c) => (await import('./shell-command.ts')).openShell({ what, command }, flags, c)),
    );
  const cache = add('cache', 'the folder of downloads and layers');
  const addToCache = (name: string, description: string): Command =>
    cache.command(name).description(description).copyInheritedSettings(program);
  addToCache('path', 'print its path').action(() =>
    act(async (c) => (await import('./cache-command.ts')).printCachePath(c)),
  );
  addToCache('ls', 'list the layers that builds have left: size, age, use, what stands on what')
    .option('--json', 'as JSON')
    .action((flags) => act(async (c) => (await import('./cache-command.ts')).listLayers(flags, c)));
  addToCache('prune', 'remove layers that are damaged or of no use any more, and others as asked; downloads stay')
    .option('--older-than <duration>', 'layers that were last used longer ago, such as 7d')
    .option('--max-size <size>', 'the least recently used layers, until they take no more than this, such as 20GiB')
    .option('--all', 'every layer that is not in use')
    .option('--dry-run', 'remove nothing, only say what would go')
    .action((flags) => act(async (c) => (await import('./cache-command.ts')).pruneLayers(flags, c)));
  return program;
}

/** Adds the flags that come from the recipe's schema, if the command line is about a command that has them. */
export async function addSettingFlags(program: Command, args: readonly string[]): Promise<void> {
  if (!args.some((arg) => [...recipeCommands, 'shell'].includes(arg))) return;
  const [{ addRecipeFlags, addSetFlag }, { addAccelFlag, addLogFlag, addPlanFlags }] = await Promise.all([
    import('./recipe-flags.ts'),
    import('./plan-flags.ts'),
  ]);
  for (const command of program.commands) {
    if (recipeCommands.includes(command.name())) addRecipeFlags(command);
    if (['build', 'plan'].includes(command.name())) addPlanFlags(command);
    if (command.name() === 'build') addLogFlag(command);
    if (command.name() === 'shell') {
      addAccelFlag(command);
      addSetFlag(command);
    }
  }
}
