import { Command, Option } from 'commander';
import { readPackageVersion } from '../package-root.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';

type Action = (context: CommandContext) => Promise<CommandStatus>;

export interface ProgramHooks {
  /** Runs a command; given so that nothing here decides about exit codes. */
  readonly act: (action: Action) => Promise<void>;
  readonly write: { readonly out: (text: string) => void; readonly err: (text: string) => void };
}

/** Commands whose flags come from the recipe's schema, which `addSettingFlags` loads. */
const recipeCommands = ['build', 'plan', 'render'];

const environmentHelp = `
Environment:
  KVMIMG_CACHE_DIR      folder of downloads and layers (default: kvmimg in $XDG_CACHE_HOME or ~/.cache)
  KVMIMG_DISTROS_DIR    folder that stands in for kvmimg's own distros/
  KVMIMG_TEMPLATES_DIR  folder whose preseed/ stands in for kvmimg's own answer file templates
  KVMIMG_DEBUG          1: progress tells details as well
  http_proxy, no_proxy  for what kvmimg fetches, unless the recipe names a proxy
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

  add('build <distro|recipe.yaml>', 'build an image and write it in the formats asked for').action((subject, flags) =>
    act(async (c) => (await import('./build-command.ts')).build(subject, flags, c)),
  );
  add('plan <distro|recipe.yaml>', 'say what build would do; touches nothing')
    .option('--json', 'the plan and the QEMU command lines as JSON')
    .action((subject, flags) => act(async (c) => (await import('./plan-command.ts')).printPlan(subject, flags, c)));
  add('render <distro|recipe.yaml>', 'print the answer file')
    .option(
      '--file <name>',
      'preseed.cfg, or a script of its: early.sh, pkgdetails.sh, base.sh, late.sh',
      'preseed.cfg',
    )
    .action((subject, flags) =>
      act(async (c) => (await import('./render-command.ts')).renderAnswerFile(subject, flags, c)),
    );
  add('distros', 'list what can be built')
    .option('--json', 'as JSON')
    .action((flags) => act(async (c) => (await import('./distros-command.ts')).listDistros(flags, c)));
  add('doctor', 'say whether this host is ready, and what would make it so')
    .option('--fix', "install what is missing with the host's package manager, after asking")
    .option('--yes', 'do not ask')
    .option('--json', 'as JSON')
    .action((flags) => act(async (c) => (await import('./doctor-command.ts')).examine(flags, c)));
  add('convert <image>', 'write formats from an existing disk image or OVA')
    .requiredOption('--format <list>', 'files to write (comma-separated: qcow2, raw, vmdk, ova)')
    .option('-o, --output <dir>', 'folder for the files', './out')
    .option('--name <name>', "name of the files. Default: the image's")
    .option('--force', 'replace files that exist')
    .action((image, flags) => act(async (c) => (await import('./convert-command.ts')).convert(image, flags, c)));
  add('inspect <image>', 'say what an image or OVA is and holds')
    .option('--json', 'as JSON')
    .option('--digest', 'its SHA-256 as well, which reads all of it')
    .action((image, flags) => act(async (c) => (await import('./inspect-command.ts')).inspect(image, flags, c)));
  add('lock <distro>', 'make a fresh installer lock from a mirror')
    .addOption(new Option('--arch <arch>', 'processor architecture').choices(['amd64', 'arm64']).default('amd64'))
    .option('--mirror <url>', "mirror to read. Default: this host's own, then the public one")
    .option('-o, --output <file>', "file to write. Default: the distro's own")
    .action((distro, flags) => act(async (c) => (await import('./lock-command.ts')).lock(distro, flags, c)));
  add('cache', 'the folder of downloads and layers')
    .command('path')
    .description('print its path')
    .copyInheritedSettings(program)
    .action(() => act(async (c) => (await import('./cache-command.ts')).printCachePath(c)));
  return program;
}

/** Adds the flags that come from the recipe's schema, if the command line is about a command that has them. */
export async function addSettingFlags(program: Command, args: readonly string[]): Promise<void> {
  if (!args.some((arg) => recipeCommands.includes(arg))) return;
  const [{ addRecipeFlags }, { addLogFlag, addPlanFlags }] = await Promise.all([
    import('./recipe-flags.ts'),
    import('./plan-flags.ts'),
  ]);
  for (const command of program.commands) {
    if (recipeCommands.includes(command.name())) addRecipeFlags(command);
    if (['build', 'plan'].includes(command.name())) addPlanFlags(command);
    if (command.name() === 'build') addLogFlag(command);
  }
}
